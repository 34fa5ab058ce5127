// SocksAddress: where a SOCKS client wants to go, or where a datagram came from, and the field that says so:
// ATYP, address, port (RFC 1928 section 5). Pure, no allocation; a name is a view into the caller's bytes.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/address.h"

namespace nightlatch {

struct SocksAddress {
  IpAddress address;  // meaningless beside a name
  std::uint16_t port = 0;
  std::string_view
      name;  // "" when the address is it. As sent and unresolved, even if it reads like an address
  bool operator==(const SocksAddress&) const = default;
};

// A name that we pass on: 1-255 printable ASCII characters without spaces. A NUL or a line feed has fooled a
// resolver or a log before.
[[nodiscard]] bool is_socks_name(std::string_view name);

struct SocksAddressField {
  enum class Found : std::uint8_t { more, whole, unknown_type, bad_name } found = Found::more;
  SocksAddress address;  // when whole
  std::size_t size = 0;  // of the field in bytes, when whole
};
// Reads the field that `bytes` start with; what follows it is not looked at.
[[nodiscard]] SocksAddressField parse_socks_address(std::string_view bytes);

inline constexpr std::size_t kMaxSocksAddress = 1 + 1 + 255 + 2;
// Writes the field and tells its size, or 0 when it does not fit or the name is longer than 255. An
// IPv4-mapped IPv6 address is written as the IPv4 address that it is.
[[nodiscard]] std::size_t encode_socks_address(const SocksAddress& address, std::span<char> out);

}  // namespace nightlatch
