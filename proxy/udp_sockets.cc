#include "proxy/udp_sockets.h"

#include <fmt/format.h>
#include <linux/errqueue.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "proxy/socket_options.h"

namespace nightlatch {

namespace {
constexpr int kListenerBuffer =
    4 << 20;  // bytes: bursts of first datagrams while a worker does something else

Result<Fd> udp_socket(bool v4, const char* whose) {
  Fd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed(whose);
  if (!v4) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // No "don't fragment": a datagram that was too long for the path behind the gate would be lost, and its
  // sender not know.
  if (v4) {
    set_option(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  }
  return fd;
}

Status bind_to(int fd, const Endpoint& here, const char* whose) {
  sockaddr_storage address{};
  const socklen_t length = here.to_sockaddr(address);
  if (bind(fd, as_sockaddr(address), length) != 0) return failed(whose);
  return Done{};
}

Status connect_to(int fd, const Endpoint& peer, const char* whose) {
  sockaddr_storage address{};
  const socklen_t length = peer.to_sockaddr(address);
  if (connect(fd, as_sockaddr(address), length) != 0) return failed(whose);
  return Done{};
}
}  // namespace

Result<Fd> listen_udp_transparent(bool v4, std::uint16_t port) {
  auto fd = udp_socket(v4, "UDP listener");
  if (!fd) return fd;
  set_option(fd->get(), SOL_SOCKET, SO_REUSEPORT, 1);
  set_option(fd->get(), SOL_SOCKET, SO_RCVBUFFORCE, kListenerBuffer);
  if (!set_transparent(fd->get(), v4)) return failed("UDP listener: IP_TRANSPARENT");
  if (!(v4 ? set_option(fd->get(), IPPROTO_IP, IP_RECVORIGDSTADDR, 1)
           : set_option(fd->get(), IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1))) {
    return failed("UDP listener: IP_RECVORIGDSTADDR");
  }
  NL_TRY(bind_to(fd->get(), {*IpAddress::parse(v4 ? "127.0.0.1" : "::1"), port}, "UDP listener"));
  return fd;
}

Result<Fd> connect_udp_client(const Endpoint& destination, const Endpoint& client) {
  const bool v4 = destination.address.is_v4();
  auto fd = udp_socket(v4, "UDP client side");
  if (!fd) return fd;
  // Many clients talk to one destination, each with a socket that is bound to it.
  set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (!set_transparent(fd->get(), v4)) return failed("UDP client side: IP_TRANSPARENT");
  NL_TRY(bind_to(fd->get(), destination, "UDP client side"));
  NL_TRY(connect_to(fd->get(), client, "UDP client side"));
  return fd;
}

Result<Fd> connect_udp_upstream(const Endpoint& destination, const IpAddress* source,
                                std::uint16_t avoid_port) {
  const bool v4 = destination.address.is_v4();
  for (int attempt = 0; attempt < 4; ++attempt) {
    auto fd = udp_socket(v4, "upstream");
    if (!fd) return fd;
    if (!(v4 ? set_option(fd->get(), IPPROTO_IP, IP_RECVERR, 1)
             : set_option(fd->get(), IPPROTO_IPV6, IPV6_RECVERR, 1))) {
      return failed("upstream: IP_RECVERR");
    }
    if (source != nullptr) {
      if (!set_transparent(fd->get(), v4)) return failed("upstream: IP_TRANSPARENT");
      set_option(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      NL_TRY(bind_to(fd->get(), {*source, 0}, "upstream: bind"));
    }
    NL_TRY(connect_to(fd->get(), destination, "upstream"));
    if (source == nullptr || own_endpoint(fd->get()).port != avoid_port) return fd;
  }
  return Error::failure("upstream: no source port is free");
}

Result<Fd> bind_udp(const IpAddress& here) {
  auto fd = udp_socket(here.is_v4(), "UDP ASSOCIATE");
  if (!fd) return fd;
  NL_TRY(bind_to(fd->get(), {here, 0}, "UDP ASSOCIATE"));
  return fd;
}

std::optional<IcmpError> next_icmp_error(int fd) {
  while (true) {
    alignas(cmsghdr) std::array<char, 512> control{};
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0) return std::nullopt;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
      const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
      if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) continue;
      sock_extended_err e{};
      std::memcpy(&e, CMSG_DATA(c), sizeof e);
      if (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6)
        return IcmpError{e.ee_type, e.ee_code};
    }
  }
}

Datagrams::Datagrams() : room_(std::make_unique<char[]>(kBatch * kRoom)) {  // NOLINT
  for (std::size_t i = 0; i < kBatch; ++i) slots_[i].data.iov_base = room_.get() + i * kRoom;
}

std::size_t Datagrams::receive(int fd) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    slots_[i].data.iov_len = kRoom;
    msghdr& m = in_[i].msg_hdr;
    m.msg_name = &slots_[i].from;
    m.msg_namelen = sizeof slots_[i].from;
    m.msg_iov = &slots_[i].data;
    m.msg_iovlen = 1;
    m.msg_control = slots_[i].control.data();
    m.msg_controllen = kControl;
    m.msg_flags = 0;
  }
  // An error may be what the network said of an earlier datagram: said once, then gone.
  for (int attempt = 0; attempt < 8; ++attempt) {
    const int n = recvmmsg(fd, in_.data(), kBatch, 0, nullptr);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) break;
  }
  return 0;
}

std::string_view Datagrams::bytes(std::size_t i) const {
  return {static_cast<const char*>(slots_[i].data.iov_base), in_[i].msg_len};
}

std::optional<Endpoint> Datagrams::source(std::size_t i) const {
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&slots_[i].from));
}

std::optional<Endpoint> Datagrams::destination(std::size_t i) const {
  auto* m = const_cast<msghdr*>(&in_[i].msg_hdr);  // NOLINT: the macros take no const
  for (cmsghdr* c = CMSG_FIRSTHDR(m); c != nullptr; c = CMSG_NXTHDR(m, c)) {
    const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR;
    const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR;
    const std::size_t size = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(size)) continue;
    sockaddr_storage to{};
    std::memcpy(&to, CMSG_DATA(c), size);
    return Endpoint::from_sockaddr(as_sockaddr(to));
  }
  return std::nullopt;
}

bool Datagrams::send(int fd, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    slots_[i].data.iov_len = in_[i].msg_len;
    msghdr& m = out_[i].msg_hdr;
    m = {};
    m.msg_iov = &slots_[i].data;
    m.msg_iovlen = 1;
  }
  bool heard = true, again = false;
  for (std::size_t at = first; at < first + count;) {
    const int n = sendmmsg(fd, out_.data() + at, static_cast<unsigned>(first + count - at), MSG_NOSIGNAL);
    if (n > 0) {
      at += static_cast<std::size_t>(n);
      again = false;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) break;
    heard = heard && errno != ECONNREFUSED;
    // An error that the network reported earlier keeps a datagram from going once; one of its own, each time.
    if (again) ++at;
    again = !again;
  }
  return heard;
}

}  // namespace nightlatch
