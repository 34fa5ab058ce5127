// A UDP datagram inside an IP packet, as a packet socket sees it (RFC 791, RFC 8200, RFC 768). Bytes in,
// endpoints and payload out; pure; any thread. No fragments, and no IPv6 extension headers: whoever overhears
// the DNS does without them.
#pragma once

#include <optional>

#include "base/address.h"
#include "proxy/byte_reader.h"

namespace nightlatch {

struct IpDatagram {
  Endpoint from, to;
  bool leaving = false;  // seen on its way out
  Bytes payload;
};
[[nodiscard]] std::optional<IpDatagram> parse_ip_datagram(Bytes packet);

}  // namespace nightlatch
