#include "proxy/tcp_listener.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "proxy/rules.h"
#include "proxy/sockets.h"
#include "proxy/tcp_flow.h"

namespace nightlatch {

namespace {
constexpr unsigned kAcceptsPerWake = 8;
constexpr Millis kPause{100};        // without accepting, when descriptors run out
constexpr Millis kComplain{60'000};  // between two messages about the same trouble

Fd spare() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
}  // namespace

Status TcpListener::open(std::string* v6_error) {
  door4_.listener = door6_.listener = this;
  auto v4 = listen_transparent(true, kTproxyPort);
  if (!v4) return v4.error();
  door4_.fd = std::move(*v4);
  if (auto v6 = listen_transparent(false, kTproxyPort); v6) {
    door6_.fd = std::move(*v6);
  } else {
    *v6_error = v6.error().message;
  }
  reserve_ = spare();
  if (!reserve_.valid()) return Error::failure(std::strerror(errno));
  return Done{};
}

void TcpListener::listen(bool on) {
  if (on == listening_) return;
  for (Door* door : {&door4_, &door6_}) {
    if (!door->fd.valid()) continue;
    if (on) {
      host_.listen(*door, door->fd.get());
    } else {
      host_.unwatch(door->fd.get());
    }
  }
  listening_ = on;
}

void TcpListener::close() {
  listen(false);
  door4_.fd.reset();
  door6_.fd.reset();
}

void TcpListener::accept_some(int fd) {
  for (unsigned i = 0; i < kAcceptsPerWake && listening_; ++i) {
    if (!host_.room()) {
      accept_past_the_limit(fd);
      return;
    }
    Accepted accepted = accept_flow(fd);
    if (!accepted.fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        accept_past_the_limit(fd);
      return;
    }
    ++accepted_;
    host_.look_at_store();
    auto flow = std::make_unique<TcpFlow>(host_, host_.next_id(), std::move(accepted));
    TcpFlow& f = *flow;
    host_.adopt(std::move(flow));
    f.start();
  }
}

// Takes the connection that cannot be served with the descriptor kept for this, and resets it: it must not
// hang.
void TcpListener::accept_past_the_limit(int fd) {
  ++overloaded_;
  reserve_.reset();
  Accepted refused = accept_flow(fd);
  const int error = refused.fd.valid() ? 0 : errno;
  if (refused.fd.valid()) reset_on_close(refused.fd.get());
  refused.fd.reset();  // before the reserve is taken again
  reserve_ = spare();
  if (error != EAGAIN) pause();
}

void TcpListener::pause() {
  const BootTime now = BootClock::now();
  if (complained_ == BootTime{} || now - complained_ > kComplain) {
    complained_ = now;
    log_warning(
        "too many flows at a time; new ones are refused for now (see setting flows.max and the limit on open "
        "files)");
  }
  if (reserve_.valid()) return;  // the next one can be refused as quickly
  listen(false);
  resume_at_ = now + kPause;
}

void TcpListener::resume(BootTime now) {
  if (listening_ || !door4_.fd.valid() || now < resume_at_) return;
  if (!reserve_.valid()) reserve_ = spare();
  listen(true);
}

}  // namespace nightlatch
