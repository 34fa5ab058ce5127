#include "proxy/sockets.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "proxy/socket_options.h"

namespace nightlatch {

namespace {

constexpr int kBacklog = 1024;

// A dead peer is noticed after about two minutes; small messages are not held back (Nagle against delayed ACK
// costs 40 ms and more).
void set_common(int fd) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

namespace {
Result<Fd> listen_at(const Endpoint& here, bool transparent) {
  const bool v4 = here.address.is_v4();
  Fd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed("listener");
  if (!v4) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (transparent && !set_transparent(fd.get(), v4)) return failed("listener: IP_TRANSPARENT");
  set_common(fd.get());
  sockaddr_storage address{};
  const socklen_t length = here.to_sockaddr(address);
  if (bind(fd.get(), as_sockaddr(address), length) != 0 || listen(fd.get(), kBacklog) != 0) {
    return Error::failure(fmt::format("listener {}: {}", here.text(), std::strerror(errno)));
  }
  return fd;
}
}  // namespace

Result<Fd> listen_transparent(bool v4, std::uint16_t port) {
  return listen_at({*IpAddress::parse(v4 ? "127.0.0.1" : "::1"), port}, true);
}

Result<Fd> listen_explicit(const Endpoint& here) { return listen_at(here, false); }

Accepted accept_flow(int listener) {
  Accepted a;
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  a.fd = Fd(accept4(listener, as_sockaddr(peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!a.fd.valid()) return a;
  if (const auto e = Endpoint::from_sockaddr(as_sockaddr(peer))) a.source = *e;
  a.destination = own_endpoint(a.fd.get());
  return a;
}

Result<Fd> connect_upstream(const Endpoint& destination, const IpAddress* source, std::uint16_t avoid_port) {
  const bool v4 = destination.address.is_v4();
  // The kernel chooses the port as it connects: the same destination can be reached from 64 000 ports for
  // each source. A second try is needed about once in 28 000 times.
  for (int attempt = 0; attempt < 4; ++attempt) {
    Fd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return failed("upstream");
    set_common(fd.get());
    if (source != nullptr) {
      if (!set_transparent(fd.get(), v4)) return failed("upstream: IP_TRANSPARENT");
      set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      sockaddr_storage from{};
      const socklen_t length = Endpoint{*source, 0}.to_sockaddr(from);
      if (bind(fd.get(), as_sockaddr(from), length) != 0) return failed("upstream: bind");
    }
    sockaddr_storage to{};
    const socklen_t length = destination.to_sockaddr(to);
    if (connect(fd.get(), as_sockaddr(to), length) != 0 && errno != EINPROGRESS) return failed("upstream");
    if (source == nullptr || own_endpoint(fd.get()).port != avoid_port) return fd;
    reset_on_close(fd.get());
  }
  return Error::failure("upstream: no source port is free");
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace nightlatch
