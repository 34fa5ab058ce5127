#include "proxy/ip_datagram.h"

#include <algorithm>

namespace nightlatch {

namespace {
constexpr std::uint64_t kUdp = 17;

std::optional<IpDatagram> parse_udp(Bytes bytes, const IpAddress& from, const IpAddress& to) {
  ByteReader udp(bytes);
  const auto source = static_cast<std::uint16_t>(udp.number(2));
  const auto destination = static_cast<std::uint16_t>(udp.number(2));
  const std::uint64_t length = udp.number(2);
  udp.number(2);  // the checksum: whoever receives it looks at that
  if (!udp.ok() || length < 8) return std::nullopt;
  const Bytes payload = udp.take(length - 8);  // a short frame is padded behind it
  if (!udp.ok()) return std::nullopt;
  return IpDatagram{{from, source}, {to, destination}, false, payload};
}

IpAddress v4(Bytes b) {
  return IpAddress::v4(static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
                       static_cast<std::uint32_t>(b[2]) << 8 | b[3]);
}
IpAddress v6(Bytes b) {
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(b.begin(), bytes.size(), bytes.begin());
  return IpAddress::v6(bytes);
}
}  // namespace

std::optional<IpDatagram> parse_ip_datagram(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  if (packet[0] >> 4 == 4) {
    const std::size_t header = (packet[0] & 0xfU) * 4UL;
    if (header < 20 || packet.size() < header || packet[9] != kUdp) return std::nullopt;
    if (((packet[6] & 0x3fU) << 8 | packet[7]) != 0) return std::nullopt;  // a fragment
    return parse_udp(packet.subspan(header), v4(packet.subspan(12, 4)), v4(packet.subspan(16, 4)));
  }
  if (packet[0] >> 4 == 6 && packet.size() >= 40 && packet[6] == kUdp)
    return parse_udp(packet.subspan(40), v6(packet.subspan(8, 16)), v6(packet.subspan(24, 16)));
  return std::nullopt;
}

}  // namespace nightlatch
