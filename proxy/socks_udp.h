// The header in front of each datagram that a client of UDP ASSOCIATE sends and receives (RFC 1928 section
// 7): RSV RSV FRAG, then the address field. Pure, no allocation: what is parsed are views into the datagram.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/socks_address.h"

namespace nightlatch {

struct SocksDatagram {
  enum class Kind : std::uint8_t {
    whole,      // `to` and `payload` are there
    fragment,   // FRAG is not 0: dropped, as the RFC lets those do who do not reassemble; the rest was not
                // read
    malformed,  // RSV is not 0, cut short, unknown ATYP, a bad name, port 0: dropped
  } kind = Kind::malformed;
  SocksAddress to;
  std::string_view payload;  // may be empty: UDP has empty datagrams
};
[[nodiscard]] SocksDatagram parse_socks_datagram(std::string_view datagram);

inline constexpr std::size_t kMaxSocksUdpHeader = 3 + kMaxSocksAddress;
// Writes the header of a datagram that came from `from` and tells its size, or 0 when it does not fit.
[[nodiscard]] std::size_t encode_socks_udp_header(const SocksAddress& from, std::span<char> out);

}  // namespace nightlatch
