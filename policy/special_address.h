// Addresses that no flow may have as its destination unless a resource names them (semantics 13): those that
// lead back to the gate, to the next link or to many at once, however they are written. Pure; any thread; no
// allocation. Private and documentation addresses are ordinary: offices live in them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/address.h"

namespace nightlatch {

enum class AddressKind : std::uint8_t {
  ordinary,
  unspecified,   // 0.0.0.0, ::
  this_network,  // 0.0.0.0/8 (RFC 1122 section 3.2.1.3)
  loopback,      // 127.0.0.0/8, ::1
  link_local,    // 169.254.0.0/16 (RFC 3927), fe80::/10
  site_local,    // fec0::/10, withdrawn by RFC 3879
  multicast,     // 224.0.0.0/4, ff00::/8
  reserved,      // 240.0.0.0/4 (RFC 1112 section 4)
  broadcast,     // 255.255.255.255
};
[[nodiscard]] std::string_view to_text(AddressKind kind);  // "loopback", "link_local", ...

// What the address itself is; an IPv4-mapped one is the IPv4 address (base/address.h).
[[nodiscard]] AddressKind kind_of(const IpAddress& address) noexcept;

// The IPv4 addresses within an IPv6 address, to which some translator or tunnel could carry its packets:
//   v4-compatible ::/96 (RFC 4291), IPv4-translated ::ffff:0:0:0/96 (RFC 2765), 6to4 2002::/16 (RFC 3056),
//   NAT64 64:ff9b::/96 (RFC 6052) and 64:ff9b:1::/48 (RFC 8215), Teredo 2001::/32 (RFC 4380: server and
//   client), ISATAP (RFC 5214).
// More than one where the reading is open: within 64:ff9b:1::/48 an office chooses the prefix length, and
// each that RFC 6052 section 2.2 allows is read. None in an IPv4 address.
class EmbeddedIpv4 {
 public:
  [[nodiscard]] const IpAddress* begin() const noexcept { return all_.data(); }
  [[nodiscard]] const IpAddress* end() const noexcept { return all_.data() + count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  friend EmbeddedIpv4 embedded_ipv4(const IpAddress& address) noexcept;
  std::array<IpAddress, 5> all_;
  std::size_t count_ = 0;
};
[[nodiscard]] EmbeddedIpv4 embedded_ipv4(const IpAddress& address) noexcept;

// The address's own kind, or else that of the first special address within it.
[[nodiscard]] AddressKind special_kind(const IpAddress& address) noexcept;
[[nodiscard]] inline bool is_special(const IpAddress& address) noexcept {
  return special_kind(address) != AddressKind::ordinary;
}

// Whether the address, or one within it, is of a kind that only networks of one's own have: RFC 1918, RFC
// 6598 and unique local ones (RFC 4193).
[[nodiscard]] bool is_private(const IpAddress& address) noexcept;

// Whether the address, or one within it, is among `own`: the gate's own addresses.
[[nodiscard]] bool leads_to(const IpAddress& address, std::span<const IpAddress> own) noexcept;

}  // namespace nightlatch
