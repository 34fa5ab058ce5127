// Addresses as values: IP, MAC, prefix, port range. Pure; any thread.
// An IPv4 address and its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) are the same value here,
// so that neither can be used to slip past a rule made for the other.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace nightlatch {

class IpAddress {
 public:
  constexpr IpAddress() = default;  // :: (unspecified)
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes) { return IpAddress(bytes); }
  // Textual forms of RFC 4291 and dotted quads only: no octal, no short forms, no zone.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_unspecified() const { return *this == IpAddress() || *this == v4(0); }
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_link_local() const;
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] std::uint32_t v4_value() const;  // host order; only when is_v4()
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // network order
  [[nodiscard]] std::string text() const;  // canonical: RFC 5952, or a dotted quad

  auto operator<=>(const IpAddress&) const = default;

 private:
  explicit constexpr IpAddress(const std::array<std::uint8_t, 16>& b) : bytes_(b) {}
  std::array<std::uint8_t, 16> bytes_{};
};

struct Prefix {  // bits are counted in the address's own family: 0-32 for IPv4, 0-128 for IPv6
  IpAddress address;
  std::uint8_t bits = 0;

  // "10.1.0.0/24", "10.1.0.7" (= /32), "2001:db8::/32". Set bits beyond the length are refused (see
  // normalized).
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
  [[nodiscard]] Prefix normalized() const;  // host bits cleared
  [[nodiscard]] bool contains(const IpAddress& a) const;
  [[nodiscard]] std::string text() const;  // always with "/bits"
  auto operator<=>(const Prefix&) const = default;
};

[[nodiscard]] IpAddress mask(const IpAddress& a, unsigned bits);  // bits in the address's own family

struct Mac {
  std::array<std::uint8_t, 6> bytes{};
  // aa:bb:cc:dd:ee:ff or with dashes, either case; nothing else (so that a typo never becomes another
  // device).
  [[nodiscard]] static std::optional<Mac> parse(std::string_view text);
  [[nodiscard]] std::string text() const;  // lower case, colons
  auto operator<=>(const Mac&) const = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;  // host order

  // "10.0.0.1:443", "[2001:db8::1]:443".
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
  [[nodiscard]] static std::optional<Endpoint> from_sockaddr(const sockaddr* address);
  // Fills a sockaddr_in or, with as_v6, always a sockaddr_in6 (mapped). Returns its length.
  unsigned to_sockaddr(sockaddr_storage& out, bool as_v6 = false) const;
  [[nodiscard]] std::string text() const;
  auto operator<=>(const Endpoint&) const = default;
};

struct PortRange {
  std::uint16_t first = 1;
  std::uint16_t last = 65535;
  [[nodiscard]] bool contains(std::uint16_t p) const { return p >= first && p <= last; }
  [[nodiscard]] bool all() const { return first <= 1 && last == 65535; }
  [[nodiscard]] std::string text() const;  // "443", "8000-8010", "*"
  auto operator<=>(const PortRange&) const = default;
};

enum class Protocol : std::uint8_t { tcp, udp };
[[nodiscard]] constexpr std::string_view to_text(Protocol p) { return p == Protocol::tcp ? "tcp" : "udp"; }

[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text);  // 1-65535, digits only

}  // namespace nightlatch

template <>
struct std::hash<nightlatch::IpAddress> {
  std::size_t operator()(const nightlatch::IpAddress& a) const noexcept;
};
template <>
struct std::hash<nightlatch::Endpoint> {
  std::size_t operator()(const nightlatch::Endpoint& e) const noexcept {
    return (std::hash<nightlatch::IpAddress>{}(e.address) ^ e.port) * 0x9e3779b97f4a7c15U;
  }
};
template <>
struct std::hash<nightlatch::Mac> {
  std::size_t operator()(const nightlatch::Mac& m) const noexcept;
};
