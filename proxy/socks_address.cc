#include "proxy/socks_address.h"

#include <algorithm>
#include <array>

namespace nightlatch {

namespace {

constexpr char kIpv4 = 1, kName = 3, kIpv6 = 4;  // ATYP: RFC 1928 section 5

IpAddress read_ip(std::string_view bytes) {
  std::array<std::uint8_t, 16> b{};
  std::transform(bytes.begin(), bytes.end(), b.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  if (bytes.size() == b.size()) return IpAddress::v6(b);
  return IpAddress::v4(std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 |
                       b[3]);
}

std::uint16_t read_port(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[0]) << 8 |
                                    static_cast<std::uint8_t>(bytes[1]));
}

}  // namespace

bool is_socks_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

SocksAddressField parse_socks_address(std::string_view bytes) {
  using Found = SocksAddressField::Found;
  if (bytes.empty()) return {};
  const char type = bytes[0];
  if (type != kIpv4 && type != kIpv6 && type != kName) return {Found::unknown_type, {}, 0};
  std::size_t at = 1;
  std::size_t length = type == kIpv4 ? 4 : 16;
  if (type == kName) {
    if (bytes.size() < 2) return {};
    at = 2;
    length = static_cast<std::uint8_t>(bytes[1]);
  }
  if (bytes.size() < at + length + 2) return {};
  const std::string_view host = bytes.substr(at, length);
  SocksAddressField field{Found::whole, {}, at + length + 2};
  field.address.port = read_port(bytes.substr(at + length));
  if (type != kName) {
    field.address.address = read_ip(host);
  } else if (is_socks_name(host)) {
    field.address.name = host;
  } else {
    return {Found::bad_name, {}, 0};
  }
  return field;
}

std::size_t encode_socks_address(const SocksAddress& address, std::span<char> out) {
  const auto& ip = address.address.bytes();
  const bool named = !address.name.empty();
  const std::size_t skip = address.address.is_v4() ? 12 : 0;
  const std::size_t length = named ? address.name.size() : ip.size() - skip;
  const std::size_t size = (named ? 2 : 1) + length + 2;
  if (length > 255 || out.size() < size) return 0;
  auto to = out.begin();
  if (named) {
    *to++ = kName;
    *to++ = static_cast<char>(length);
    to = std::copy(address.name.begin(), address.name.end(), to);
  } else {
    *to++ = skip > 0 ? kIpv4 : kIpv6;
    for (std::size_t i = skip; i < ip.size(); ++i) *to++ = static_cast<char>(ip[i]);
  }
  *to++ = static_cast<char>(address.port >> 8);
  *to = static_cast<char>(address.port & 0xff);
  return size;
}

}  // namespace nightlatch
