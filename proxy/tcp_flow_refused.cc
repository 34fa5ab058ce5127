// The life of a refused flow: listen for what it speaks, get the hold's code, answer, linger, close.
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "proxy/refusal.h"
#include "proxy/tcp_flow.h"

namespace nightlatch {

namespace {
constexpr Millis kHoldWait{3000};
constexpr Millis kLinger{3000};
constexpr std::size_t kMostThrownAway = 1U << 20U;  // a client that keeps sending is cut off
}  // namespace

void TcpFlow::listen() {
  if (const Speech speech = said_.feed(std::exchange(first_, {})); speech != Speech::unknown) {
    refuse_as(speech);
    return;
  }
  while (state_ == State::listening) {
    const ssize_t n = recv(accepted_.fd.get(), host_.scratch().data(), 4096, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {  // gone, or has said all: nobody is left to answer
      if (n == 0 && said_.give_up() == Speech::http) break;
      close_refused(n < 0);
      return;
    }
    const Speech speech = said_.feed(std::string_view(host_.scratch().data(), static_cast<std::size_t>(n)));
    if (speech != Speech::unknown) break;
  }
  if (state_ == State::listening) refuse_as(said_.speech());
}

// A flow that a sign-in could let through becomes part of the hold of its device and resource. A browser that
// is denied gets a page too: the one that says so.
void TcpFlow::refuse_as(Speech speech) {
  const Ruling& ruling = lease_.ruling();
  const bool signing_in_helps = ruling.kind != VerdictKind::deny;
  const bool has_page = ruling.resource != ResourceId::none && (signing_in_helps || speech == Speech::http);
  if (has_page) {
    ++host_.counters().held;
    state_ = State::holding;
    set_timer(kHoldWait);
    host_.ask_hold(id(),
                   {lease_.source().text(), ruling.resource, said_.url(), lease_.event("hold"), nullptr});
    if (speech == Speech::http) return;
  }
  answer({});  // TLS and other protocols are not told the code: they have no place to show it
}

// The client of an explicit proxy has said all that there is to hear.
void TcpFlow::turn_away() {
  const Ruling& ruling = lease_.ruling();
  const bool signing_in_helps = ruling.readable && !ruling.direct && ruling.kind != VerdictKind::deny;
  if (signing_in_helps && ruling.resource != ResourceId::none) {
    ++host_.counters().held;
    state_ = State::holding;
    set_timer(kHoldWait);
    host_.ask_hold(id(), {lease_.source().text(), ruling.resource, {}, lease_.event("hold"), nullptr});
    if (introduction_->shows_page()) return;
  }
  answer({});
}

void TcpFlow::on_hold(const std::string& code) {
  if (state_ != State::holding) return;
  answer(code.empty() ? host_.judge().portal_url() : host_.judge().portal_url() + "/k/" + code);
}

void TcpFlow::answer(const std::string& page_url) {
  if (introduction_) {
    answer_with(introduction_->refused(lease_.ruling(), page_url));
    return;
  }
  const Refusal refusal = nightlatch::refuse(
      said_, refusal_line(lease_.ruling().kind, lease_.ruling().resource_name, page_url), page_url);
  if (refusal.reset) {
    close_refused(true);
    return;
  }
  answer_with(refusal.bytes);
}

void TcpFlow::answer_with(std::string bytes) {
  answer_ = std::move(bytes);
  state_ = State::answering;
  set_timer(kLinger);
  write_answer();
}

void TcpFlow::write_answer() {
  while (answered_ < answer_.size()) {
    const ssize_t n =
        send(accepted_.fd.get(), answer_.data() + answered_, answer_.size() - answered_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      close_refused(true);
      return;
    }
    answered_ += static_cast<std::size_t>(n);
  }
  shutdown(accepted_.fd.get(), SHUT_WR);
  state_ = State::lingering;
  set_timer(kLinger);
  linger();
}

void TcpFlow::linger() {
  while (true) {
    const ssize_t n = recv(accepted_.fd.get(), host_.scratch().data(), host_.scratch().size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) break;
    thrown_away_ += static_cast<std::size_t>(n);
    if (thrown_away_ > kMostThrownAway) break;
  }
  close_refused(false);
}

void TcpFlow::close_refused(bool reset) {
  close(accepted_.fd, reset);
  close(upstream_, true);
  give_share();
  timer_.unlink();
  if (std::exchange(counted_, false)) --host_.counters().refusing;
  state_ = State::done;
  host_.finished(*this);
}

}  // namespace nightlatch
