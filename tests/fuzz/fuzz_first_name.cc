// FirstName: whom a client names does not depend on how its bytes were cut, and every name is canonical.
#include <algorithm>

#include "proxy/first_name.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
void feed(FirstName& f, std::string_view bytes, std::size_t piece) {
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    const auto before = f.state();
    const auto after = f.feed(bytes.substr(i, piece));
    const bool open = before == FirstName::State::silent || before == FirstName::State::more;
    check(open || before == after, "once known it stays");
    check(after != FirstName::State::silent, "something was said");
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  FirstName whole, cut;
  feed(whole, bytes, std::max<std::size_t>(1, bytes.size()));
  feed(cut, bytes, 1);
  check(whole.state() == cut.state() && whole.names() == cut.names(), "the cut does not matter");
  check(whole.names().size() <= 2, "two names at most");
  for (const WireName& name : whole.names()) {
    const auto again = WireName::read(name.text());
    check(again && *again == name, "a name is canonical");
  }
  if (whole.state() == FirstName::State::named)
    check(!whole.names().empty(), "named means that there is a name");
  if (whole.state() == FirstName::State::none) check(whole.names().empty(), "and none that there is not");
  return 0;
}
