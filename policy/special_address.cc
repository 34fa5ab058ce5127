#include "policy/special_address.h"

#include <algorithm>

namespace nightlatch {

namespace {

using Bytes = std::array<std::uint8_t, 16>;

template <std::size_t N>
bool has_at(const Bytes& b, std::size_t at, const std::array<std::uint8_t, N>& wanted) {
  return std::equal(wanted.begin(), wanted.end(), b.begin() + static_cast<std::ptrdiff_t>(at));
}

bool zero(const Bytes& b, std::size_t first, std::size_t end) {
  return std::all_of(b.begin() + static_cast<std::ptrdiff_t>(first),
                     b.begin() + static_cast<std::ptrdiff_t>(end),
                     [](std::uint8_t byte) { return byte == 0; });
}

IpAddress ipv4_of(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return IpAddress::v4(static_cast<std::uint32_t>(a) << 24 | static_cast<std::uint32_t>(b) << 16 |
                       static_cast<std::uint32_t>(c) << 8 | d);
}

IpAddress ipv4_at(const Bytes& b, std::size_t at) { return ipv4_of(b[at], b[at + 1], b[at + 2], b[at + 3]); }

AddressKind kind_of_v4(std::uint32_t value) {
  if (value == 0) return AddressKind::unspecified;
  if (value == 0xffffffff) return AddressKind::broadcast;
  if (value >> 24 == 0) return AddressKind::this_network;
  if (value >> 24 == 127) return AddressKind::loopback;
  if (value >> 16 == 0xa9fe) return AddressKind::link_local;
  if (value >> 28 == 0xe) return AddressKind::multicast;
  if (value >> 28 == 0xf) return AddressKind::reserved;
  return AddressKind::ordinary;
}

// RFC 6052 section 2.2, figure 1: byte 8 is always zero and never part of the address; what follows it is
// zero. An address of 0.0.0.0/8 is what a wrong choice of length looks like: it counts only if every choice
// gives one.
template <typename Add>
void local_nat64(const Bytes& b, const Add& add) {
  bool any = false;
  const auto consider = [&](bool fits, const IpAddress& v4) {
    if (!fits || v4.v4_value() >> 24 == 0) return;
    any = true;
    add(v4);
  };
  const bool gap = b[8] == 0;
  consider(gap && zero(b, 11, 16), ipv4_of(b[6], b[7], b[9], b[10]));   // /48
  consider(gap && zero(b, 12, 16), ipv4_of(b[7], b[9], b[10], b[11]));  // /56
  consider(gap && zero(b, 13, 16), ipv4_at(b, 9));                      // /64
  consider(true, ipv4_at(b, 12));                                       // /96
  if (!any) add(ipv4_at(b, 12));
}

}  // namespace

std::string_view to_text(AddressKind kind) {
  constexpr std::array<std::string_view, 9> names{"ordinary",  "unspecified", "this_network",
                                                  "loopback",  "link_local",  "site_local",
                                                  "multicast", "reserved",    "broadcast"};
  return names[static_cast<std::size_t>(kind)];
}

AddressKind kind_of(const IpAddress& address) noexcept {
  if (address.is_v4()) return kind_of_v4(address.v4_value());
  const Bytes& b = address.bytes();
  if (zero(b, 0, 15) && b[15] <= 1) return b[15] == 0 ? AddressKind::unspecified : AddressKind::loopback;
  if (b[0] == 0xff) return AddressKind::multicast;
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) return AddressKind::link_local;
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0xc0) return AddressKind::site_local;
  return AddressKind::ordinary;
}

EmbeddedIpv4 embedded_ipv4(const IpAddress& address) noexcept {
  EmbeddedIpv4 found;
  if (address.is_v4()) return found;
  const auto add = [&found](const IpAddress& v4) { found.all_[found.count_++] = v4; };
  const Bytes& b = address.bytes();
  constexpr std::array<std::uint8_t, 6> nat64{0x00, 0x64, 0xff, 0x9b, 0x00, 0x00};
  constexpr std::array<std::uint8_t, 6> nat64_local{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
  constexpr std::array<std::uint8_t, 4> translated{0xff, 0xff, 0x00, 0x00};
  constexpr std::array<std::uint8_t, 4> teredo{0x20, 0x01, 0x00, 0x00};
  constexpr std::array<std::uint8_t, 3> isatap{0x00, 0x5e, 0xfe};

  if (zero(b, 0, 12) && kind_of(address) == AddressKind::ordinary) add(ipv4_at(b, 12));
  if (zero(b, 0, 8) && has_at(b, 8, translated)) add(ipv4_at(b, 12));
  if (b[0] == 0x20 && b[1] == 0x02) add(ipv4_at(b, 2));
  if (has_at(b, 0, nat64) && zero(b, 6, 12)) add(ipv4_at(b, 12));
  if (has_at(b, 0, nat64_local)) local_nat64(b, add);
  if (has_at(b, 0, teredo)) {
    add(ipv4_at(b, 4));
    add(IpAddress::v4(~ipv4_at(b, 12).v4_value()));
  }
  // The interface identifier, with or without the bit that says "globally unique".
  if ((b[8] & 0xfd) == 0 && has_at(b, 9, isatap)) add(ipv4_at(b, 12));
  return found;
}

AddressKind special_kind(const IpAddress& address) noexcept {
  AddressKind kind = kind_of(address);
  for (const IpAddress& v4 : embedded_ipv4(address)) {
    if (kind == AddressKind::ordinary) kind = kind_of(v4);
  }
  return kind;
}

bool is_private(const IpAddress& address) noexcept {
  const auto own_v4 = [](const IpAddress& a) {
    const std::uint32_t value = a.v4_value();
    return value >> 24 == 10 || value >> 20 == 0xac1 || value >> 16 == 0xc0a8 || value >> 22 == 0x191;
  };
  if (address.is_v4()) return own_v4(address);
  const EmbeddedIpv4 within = embedded_ipv4(address);
  return (address.bytes()[0] & 0xfe) == 0xfc || std::any_of(within.begin(), within.end(), own_v4);
}

bool leads_to(const IpAddress& address, std::span<const IpAddress> own) noexcept {
  const auto is_own = [own](const IpAddress& a) { return std::find(own.begin(), own.end(), a) != own.end(); };
  const EmbeddedIpv4 within = embedded_ipv4(address);
  return is_own(address) || std::any_of(within.begin(), within.end(), is_own);
}

}  // namespace nightlatch
