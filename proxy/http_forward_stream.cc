// The bytes of a forwarded request and of its answer: read, rewritten and written, step by step.
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "proxy/http_forward.h"
#include "proxy/http_proxy_reply.h"

namespace nightlatch {

namespace {
constexpr Millis kNextRequest{30'000};
constexpr Millis kHead{10'000};
constexpr std::size_t kReadAtOnce = 16UL * 1024;
constexpr unsigned kStepsPerTurn = 64;

bool has_piece(ProxyResponseReader::Step step) {
  return step == ProxyResponseReader::Step::interim || step == ProxyResponseReader::Step::head ||
         step == ProxyResponseReader::Step::body;
}
}  // namespace

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

}  // namespace nightlatch
