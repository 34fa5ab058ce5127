#include "proxy/reception.h"

#include <sys/socket.h>

#include <cerrno>

#include "policy/host_address.h"
#include "policy/host_name.h"
#include "proxy/tcp_flow.h"

namespace nightlatch {

namespace {
constexpr Millis kHandshake{10'000};
constexpr Millis kLinger{3'000};
constexpr std::size_t kMostThrownAway = 1U << 20U;
}  // namespace

Reception::Reception(FlowHost& host, std::string id, Accepted accepted)
    : LiveFlow(std::move(id)), host_(host), accepted_(std::move(accepted)) {
  leg_.reception = timer_.reception = this;
}

Reception::~Reception() {
  if (question_ != 0) host_.resolver().cancel(question_);
}

void Reception::start() {
  host_.wheel().set(timer_, BootClock::now() + kHandshake);
  if (!host_.watch(leg_, fd())) close(true);
}

void Reception::ready() {
  if (state_ == State::open) on_readable();
  if (state_ == State::leaving) drain();
}

void Reception::on_timer() {
  if (state_ != State::slowed) {
    close(state_ == State::open);
    return;
  }
  state_ = State::open;
  farewell(last_words_);
}

void Reception::locate(std::string_view host) {
  if (const auto address = address_in(host)) {
    located(*address);
    return;
  }
  const auto name = WireName::read(host);
  if (!name) {
    located(Error::not_found("not a host name"));
    return;
  }
  question_ = host_.resolver().resolve(
      std::string(name->text()), [this, name = *name](Result<std::vector<IpAddress>> found) {
        question_ = 0;
        if (state_ != State::open) return;
        accepted_.asked_name = name;
        // One of them, chosen once: it is judged, and it is connected to.
        located(found ? Result<IpAddress>(found->front()) : Result<IpAddress>(found.error()));
      });
  if (over()) question_ = 0;  // it was answered before this
}

void Reception::proceed(const Endpoint& destination, std::unique_ptr<Introduction> introduction,
                        std::string first) {
  Accepted accepted = release();
  accepted.destination = destination;
  auto flow = std::make_unique<TcpFlow>(host_, host_.next_id(), std::move(accepted), std::move(introduction),
                                        std::move(first));
  TcpFlow& f = *flow;
  host_.look_at_store();
  host_.adopt(std::move(flow));
  f.start();
}

Accepted Reception::release() {
  host_.unwatch(fd());
  timer_.unlink();
  state_ = State::done;
  host_.finished(*this);
  return std::move(accepted_);
}

bool check_credential_of(FlowHost& host, Accepted& accepted, std::string_view name, std::string_view secret) {
  host.look_at_store();
  accepted.credential = host.judge().check_credential(name, secret, wall_now());
  if (accepted.credential && accepted.credential->good) {
    host.used(accepted.credential->token);
    return true;
  }
  accepted.credential.reset();
  const std::string source = accepted.source.address.text();
  if (host.log_refusal(source + "/credential")) {
    AuditEvent e;
    e.at = wall_now();
    e.event = "credential.refused";
    e.source = accepted.source.text();
    host.audit().write(std::move(e));
  }
  return false;
}

bool Reception::say(std::string_view bytes) {
  return bytes.empty() ||
         send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

void Reception::refuse_credential(std::string_view last_words) {
  const Millis wait = host_.delay_of_wrong(accepted_.source.address);
  if (wait == Millis(0)) return farewell(last_words);
  state_ = State::slowed;
  last_words_ = last_words;
  host_.wheel().set(timer_, BootClock::now() + wait);
}

void Reception::farewell(std::string_view last_words) {
  if (state_ != State::open) return;
  if (!say(last_words)) {
    close(true);
    return;
  }
  shutdown(fd(), SHUT_WR);
  state_ = State::leaving;
  host_.wheel().set(timer_, BootClock::now() + kLinger);
  drain();
}

void Reception::drain() {
  while (thrown_away_ <= kMostThrownAway) {
    const ssize_t n = recv(fd(), host_.scratch().data(), host_.scratch().size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) break;
    thrown_away_ += static_cast<std::size_t>(n);
  }
  close(false);
}

void Reception::cut(std::string_view /*cause*/) { close(true); }

void Reception::close(bool reset) {
  if (state_ == State::done) return;
  state_ = State::done;
  timer_.unlink();
  if (accepted_.fd.valid()) {
    host_.unwatch(fd());
    if (reset) reset_on_close(fd());
    accepted_.fd.reset();
  }
  host_.finished(*this);
}

}  // namespace nightlatch
