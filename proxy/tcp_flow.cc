// The life of an allowed flow; refused ones are in tcp_flow_refused.cc.
#include "proxy/tcp_flow.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "proxy/socket_options.h"

namespace nightlatch {

namespace {
constexpr Millis kConnectTimeout{10'000};
constexpr Millis kFirstBytes{300};
constexpr Millis kHandshake{10'000};  // for the rest of a request or a ClientHello that has begun
constexpr std::size_t kHearAtOnce = 4096;
constexpr std::size_t kBudget = 512UL * 1024;  // bytes that one flow moves before the others have their turn
}  // namespace

TcpFlow::TcpFlow(FlowHost& host, std::string id, Accepted accepted)
    : TcpFlow(host, std::move(id), std::move(accepted), nullptr, {}) {}

TcpFlow::TcpFlow(FlowHost& host, std::string id, Accepted accepted,
                 std::unique_ptr<Introduction> introduction, std::string first)
    : LiveFlow(std::move(id)),
      host_(host),
      accepted_(std::move(accepted)),
      lease_(host, LiveFlow::id(), accepted_.source, accepted_.destination, Protocol::tcp,
             introduction == nullptr ? Way::intercepted : Way::asked),
      introduction_(std::move(introduction)),
      first_(std::move(first)) {
  for (const Relay::Side side : {Relay::client, Relay::upstream}) {
    legs_[side].flow = this;
    legs_[side].side = side;
  }
  timer_.flow = this;
  lease_.present(accepted_.credential);
  if (!accepted_.asked_name.text().empty()) lease_.name(accepted_.asked_name, NamedBy::asked);
}

void TcpFlow::start() {
  hears_ = host_.judge().hears_names(accepted_.destination.port, Protocol::tcp);
  if (!lease_.judge(wall_now())) {
    refuse();
  } else if (!keep_to_share()) {
    close_refused(true);
  } else if (introduction_ == nullptr && hears_) {
    hear();
  } else {
    connect();
  }
}

// What no resource is about never crowds out what some resource is.
bool TcpFlow::keep_to_share() {
  const bool unprotected = concerns_nobody(lease_.ruling().reason);
  if (unprotected && share_.empty()) {
    std::string share = "unprotected/" + lease_.owner();
    if (!host_.take_share(share, host_.judge().max_flows() / 8 + 1)) return false;
    share_ = std::move(share);
  } else if (!unprotected) {
    give_share();
  }
  return true;
}

void TcpFlow::give_share() {
  if (!share_.empty()) host_.give_share(std::exchange(share_, {}));
}

void TcpFlow::refuse() {
  ++host_.counters().refused;
  lease_.audit_refusal();
  const Ruling& ruling = lease_.ruling();
  const bool mute = introduction_ == nullptr && (!ruling.readable || ruling.direct);
  if (mute || host_.counters().refusing >= host_.most_refusing() || !watch_client()) {
    close_refused(true);
    return;
  }
  close(upstream_, true);
  ++host_.counters().refusing;
  counted_ = true;
  if (introduction_) {
    turn_away();
    return;
  }
  state_ = State::listening;
  set_timer(kFirstBytes);
  listen();
}

bool TcpFlow::watch_client() {
  watched_ = watched_ || host_.watch(legs_[Relay::client], accepted_.fd.get());
  return watched_;
}

// A client that waits for the server to speak first names nobody.
void TcpFlow::hear() {
  if (!watch_client()) {
    end("too many descriptors", true);
    return;
  }
  state_ = State::hearing;
  set_timer(first_.empty() ? kFirstBytes : kHandshake);
  if (!first_.empty() && first_name_.feed(first_) != FirstName::State::more) {
    heard();
  } else {
    hear_more();
  }
}

void TcpFlow::hear_more() {
  while (state_ == State::hearing) {
    const ssize_t n = recv(accepted_.fd.get(), host_.scratch().data(), kHearAtOnce, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      end("reset", true);
      return;
    }
    const std::string_view bytes(host_.scratch().data(), static_cast<std::size_t>(n));
    if (first_.empty() && n > 0) set_timer(kHandshake);
    first_ += bytes;
    if (n == 0 || first_name_.feed(bytes) != FirstName::State::more) heard();
  }
}

void TcpFlow::heard() {
  switch (first_name_.state()) {
    case FirstName::State::silent:
    case FirstName::State::none:
      lease_.unnamed(NamedBy::none);
      break;
    case FirstName::State::encrypted:
    case FirstName::State::named:
      for (const WireName& name : first_name_.names())
        lease_.name(name, first_name_.is_tls() ? NamedBy::tls : NamedBy::http);
      if (first_name_.state() == FirstName::State::encrypted) lease_.unnamed(NamedBy::encrypted);
      break;
    case FirstName::State::more:
    case FirstName::State::unreadable:
      lease_.audit_unreadable();
      if (host_.judge().observing()) break;
      ++host_.counters().refused;
      close_refused(true);
      return;
  }
  host_.look_at_store();
  if (!lease_.judge_again(wall_now())) {
    refuse();
  } else if (!keep_to_share()) {
    close_refused(true);
  } else if (upstream_.valid()) {
    relay();
  } else {
    connect();
  }
}

void TcpFlow::connect() {
  auto upstream = connect_upstream(accepted_.destination, lease_.upstream_source(), accepted_.source.port);
  if (!upstream) {
    not_connected(errno, upstream.error().message);
    return;
  }
  upstream_ = std::move(*upstream);
  state_ = State::connecting;
  set_timer(kConnectTimeout);
  // Only the upstream is watched: the client's bytes wait in the kernel until there is somebody to take them.
  if (!host_.watch(legs_[Relay::upstream], upstream_.get())) end("too many descriptors", true);
}

void TcpFlow::connected() {
  if (const int error = pending_error(upstream_.get()); error != 0) {
    not_connected(error, fmt::format("upstream: {}", std::strerror(error)));
    return;
  }
  if (!introduction_ || !hears_) {
    relay();
    return;
  }
  // The client speaks to its server once it is told that the way is open. What it says is heard before any of
  // it goes there.
  const std::string opened = introduction_->opened(own_endpoint(upstream_.get()));
  introduction_.reset();
  if (send(accepted_.fd.get(), opened.data(), opened.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(opened.size())) {  // a few bytes: a client that takes not even these has gone
    end("reset", true);
    return;
  }
  hear();
}

void TcpFlow::relay() {
  state_ = State::relaying;
  relay_.attach(accepted_.fd.get(), upstream_.get());
  if (introduction_) {
    relay_.preload(Relay::upstream, introduction_->opened(own_endpoint(upstream_.get())));
    introduction_.reset();
  }
  relay_.preload(Relay::client, first_);
  first_ = {};
  lease_.begin();
  set_deadline();
  if (!watch_client()) {
    end("too many descriptors", true);
    return;
  }
  pump();
}

void TcpFlow::not_connected(int error, const std::string& cause) {
  if (!introduction_ || !watch_client()) {
    end(cause, true);
    return;
  }
  lease_.end(cause);
  close(upstream_, true);
  answer_with(introduction_->failed(error));
}

void TcpFlow::on_ready(Relay::Side side, bool readable, bool writable) {
  switch (state_) {
    case State::connecting:
      if (side == Relay::upstream && (writable || readable)) connected();
      break;
    case State::relaying:
      if (readable) relay_.readable(side);
      if (writable) relay_.writable(side);
      pump();
      break;
    case State::hearing:
      if (side == Relay::client) hear_more();
      break;
    case State::listening:
      listen();
      break;
    case State::answering:
      write_answer();
      break;
    case State::lingering:
      linger();
      break;
    case State::fresh:
    case State::holding:
    case State::done:
      break;
  }
}

void TcpFlow::pump() {
  if (state_ != State::relaying) return;
  std::uint64_t up = relay_.moved(Relay::client), down = relay_.moved(Relay::upstream);
  const Relay::Outcome outcome = relay_.pump(host_.scratch(), kBudget);
  up = relay_.moved(Relay::client) - up;
  down = relay_.moved(Relay::upstream) - down;
  if (up + down > 0) lease_.moved(up, down);
  switch (outcome) {
    case Relay::Outcome::idle:
      break;
    case Relay::Outcome::more:
      host_.run_again(*this);
      break;
    case Relay::Outcome::ended:
      end("closed", false);
      break;
    case Relay::Outcome::reset:
      end("reset", true);
      break;
  }
}

void TcpFlow::set_timer(Millis after) { host_.wheel().set(timer_, BootClock::now() + after); }

void TcpFlow::set_deadline() {
  if (const BootTime due = lease_.due(); due == BootTime::max()) {
    timer_.unlink();
  } else {
    host_.wheel().set(timer_, due);
  }
}

void TcpFlow::on_timer() {
  switch (state_) {
    case State::connecting:
      not_connected(ETIMEDOUT, "upstream: no answer");
      break;
    case State::relaying:
      end_if(lease_.at_due());
      break;
    case State::hearing:
      heard();
      break;
    case State::listening:
      refuse_as(said_.give_up());
      break;
    case State::holding:
      answer({});
      break;
    case State::answering:
    case State::lingering:
      close_refused(false);
      break;
    case State::fresh:
    case State::done:
      break;
  }
}

void TcpFlow::rejudge() {
  if (live()) end_if(lease_.rejudge());
}

void TcpFlow::on_neighbour(const IpAddress& address, const Mac& mac) {
  if (live() || state_ == State::hearing) end_if(lease_.on_neighbour(address, mac));
}

void TcpFlow::recheck_neighbour() {
  if (live() || state_ == State::hearing) end_if(lease_.recheck_neighbour());
}

void TcpFlow::end_if(const Lease::Cause& cause) {
  if (cause) {
    end(*cause, true);
  } else if (state_ == State::relaying) {
    set_deadline();
  }
}

void TcpFlow::cut(std::string_view cause) {
  if (live()) {
    end(cause, true);
  } else if (state_ != State::done) {
    close_refused(true);
  }
}

void TcpFlow::end(std::string_view cause, bool reset) {
  lease_.end(cause);
  give_share();
  close(accepted_.fd, reset);
  close(upstream_, reset);
  timer_.unlink();
  state_ = State::done;
  host_.finished(*this);
}

void TcpFlow::close(Fd& fd, bool reset) {
  if (!fd.valid()) return;
  host_.unwatch(fd.get());
  if (reset) reset_on_close(fd.get());
  fd.reset();
}

}  // namespace nightlatch
