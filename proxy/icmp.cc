#include "proxy/icmp.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nightlatch {

namespace {

constexpr unsigned kAllPerSecond = 1000, kAllBurst = 200;
constexpr unsigned kClientPerSecond = 50, kClientBurst = 50;

void put16(std::uint8_t* at, unsigned value) {
  at[0] = static_cast<std::uint8_t>(value >> 8U);
  at[1] = static_cast<std::uint8_t>(value & 0xffU);
}

// RFC 1071.
unsigned checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += (static_cast<unsigned>(bytes[i]) << 8U) + bytes[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return ~sum & 0xffffU;
}

// The header of the datagram that the error is about, as it may have been: what its sender's stack looks at
// are addresses, protocol and ports.
std::size_t quote_v4(const Endpoint& client, const Endpoint& destination, std::uint8_t* out) {
  out[0] = 0x45;
  put16(out + 2, 20 + 8);
  out[8] = 64;  // time to live
  out[9] = IPPROTO_UDP;
  std::copy_n(client.address.bytes().data() + 12, 4, out + 12);
  std::copy_n(destination.address.bytes().data() + 12, 4, out + 16);
  put16(out + 10, checksum({out, 20}));
  return 20;
}

std::size_t quote_v6(const Endpoint& client, const Endpoint& destination, std::uint8_t* out) {
  out[0] = 0x60;
  put16(out + 4, 8);
  out[6] = IPPROTO_UDP;
  out[7] = 64;  // hop limit
  std::copy_n(client.address.bytes().data(), 16, out + 8);
  std::copy_n(destination.address.bytes().data(), 16, out + 24);
  return 40;
}

Result<Fd> raw_socket(int family, int protocol) {
  Fd fd(socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return Error::failure(std::string("raw socket: ") + std::strerror(errno));
  // It only sends: nothing is to queue here.
  if (family == AF_INET) {
    const icmp_filter none{0xffffffff};
    setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &none, sizeof none);
  } else {
    icmp6_filter none{};
    ICMP6_FILTER_SETBLOCKALL(&none);
    setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &none, sizeof none);
  }
  return fd;
}

}  // namespace

bool concerns_client(bool v4, IcmpError error) {
  if (v4) return (error.type == 3 && error.code != 4) || error.type == 11;
  return error.type == 1 || error.type == 3;
}

std::size_t encode_icmp_error(IcmpError error, const Endpoint& client, const Endpoint& destination,
                              std::span<std::uint8_t, kIcmpRoom> out) {
  const bool v4 = client.address.is_v4();
  if (v4 != destination.address.is_v4()) return 0;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  out[0] = error.type;
  out[1] = error.code;
  std::size_t size = 8;
  size += (v4 ? quote_v4 : quote_v6)(client, destination, out.data() + size);
  put16(out.data() + size, client.port);
  put16(out.data() + size + 2, destination.port);
  put16(out.data() + size + 4, 8);
  size += 8;
  if (v4) put16(out.data() + 2, checksum(out.first(size)));
  return size;
}

bool TokenBucket::take(BootTime now, unsigned per_second, unsigned burst) {
  const double since = used_ ? static_cast<double>((now - filled_).count()) : 0;
  tokens_ = used_ ? std::min<double>(burst, tokens_ + since * per_second / 1000) : burst;
  used_ = true;
  filled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

Result<IcmpSender> IcmpSender::open() {
  IcmpSender sender;
  auto v4 = raw_socket(AF_INET, IPPROTO_ICMP);
  if (!v4) return v4.error();
  sender.v4_ = std::move(*v4);
  if (auto v6 = raw_socket(AF_INET6, IPPROTO_ICMPV6); v6) sender.v6_ = std::move(*v6);
  return sender;
}

bool IcmpSender::send(IcmpError error, const Endpoint& client, const Endpoint& destination, BootTime now) {
  TokenBucket& own = by_client_[std::hash<IpAddress>{}(client.address) % by_client_.size()];
  if (!own.take(now, kClientPerSecond, kClientBurst) || !all_.take(now, kAllPerSecond, kAllBurst))
    return false;
  std::array<std::uint8_t, kIcmpRoom> message{};
  const std::size_t size = encode_icmp_error(error, client, destination, message);
  const Fd& fd = client.address.is_v4() ? v4_ : v6_;
  if (size == 0 || !fd.valid()) return false;
  sockaddr_storage to{};
  const socklen_t length = Endpoint{client.address, 0}.to_sockaddr(to);
  return sendto(fd.get(), message.data(), size, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to), length) ==
         static_cast<ssize_t>(size);
}

}  // namespace nightlatch
