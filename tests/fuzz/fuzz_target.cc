// parse_target and its neighbours: a destination is refused in one bounded line or reads back the same.
#include "base/text.h"
#include "policy/parse.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
template <typename T>
void check_refusal(const Result<T>& r) {
  const Error& e = r.error();
  check(e.kind == ErrorKind::usage, "malformed text is a usage error");
  check(e.message.starts_with("--to: "), "an error names the argument");
  check(e.message.size() < 4096 && e.hint.size() < 2048, "an error is bounded");
  check(printable(e.message) == e.message && printable(e.hint) == e.hint, "an error is printable");
  check(!e.hint.empty(), "an error says what would be right");
}

template <typename Parse>
void check_word(std::string_view text, Parse parse) {
  const auto r = parse(text, "--to");
  if (r) {
    check(to_text(*r) == text, "a word reads back");
  } else {
    check_refusal(r);
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  if (const auto t = parse_target(text, "--to", HostTargets::written)) {
    const std::string written = to_text(*t);
    const auto again = parse_target(written, "--to", HostTargets::stored);
    check(again.ok() && *again == *t, "a target reads back");
    check(to_text(*again) == written && written.size() <= (t->host ? 280 : 80),
          "a target has one short form");
    check(t->prefix == t->prefix.normalized(), "no bits beyond the prefix");
    check(t->ports.first >= 1 && t->ports.first <= t->ports.last, "ports in order");
    check(!t->prefix.address.is_multicast() && !t->prefix.address.is_loopback(), "no multicast, no loopback");
  } else {
    check_refusal(t);
  }
  check_word(text, parse_binding);
  check_word(text, parse_enrol);
  check_word(text, parse_mode);
  check_word(text, parse_device_state);
  if (const auto e = parse_expiry(text, "--to")) {
    const auto again = parse_expiry(to_text(*e), "--to");
    check(again.ok() && *again == *e, "an expiry reads back");
  } else {
    check_refusal(e);
  }
  return 0;
}
