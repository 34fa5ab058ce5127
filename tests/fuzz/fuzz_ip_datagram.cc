// A packet that was overheard, and what DnsWatch makes of it: never more than was there, and an answer only
// after its question.
#include "proxy/dns_watch.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes packet(data, size);
  const auto datagram = parse_ip_datagram(packet);
  if (!datagram) return 0;
  check(datagram->payload.size() + 28 <= size, "the payload lies in the packet");
  if (!datagram->payload.empty()) {
    check(datagram->payload.data() >= data &&
              datagram->payload.data() + datagram->payload.size() <= data + size,
          "and nowhere else");
  }
  DnsWatch watch;
  IpDatagram leaving = *datagram;
  leaving.leaving = true;
  check(!watch.take(leaving), "nobody has asked");
  check(!watch.take(*datagram), "a question is no answer");
  // The same message as its own answer: a question has no addresses, and a reply asks nothing.
  std::swap(leaving.from, leaving.to);
  check(!watch.take(leaving), "no message is both");
  return 0;
}
