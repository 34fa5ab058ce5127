#include "proxy/http_forward.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "policy/host_address.h"
#include "policy/host_name.h"
#include "proxy/http_client.h"
#include "proxy/http_proxy_reply.h"
#include "proxy/refusal.h"

namespace nightlatch {

namespace {
constexpr Millis kConnectTimeout{10'000};
constexpr Millis kNextRequest{30'000};
constexpr Millis kHead{10'000};
constexpr Millis kHoldWait{3'000};
constexpr Millis kLinger{3'000};
constexpr std::size_t kReadAtOnce = 16UL * 1024;
constexpr unsigned kStepsPerTurn = 64;

bool has_piece(ProxyResponseReader::Step step) {
  return step == ProxyResponseReader::Step::interim || step == ProxyResponseReader::Step::head ||
         step == ProxyResponseReader::Step::body;
}
}  // namespace

void HttpForward::begin(FlowHost& host, Accepted accepted, std::unique_ptr<ProxyRequestReader> reader,
                        std::string rest) {
  auto made = std::make_unique<HttpForward>(host, host.next_id(), std::move(accepted), std::move(reader),
                                            std::move(rest));
  HttpForward& flow = *made;
  host.adopt(std::move(made));
  if (!host.watch(flow.client_, flow.client_.fd.get())) {
    flow.close(true);
    return;
  }
  flow.locate();
}

HttpForward::HttpForward(FlowHost& host, std::string id, Accepted accepted,
                         std::unique_ptr<ProxyRequestReader> reader, std::string rest)
    : LiveFlow(std::move(id)), host_(host), accepted_(std::move(accepted)), request_(std::move(reader)) {
  client_.owner = server_.owner = timer_.owner = this;
  client_.fd = std::move(accepted_.fd);
  client_.in = std::move(rest);
}

HttpForward::~HttpForward() {
  if (question_ != 0) host_.resolver().cancel(question_);
}

void HttpForward::locate() {
  state_ = State::locating;
  asked_ = false;
  set_timer(kConnectTimeout);
  const std::string& host = request_->request().host;
  if (const auto address = address_in(host)) {
    judge(*address);
    return;
  }
  const auto name = WireName::read(host);
  if (!name) {
    reply(proxy_reply(400, "That is not a host name"));
    return;
  }
  question_ =
      host_.resolver().resolve(std::string(name->text()), [this](Result<std::vector<IpAddress>> found) {
        question_ = 0;
        if (state_ != State::locating) return;
        if (found) {
          judge(found->front());
        } else {
          reply(unreachable_reply(found.error().kind != ErrorKind::not_found,
                                  request_->request().method == "HEAD"));
        }
      });
  if (state_ != State::locating) question_ = 0;
}

void HttpForward::judge(const IpAddress& address) {
  const Endpoint destination{address, request_->request().port};
  host_.look_at_store();
  lease_.emplace(host_, host_.next_id(), accepted_.source, destination, Protocol::tcp, Way::asked);
  if (lease_->judge(wall_now())) {
    connect(destination);
    return;
  }
  ++host_.counters().refused;
  lease_->audit_refusal();
  const Ruling& ruling = lease_->ruling();
  const bool signing_in_helps = ruling.readable && !ruling.direct && ruling.kind != VerdictKind::deny;
  if (!signing_in_helps || ruling.resource == ResourceId::none) {
    reply(proxy_reply(403, refusal_line(VerdictKind::deny, ruling.resource_name, {})));
    return;
  }
  ++host_.counters().held;
  state_ = State::holding;
  set_timer(kHoldWait);
  host_.ask_hold(id(), {lease_->source().text(), ruling.resource, {}, lease_->event("hold"), nullptr});
}

void HttpForward::on_hold(const std::string& code) {
  if (state_ != State::holding) return;
  const std::string url =
      code.empty() ? host_.judge().portal_url() : host_.judge().portal_url() + "/k/" + code;
  const Ruling& ruling = lease_->ruling();
  reply(proxy_refusal(request_->request(), refusal_line(ruling.kind, ruling.resource_name, url), url));
}

void HttpForward::connect(const Endpoint& destination) {
  begun_ = true;
  auto upstream = connect_upstream(destination, lease_->upstream_source(), accepted_.source.port);
  if (!upstream) {
    end_exchange(upstream.error().message);
    reply(unreachable_reply(false, request_->request().method == "HEAD"));
    return;
  }
  server_.fd = std::move(*upstream);
  server_.readable = false;
  server_.writable = true;
  server_.in.clear();
  server_.out.clear();
  state_ = State::connecting;
  set_timer(kConnectTimeout);
  if (!host_.watch(server_, server_.fd.get())) cut("too many descriptors");
}

void HttpForward::connected() {
  if (const int error = pending_error(server_.fd.get()); error != 0) {
    end_exchange(std::string("upstream: ") + std::strerror(error));  // NOLINT(concurrency-mt-unsafe)
    reply(unreachable_reply(error == ETIMEDOUT, request_->request().method == "HEAD"));
    return;
  }
  state_ = State::exchanging;
  lease_->begin();
  response_.emplace(request_->request());
  server_.out = upstream_head(request_->request(), false);
  set_deadline();
  pump();
}

void HttpForward::on_ready(Side& side, bool can_read, bool can_write) {
  if (can_read) side.readable = true;
  if (can_write) side.writable = true;
  if (state_ == State::connecting && &side == &server_ && (can_read || can_write)) {
    connected();
  } else if (state_ == State::tunnel) {
    const Relay::Side which = &side == &client_ ? Relay::client : Relay::upstream;
    if (can_read) relay_.readable(which);
    if (can_write) relay_.writable(which);
    pump();
  } else {
    pump();
  }
}

void HttpForward::pump() {
  if (state_ == State::tunnel) {
    std::uint64_t up = relay_.moved(Relay::client), down = relay_.moved(Relay::upstream);
    const Relay::Outcome outcome = relay_.pump(host_.scratch(), kReadAtOnce * kStepsPerTurn);
    up = relay_.moved(Relay::client) - up;
    down = relay_.moved(Relay::upstream) - down;
    if (up + down > 0) lease_->moved(up, down);
    if (outcome == Relay::Outcome::more) host_.run_again(*this);
    if (outcome == Relay::Outcome::ended || outcome == Relay::Outcome::reset) {
      end_exchange(outcome == Relay::Outcome::ended ? "closed" : "reset");
      close(outcome == Relay::Outcome::reset);
    }
    return;
  }
  for (unsigned step = 0; step < kStepsPerTurn; ++step) {
    if (state_ != State::reading && state_ != State::exchanging) break;
    bool moved = flush(client_);
    moved = (server_.fd.valid() && flush(server_)) || moved;
    moved = up() || moved;
    moved = (state_ == State::exchanging && down()) || moved;
    if (!moved) return;
    if (step + 1 == kStepsPerTurn) host_.run_again(*this);
  }
  if (state_ == State::leaving) drain();
}

// Writes what waits; true when some of it went.
bool HttpForward::flush(Side& side) {
  if (side.out.empty() || !side.writable || !side.fd.valid()) return false;
  const ssize_t n = send(side.fd.get(), side.out.data(), side.out.size(), MSG_NOSIGNAL);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    side.writable = false;
    return false;
  }
  if (n < 0) {
    // The server may have answered and closed before it took the whole request: its answer still counts.
    side.out.clear();
    if (&side == &client_) cut("reset");
    return false;
  }
  side.out.erase(0, static_cast<std::size_t>(n));
  if (lease_ && begun_) {
    const auto bytes = static_cast<std::uint64_t>(n);
    lease_->moved(&side == &server_ ? bytes : 0, &side == &client_ ? bytes : 0);
  }
  return true;
}

HttpForward::Got HttpForward::read(Side& side) {
  if (!side.in.empty()) return Got::bytes;
  if (!side.readable) return Got::nothing;
  const ssize_t n = recv(side.fd.get(), host_.scratch().data(), kReadAtOnce, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    side.readable = errno == EINTR;
    return Got::nothing;
  }
  if (n <= 0) return n == 0 ? Got::end : Got::broken;
  side.in.assign(host_.scratch().data(), static_cast<std::size_t>(n));
  return Got::bytes;
}

bool HttpForward::up() {
  const bool wanted = state_ == State::reading ? client_.out.empty() : !asked_ && server_.out.empty();
  if (!wanted || (state_ != State::reading && state_ != State::exchanging)) return false;
  std::string_view bytes = client_.in;
  const ProxyRequestReader::Step step = request_->next(bytes);
  if (step == ProxyRequestReader::Step::body) server_.out = request_->piece();
  client_.in.erase(0, client_.in.size() - bytes.size());
  switch (step) {
    case ProxyRequestReader::Step::more:
      return more_of_request();
    case ProxyRequestReader::Step::body:
      return true;
    case ProxyRequestReader::Step::end:
      asked_ = true;
      return true;
    case ProxyRequestReader::Step::forward:
      locate();
      return false;
    case ProxyRequestReader::Step::connect:
      reply(proxy_reply(400, "Open a connection of its own for CONNECT"));
      return false;
    case ProxyRequestReader::Step::answer:
      break;
  }
  if (response_ && response_->answered()) {
    cut("malformed request");
  } else {
    end_exchange("malformed request");
    reply(proxy_reply(request_->answer().status, request_->answer().line));
  }
  return false;
}

bool HttpForward::more_of_request() {
  switch (read(client_)) {
    case Got::bytes:
      // A head that has begun to come has its own time.
      if (state_ == State::reading && !request_->started()) set_timer(kHead);
      return true;
    case Got::nothing:
      return false;
    case Got::end:
    case Got::broken:
      break;
  }
  end_exchange("the client has closed");
  close(state_ != State::reading);
  return false;
}

bool HttpForward::down() {
  if (!client_.out.empty()) return false;
  std::string_view bytes = server_.in;
  ProxyResponseReader::Step step = response_->next(bytes);
  if (has_piece(step)) client_.out = response_->piece();
  server_.in.erase(0, server_.in.size() - bytes.size());
  if (step == ProxyResponseReader::Step::more) {
    switch (read(server_)) {
      case Got::bytes:
        return true;
      case Got::nothing:
        return false;
      case Got::end:
        step = response_->closed();
        if (has_piece(step)) client_.out = response_->piece();
        break;
      case Got::broken:
        step = ProxyResponseReader::Step::failed;
        break;
    }
  }
  switch (step) {
    case ProxyResponseReader::Step::more:
    case ProxyResponseReader::Step::interim:
    case ProxyResponseReader::Step::head:
    case ProxyResponseReader::Step::body:
      return true;
    case ProxyResponseReader::Step::end:
      answered();
      return state_ == State::reading;
    case ProxyResponseReader::Step::tunnel:
      change_protocol();
      return false;
    case ProxyResponseReader::Step::failed:
      break;
  }
  if (response_->answered()) {
    cut("malformed answer");
  } else {
    end_exchange("malformed answer");
    const std::string_view line = response_->answer().line;
    reply(proxy_reply(502, line.empty() ? "The server has reset the connection" : line,
                      request_->request().method == "HEAD"));
  }
  return false;
}

void HttpForward::answered() {
  const bool stays = response_->client_stays() && asked_;
  end_exchange("closed");
  close_side(server_, !asked_);
  if (!stays) {
    reply({});
    return;
  }
  request_->next_request();
  response_.reset();
  state_ = State::reading;
  set_timer(kNextRequest);
}

void HttpForward::change_protocol() {
  state_ = State::tunnel;
  relay_.attach(client_.fd.get(), server_.fd.get());
  relay_.preload(Relay::upstream, server_.in);
  relay_.preload(Relay::client, client_.in);
  set_deadline();
  pump();
}

void HttpForward::reply(std::string bytes) {
  if (state_ == State::done || state_ == State::leaving) return;
  close_side(server_, true);
  client_.out += bytes;
  state_ = State::leaving;
  set_timer(kLinger);
  drain();
}

// Writes the last words, then says that there is no more, and waits for the client to close.
void HttpForward::drain() {
  while (flush(client_)) {
  }
  if (state_ != State::leaving || !client_.out.empty()) return;
  shutdown(client_.fd.get(), SHUT_WR);
  while (true) {
    client_.in.clear();
    client_.readable = true;
    switch (read(client_)) {
      case Got::bytes:
        continue;
      case Got::nothing:
        return;
      case Got::end:
      case Got::broken:
        close(false);
        return;
    }
  }
}

void HttpForward::set_timer(Millis after) { host_.wheel().set(timer_, BootClock::now() + after); }

void HttpForward::set_deadline() {
  if (const BootTime due = lease_->due(); due == BootTime::max()) {
    timer_.unlink();
  } else {
    host_.wheel().set(timer_, due);
  }
}

void HttpForward::on_timer() {
  switch (state_) {
    case State::locating:
      reply(unreachable_reply(true, false));
      break;
    case State::connecting:
      end_exchange("upstream: no answer");
      reply(unreachable_reply(true, request_->request().method == "HEAD"));
      break;
    case State::holding:
      on_hold({});
      break;
    case State::exchanging:
    case State::tunnel:
      end_if(lease_->at_due());
      break;
    case State::reading:
    case State::leaving:
      close(false);
      break;
    case State::done:
      break;
  }
}

void HttpForward::rejudge() {
  if (begun_) end_if(lease_->rejudge());
}
void HttpForward::on_neighbour(const IpAddress& address, const Mac& mac) {
  if (begun_) end_if(lease_->on_neighbour(address, mac));
}
void HttpForward::recheck_neighbour() {
  if (begun_) end_if(lease_->recheck_neighbour());
}

void HttpForward::end_if(const Lease::Cause& cause) {
  if (cause) {
    cut(*cause);
  } else if (state_ == State::exchanging || state_ == State::tunnel) {
    set_deadline();
  }
}

void HttpForward::cut(std::string_view cause) {
  end_exchange(cause);
  close(true);
}

void HttpForward::end_exchange(std::string_view cause) {
  if (std::exchange(begun_, false)) lease_->end(cause);
}

void HttpForward::close_side(Side& side, bool reset) {
  if (!side.fd.valid()) return;
  host_.unwatch(side.fd.get());
  if (reset) reset_on_close(side.fd.get());
  side.fd.reset();
}

void HttpForward::close(bool reset) {
  if (state_ == State::done) return;
  state_ = State::done;
  timer_.unlink();
  close_side(client_, reset);
  close_side(server_, reset);
  host_.finished(*this);
}

}  // namespace nightlatch
