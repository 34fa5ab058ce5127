// Weekly hours: whether an instant lies within them, and when that next changes. All arithmetic is on
// milliseconds of the week, so that no instant, however far away, can overflow.
#include <cstdint>

#include "policy/model.h"

namespace nightlatch {

namespace {
constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kWeek = 7 * 24 * 60 * kMinute;
constexpr std::int64_t kEpochInWeek =
    3 * 24 * 60 * kMinute;  // 1970-01-01 was a Thursday; weeks begin on Monday

std::int64_t modulo_week(std::int64_t ms) {
  const std::int64_t m = ms % kWeek;
  return m < 0 ? m + kWeek : m;
}

std::int64_t ms_of_week(WallTime now, Seconds utc_offset) {
  const std::int64_t offset = modulo_week(utc_offset.count() % (kWeek / 1000) * 1000);
  return modulo_week(modulo_week(to_ms(now)) + offset + kEpochInWeek);
}

bool covers(const std::vector<Hours::Span>& spans, std::int64_t ms) {
  for (const Hours::Span& span : spans) {
    if (ms >= span.first_minute * kMinute && ms < span.end_minute * kMinute) return true;
  }
  return false;
}
}  // namespace

bool Hours::contains(WallTime now, Seconds utc_offset) const noexcept {
  return covers(spans, ms_of_week(now, utc_offset));
}

WallTime Hours::next_change(WallTime now, Seconds utc_offset) const noexcept {
  const std::int64_t at = ms_of_week(now, utc_offset);
  const bool inside = covers(spans, at);
  std::int64_t soonest = kWeek;
  for (const Span& span : spans) {
    for (const std::int64_t minute : {std::int64_t{span.first_minute}, std::int64_t{span.end_minute}}) {
      const std::int64_t edge = modulo_week(minute * kMinute);
      // Spans that touch, over the end of the week too, make no change where they meet.
      if (covers(spans, edge) == inside) continue;
      const std::int64_t wait = modulo_week(edge - at);
      if (wait < soonest) soonest = wait;
    }
  }
  if (soonest == kWeek || now > kNever - Millis(soonest)) return kNever;
  return now + Millis(soonest);
}

}  // namespace nightlatch
