#include "base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace nightlatch {

namespace {
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}
}  // namespace

IpAddress IpAddress::v4(std::uint32_t value) {
  std::array<std::uint8_t, 16> b{};
  std::copy(kMapped.begin(), kMapped.end(), b.begin());
  b[12] = static_cast<std::uint8_t>(value >> 24);
  b[13] = static_cast<std::uint8_t>(value >> 16);
  b[14] = static_cast<std::uint8_t>(value >> 8);
  b[15] = static_cast<std::uint8_t>(value);
  return IpAddress(b);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  const std::string z(text);
  if (z.size() != std::strlen(z.c_str())) return std::nullopt;
  in_addr a4{};
  if (inet_pton(AF_INET, z.c_str(), &a4) == 1) return v4(ntohl(a4.s_addr));
  std::array<std::uint8_t, 16> b{};
  if (inet_pton(AF_INET6, z.c_str(), b.data()) == 1) return IpAddress(b);
  return std::nullopt;
}

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

std::uint32_t IpAddress::v4_value() const {
  return static_cast<std::uint32_t>(bytes_[12]) << 24 | static_cast<std::uint32_t>(bytes_[13]) << 16 |
         static_cast<std::uint32_t>(bytes_[14]) << 8 | bytes_[15];
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[12] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes_[12] == 169 && bytes_[13] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const {
  if (is_v4()) return bytes_[12] >= 224 && bytes_[12] < 240;
  return bytes_[0] == 0xff;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes_.data() + 12, out.data(), out.size());
  } else {
    inet_ntop(AF_INET6, bytes_.data(), out.data(), out.size());
  }
  return out.data();
}

IpAddress mask(const IpAddress& a, unsigned bits) {
  const bool four = a.is_v4();
  const unsigned keep = four ? 96 + std::min(bits, 32U) : std::min(bits, 128U);
  std::array<std::uint8_t, 16> b = a.bytes();
  for (unsigned i = 0; i < 16; ++i) {
    if (keep >= (i + 1) * 8) continue;
    const unsigned left = keep > i * 8 ? keep - i * 8 : 0;
    b[i] = static_cast<std::uint8_t>(b[i] & (0xff00U >> left));
  }
  return IpAddress::v6(b);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Prefix p{*address, static_cast<std::uint8_t>(address->is_v4() ? 32 : 128)};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (ec != std::errc{} || end != digits.data() + digits.size() || bits > p.bits || digits.size() > 3) {
      return std::nullopt;
    }
    p.bits = static_cast<std::uint8_t>(bits);
  }
  return p;
}

Prefix Prefix::normalized() const { return {mask(address, bits), bits}; }

bool Prefix::contains(const IpAddress& a) const {
  return a.is_v4() == address.is_v4() && mask(a, bits) == mask(address, bits);
}

std::string Prefix::text() const { return fmt::format("{}/{}", address.text(), bits); }

std::optional<Mac> Mac::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  const char separator = text[2];
  if (separator != ':' && separator != '-') return std::nullopt;
  Mac m;
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0 && text[i * 3 - 1] != separator) return std::nullopt;
    unsigned value = 0;
    const char* at = text.data() + i * 3;
    const auto [end, ec] = std::from_chars(at, at + 2, value, 16);
    if (ec != std::errc{} || end != at + 2) return std::nullopt;
    m.bytes[i] = static_cast<std::uint8_t>(value);
  }
  return m;
}

std::string Mac::text() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3],
                     bytes[4], bytes[5]);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find("]:");
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
  } else {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto address = IpAddress::parse(host);
  const auto number = parse_port(port);
  if (!address || !number) return std::nullopt;
  return Endpoint{*address, *number};
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return Endpoint{IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, sizeof in6);
    std::array<std::uint8_t, 16> b{};
    std::memcpy(b.data(), &in6.sin6_addr, 16);
    return Endpoint{IpAddress::v6(b), ntohs(in6.sin6_port)};
  }
  return std::nullopt;
}

unsigned Endpoint::to_sockaddr(sockaddr_storage& out, bool as_v6) const {
  std::memset(&out, 0, sizeof out);
  if (address.is_v4() && !as_v6) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address.v4_value());
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address.bytes().data(), 16);
  std::memcpy(&out, &in6, sizeof in6);
  return sizeof in6;
}

std::string Endpoint::text() const {
  return address.is_v4() ? fmt::format("{}:{}", address.text(), port)
                         : fmt::format("[{}]:{}", address.text(), port);
}

std::string PortRange::text() const {
  if (all()) return "*";
  return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

}  // namespace nightlatch

std::size_t std::hash<nightlatch::IpAddress>::operator()(const nightlatch::IpAddress& a) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, a.bytes().data(), 8);
  std::memcpy(&low, a.bytes().data() + 8, 8);
  return nightlatch::mix(high ^ nightlatch::mix(low));
}

std::size_t std::hash<nightlatch::Mac>::operator()(const nightlatch::Mac& m) const noexcept {
  std::uint64_t v = 0;
  std::memcpy(&v, m.bytes.data(), 6);
  return nightlatch::mix(v);
}
