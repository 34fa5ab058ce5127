#include "net/stream.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace nightlatch {

Result<Fd> listen_tcp(const Endpoint& at) {
  const auto failed = [&](const char* doing) {
    const int why = errno;
    return Error::failure(fmt::format("{}: {}: {}", at.text(), doing, std::strerror(why)),
                          why == EADDRINUSE ? "another program listens there; see: ss -ltnp" : "");
  };
  sockaddr_storage address{};
  const unsigned length = at.to_sockaddr(address);
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed("socket");
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return failed("SO_REUSEADDR");
  if (address.ss_family == AF_INET6) {
    if (setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return failed("IPV6_V6ONLY");
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  } else {
    setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own way
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return failed("cannot bind");
  if (listen(fd.get(), 512) != 0) return failed("cannot listen");
  return fd;
}

namespace {
struct PollBox {
  uv_poll_t handle{};
  std::function<void(int, bool, bool)> ready;
};
PollBox* box_of(uv_handle_t* handle) { return reinterpret_cast<PollBox*>(handle); }  // NOLINT: first member
}  // namespace

void SocketStream::ClosePoll::operator()(uv_handle_s* handle) const {
  uv_close(handle, [](uv_handle_t* h) { delete box_of(h); });  // NOLINT: libuv gives it back here
}

SocketStream::SocketStream(Loop& loop, Fd fd, Events events)
    : fd_(std::move(fd)), events_(std::move(events)) {
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto box = std::make_unique<PollBox>();
  if (uv_poll_init(loop.raw(), &box->handle, fd_.get()) != 0) std::abort();  // only out of memory
  box->ready = [this](int status, bool readable, bool writable) { ready(status, readable, writable); };
  poll_.reset(reinterpret_cast<uv_handle_t*>(&box.release()->handle));  // NOLINT: libuv's own way to upcast
  arm();
}

void SocketStream::arm() {
  auto* handle = &box_of(poll_.get())->handle;
  int events = 0;
  if ((reading_ && !ended_) || broken_) events |= UV_READABLE;
  if (queued() > 0 && !broken_) events |= UV_WRITABLE;
  if (events == 0 || over_) {
    uv_poll_stop(handle);
    return;
  }
  uv_poll_start(handle, events, [](uv_poll_t* h, int status, int what) {
    box_of(reinterpret_cast<uv_handle_t*>(h))  // NOLINT: libuv's own way to upcast
        ->ready(status, (what & UV_READABLE) != 0, (what & UV_WRITABLE) != 0);
  });
}

void SocketStream::ready(int status, bool readable, bool writable) {
  if (writable && status == 0) {
    flush();
    if (queued() == 0 && !broken_) events_.drained();
  }
  if ((readable || status != 0) && !over_ && (reading_ || broken_)) read_some();
  if (status != 0 || broken_) {
    if (!over_) {
      over_ = true;
      arm();
      events_.failed();
    }
    return;
  }
  arm();
}

void SocketStream::read_some() {
  // A few reads in a pass, so that one busy peer does not starve the others.
  for (int pass = 0; pass < 4 && reading_ && !ended_ && !broken_; ++pass) {
    std::array<char, 16384> buffer;  // NOLINT: filled by recv
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
      events_.data(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    } else if (n == 0) {
      ended_ = true;
      events_.ended();
    } else if (errno == EINTR) {
      continue;
    } else {
      if (errno != EAGAIN && errno != EWOULDBLOCK) broken_ = true;
      return;
    }
  }
}

void SocketStream::write(std::string_view bytes) {
  if (broken_ || finished_ || bytes.empty()) return;
  out_.append(bytes);
  flush();
  arm();
}

void SocketStream::flush() {
  while (queued() > 0) {
    const ssize_t n = send(fd_.get(), out_.data() + sent_, queued(), MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      broken_ = true;  // reported from the loop: a broken socket polls as readable
      out_.clear();
      sent_ = 0;
      return;
    }
  }
  out_.clear();
  sent_ = 0;
  if (finishing_ && !finished_) {
    finished_ = true;
    shutdown(fd_.get(), SHUT_WR);
  }
}

void SocketStream::finish() {
  finishing_ = true;
  if (!broken_) flush();
  arm();
}

void SocketStream::read(bool wanted) {
  if (reading_ == wanted) return;
  reading_ = wanted;
  arm();
}

}  // namespace nightlatch
