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
}

void TcpFlow::start() {
  if (lease_.judge(wall_now())) {
    connect();
    return;
  }
  ++host_.counters().refused;
  lease_.audit_refusal();
  const Ruling& ruling = lease_.ruling();
  const bool mute = introduction_ == nullptr && (!ruling.readable || ruling.direct);
  if (mute || host_.counters().refusing >= host_.most_refusing() ||
      !host_.watch(legs_[Relay::client], accepted_.fd.get())) {
    close_refused(true);
    return;
  }
  ++host_.counters().refusing;
  counted_ = true;
  if (introduction_) {
    turn_away();
    return;
  }
  state_ = State::listening;
  set_timer(kFirstBytes);
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
  state_ = State::relaying;
  relay_.attach(accepted_.fd.get(), upstream_.get());
  if (introduction_) {
    relay_.preload(Relay::upstream, introduction_->opened(own_endpoint(upstream_.get())));
    relay_.preload(Relay::client, first_);
    introduction_.reset();
    first_.clear();
  }
  lease_.begin();
  set_deadline();
  if (!host_.watch(legs_[Relay::client], accepted_.fd.get())) {
    end("too many descriptors", true);
    return;
  }
  pump();
}

void TcpFlow::not_connected(int error, const std::string& cause) {
  if (!introduction_ || !host_.watch(legs_[Relay::client], accepted_.fd.get())) {
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
    case State::listening:
      hear();
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
  if (live()) end_if(lease_.on_neighbour(address, mac));
}

void TcpFlow::recheck_neighbour() {
  if (live()) end_if(lease_.recheck_neighbour());
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
