#include "proxy/socks_udp.h"

#include <algorithm>

namespace nightlatch {

SocksDatagram parse_socks_datagram(std::string_view datagram) {
  using Kind = SocksDatagram::Kind;
  if (datagram.size() < 3 || datagram[0] != 0 || datagram[1] != 0) return {};
  if (datagram[2] != 0) return {Kind::fragment, {}, {}};
  const SocksAddressField field = parse_socks_address(datagram.substr(3));
  if (field.found != SocksAddressField::Found::whole || field.address.port == 0) return {};
  return {Kind::whole, field.address, datagram.substr(3 + field.size)};
}

std::size_t encode_socks_udp_header(const SocksAddress& from, std::span<char> out) {
  if (out.size() < 3) return 0;
  const std::size_t size = encode_socks_address(from, out.subspan(3));
  if (size == 0) return 0;
  std::fill_n(out.begin(), 3, '\0');
  return 3 + size;
}

}  // namespace nightlatch
