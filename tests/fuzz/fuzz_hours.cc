// parse_hours: canonical spans that read back; contains() and next_change() agree with each other at any
// instant.
#include <cstring>

#include "base/text.h"
#include "policy/parse.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
void check_instants(const Hours& h, std::string_view text) {
  std::int64_t ms = 0;
  std::memcpy(&ms, text.data(), std::min(text.size(), sizeof ms));
  for (const std::int64_t at : {ms, ms % 4'000'000'000'000, std::int64_t{1'795'439'280'000}}) {
    for (const Seconds offset : {Seconds(0), Seconds(-43'200), Seconds(20'700)}) {
      const WallTime now = from_ms(at);
      const WallTime next = h.next_change(now, offset);
      if (next == kNever) continue;
      check(next > now, "the next change is later");
      check(h.contains(next, offset) != h.contains(now, offset), "the next change is a change");
      check(h.contains(next - Millis(1), offset) == h.contains(now, offset), "and nothing changes before it");
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  const auto h = parse_hours(text, "--hours");
  if (!h) {
    check(printable(h.error().message) == h.error().message && h.error().message.size() < 1024,
          "an error is one bounded line");
    return 0;
  }
  check(!h->spans.empty() && h->spans.size() <= 100, "some spans, and not too many");
  unsigned last_end = 0;
  for (const Hours::Span& s : h->spans) {
    check(s.first_minute < s.end_minute && s.end_minute <= 10080, "a span lies within the week");
    check(&s == h->spans.data() || s.first_minute > last_end, "spans are sorted and do not touch");
    last_end = s.end_minute;
  }
  const std::string written = to_text(*h);
  const auto again = parse_hours(written, "--hours");
  check(again.ok() && again->spans == h->spans, "hours read back");
  check(to_text(*again) == written, "hours have one form");
  check_instants(*h, text);
  return 0;
}
