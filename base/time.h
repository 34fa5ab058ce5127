// Wall time, durations and how they are written. Pure but for now(); any thread.
// Ages are taken on wall time; timers run on boot time, which no one can set (semantics 11).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nightlatch {

using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using WallTime = std::chrono::sys_time<Millis>;

inline constexpr WallTime kNever = WallTime::max();

struct BootClock {  // CLOCK_BOOTTIME: monotonic, counts while the machine sleeps
  using duration = Millis;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using BootTime = BootClock::time_point;

[[nodiscard]] WallTime wall_now() noexcept;
[[nodiscard]] inline std::int64_t to_ms(WallTime t) { return t.time_since_epoch().count(); }
[[nodiscard]] inline WallTime from_ms(std::int64_t ms) { return WallTime(Millis(ms)); }

// "90s", "15m", "8h", "7d", "1h30m", "0". A bare number other than 0 is refused: it has no unit.
// Range 0 to 10 years. `what` names the argument in the error.
[[nodiscard]] Result<Seconds> parse_duration(std::string_view text, std::string_view what);
[[nodiscard]] std::string format_duration(Seconds d);  // "8h", "1h 30m", "45s": exact, as parsed
[[nodiscard]] std::string format_age(Millis d);        // for people, two units at most: "9 h", "2 d 3 h"

[[nodiscard]] std::string format_rfc3339(WallTime t);  // "2026-11-23T13:08:00Z", UTC (RFC 3339)
[[nodiscard]] std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace nightlatch
