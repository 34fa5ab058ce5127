// Durations and instants: what is read is written so that it reads back the same, and lies within its range.
#include "base/time.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  if (const auto d = parse_duration(text, "--session")) {
    check(d->count() >= 0 && d->count() <= 3660LL * 86400, "a duration is 0 to ten years");
    const auto again = parse_duration(format_duration(*d), "--session");
    check(again.ok() && *again == *d, "a duration reads back");
    check(format_age(*d).size() <= 24, "an age is short");
  } else {
    check(d.error().kind == ErrorKind::usage && !d.error().hint.empty(),
          "a refusal says what would be right");
  }
  if (const auto t = parse_rfc3339(text)) {
    const std::string written = format_rfc3339(*t);
    // An offset can carry a time at the very edge out of the years that are read, 1970 to 9999.
    const bool readable = *t >= from_ms(0) && written.size() == 20;
    check(*t < kNever && (!readable || parse_rfc3339(written) == t), "an instant reads back");
  }
  return 0;
}
