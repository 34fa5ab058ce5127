// Requests in absolute form: their judgement, their connections and their end. How the bytes move is in
// http_forward_stream.cc.
#include "proxy/http_forward.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "policy/host_address.h"
#include "policy/host_name.h"
#include "proxy/first_bytes.h"
#include "proxy/http_client.h"
#include "proxy/http_proxy_reply.h"
#include "proxy/http_target.h"

namespace nightlatch {

namespace {
constexpr Millis kConnectTimeout{10'000};
constexpr Millis kHoldWait{3'000};
constexpr Millis kLinger{3'000};
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
  if (!check_proxy_credential(host_, accepted_, request_->request())) {
    state_ = State::slowed;
    const Millis wait = host_.delay_of_wrong(accepted_.source.address);
    if (wait == Millis(0)) return on_timer();
    set_timer(wait);
    return;
  }
  const std::string& host = request_->request().host;
  accepted_.asked_name = {};
  if (const auto address = address_in(host)) {
    judge(*address);
    return;
  }
  const auto name = WireName::read(host);
  if (!name) {
    reply(proxy_reply(400, "That is not a host name"));
    return;
  }
  accepted_.asked_name = *name;
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
  lease_->present(accepted_.credential);
  if (!accepted_.asked_name.text().empty()) lease_->name(accepted_.asked_name, NamedBy::asked);
  if (lease_->judge(wall_now())) {
    connect(destination);
    return;
  }
  ++host_.counters().refused;
  lease_->audit_refusal();
  const Ruling& ruling = lease_->ruling();
  const bool signing_in_helps = ruling.readable && !ruling.direct && ruling.kind != VerdictKind::deny;
  if (!signing_in_helps || ruling.resource == ResourceId::none) {
    reply(refusal_reply(request_->request(), ruling, {}));
    return;
  }
  ++host_.counters().held;
  state_ = State::holding;
  set_timer(kHoldWait);
  const ProxyRequest& asked = request_->request();
  const std::string back =
      asked.method == "GET" ? link_to(to_text(Authority{asked.host, asked.port}, 80), asked.target) : "";
  host_.ask_hold(id(), {lease_->source().text(), ruling.resource, back, lease_->event("hold"), nullptr});
}

void HttpForward::on_hold(const std::string& code) {
  if (state_ != State::holding) return;
  const std::string url =
      code.empty() ? host_.judge().portal_url() : host_.judge().portal_url() + "/k/" + code;
  reply(refusal_reply(request_->request(), lease_->ruling(), url));
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

void HttpForward::reply(std::string_view bytes) {
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
    case State::slowed:
      reply(proxy_reply(407, kWrongCredential));
      break;
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
