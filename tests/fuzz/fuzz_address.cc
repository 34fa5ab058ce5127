// Addresses, prefixes, MACs and endpoints: what is read is written so that it reads back the same; masks
// hold.
#include "base/address.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  if (const auto a = IpAddress::parse(text)) {
    check(IpAddress::parse(a->text()) == a, "an address reads back");
    check(a->text().size() <= 39, "an address is short");
    check(printable(a->text()) == a->text(), "an address is printable");
    const unsigned most = a->is_v4() ? 32 : 128;
    for (unsigned bits = 0; bits <= most; bits += 7) {
      const Prefix p = Prefix{*a, static_cast<std::uint8_t>(bits)}.normalized();
      check(p.contains(*a), "an address lies in its own prefix");
      check(p.normalized() == p, "normalizing twice is normalizing once");
    }
  }
  if (const auto p = Prefix::parse(text)) {
    check(Prefix::parse(p->text()) == p, "a prefix reads back");
    check(p->contains(p->address), "a prefix holds its address");
  }
  if (const auto m = Mac::parse(text)) check(Mac::parse(m->text()) == m, "a MAC reads back");
  if (const auto e = Endpoint::parse(text)) {
    check(e->port != 0, "no endpoint has port 0");
    check(Endpoint::parse(e->text()) == e, "an endpoint reads back");
  }
  return 0;
}
