// The header of SOCKS datagrams: what is read from one is written as the same bytes, and the payload is the
// rest.
#include <array>
#include <string>

#include "proxy/socks_udp.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Kind = SocksDatagram::Kind;
  const std::string_view datagram = fuzz::text(data, size);
  const SocksDatagram d = parse_socks_datagram(datagram);
  const bool fragment = size >= 3 && data[0] == 0 && data[1] == 0 && data[2] != 0;
  check((d.kind == Kind::fragment) == fragment, "a fragment is told by FRAG");
  if (d.kind != Kind::whole) {
    check(d.payload.empty(), "what is dropped has no payload");
    return 0;
  }
  check(d.to.port != 0, "a destination has a port");
  check(d.to.name.empty() || is_socks_name(d.to.name), "a name is one");

  std::array<char, kMaxSocksUdpHeader> out{};
  const std::string_view header(out.data(), encode_socks_udp_header(d.to, out));
  const std::string again = std::string(header) + std::string(d.payload);
  const bool mapped = data[3] == 4 && d.to.address.is_v4();  // written as the IPv4 address that it is
  check(mapped ? header.size() == 10 : again == datagram, "written as it was read");
  const SocksDatagram second = parse_socks_datagram(again);
  check(second.kind == Kind::whole && second.to == d.to && second.payload == d.payload,
        "and read as it was written");
  return 0;
}
