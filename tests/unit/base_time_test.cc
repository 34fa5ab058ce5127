// Durations, ages and instants in text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/time.h"

namespace nightlatch {
namespace {

std::int64_t seconds(std::string_view text) {
  const auto d = parse_duration(text, "--session");
  return d ? d->count() : -1;
}

TEST(Duration, ReadsANumberWithItsUnit) {
  EXPECT_EQ(seconds("0"), 0);
  EXPECT_EQ(seconds("0s"), 0);
  EXPECT_EQ(seconds("90s"), 90);
  EXPECT_EQ(seconds("15m"), 900);
  EXPECT_EQ(seconds("8h"), 28'800);
  EXPECT_EQ(seconds("7d"), 604'800);
  EXPECT_EQ(seconds("2w"), 1'209'600);
  EXPECT_EQ(seconds("1h30m"), 5400);
  EXPECT_EQ(seconds("1d2h3m4s"), 93'784);
  EXPECT_EQ(seconds("3660d"), 316'224'000) << "ten years";
}

TEST(Duration, RefusesTheRest) {
  for (const char* text :
       {"", "8", "-1h", "1h-30m", "h", "1x", "1 h", " 1h", "1h ", "+1h", "1.5h", "30m1h", "1h1h", "3661d",
        "99999999999999999999s", "9223372036854775807w", "1h30", "00", "1H"}) {
    EXPECT_EQ(seconds(text), -1) << text;
  }
  const auto bad = parse_duration("8", "--session");
  EXPECT_EQ(bad.error().kind, ErrorKind::usage);
  EXPECT_EQ(bad.error().message, "--session: '8' is not a duration");
  EXPECT_THAT(bad.error().hint, testing::HasSubstr("8h"));
}

TEST(Duration, IsWrittenAsItIsRead) {
  EXPECT_EQ(format_duration(Seconds(0)), "0");
  EXPECT_EQ(format_duration(Seconds(28'800)), "8h");
  EXPECT_EQ(format_duration(Seconds(93'784)), "1d2h3m4s");
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    const Seconds d(random() % 316'224'000);
    ASSERT_EQ(seconds(format_duration(d)), d.count()) << format_duration(d);
  }
}

TEST(Age, HasTwoUnitsAtMost) {
  EXPECT_EQ(format_age(Millis(0)), "0 s");
  EXPECT_EQ(format_age(Millis(999)), "0 s");
  EXPECT_EQ(format_age(Millis(-5)), "0 s");
  EXPECT_EQ(format_age(Seconds(59)), "59 s");
  EXPECT_EQ(format_age(Seconds(9 * 3600)), "9 h");
  EXPECT_EQ(format_age(Seconds(9 * 3600 + 1)), "9 h");
  EXPECT_EQ(format_age(Seconds(2 * 86'400 + 3 * 3600 + 59)), "2 d 3 h");
  EXPECT_EQ(format_age(Seconds(3661)), "1 h 1 min");
}

TEST(Rfc3339, ReadsInstants) {
  EXPECT_EQ(to_ms(*parse_rfc3339("1970-01-01T00:00:00Z")), 0);
  EXPECT_EQ(to_ms(*parse_rfc3339("2026-11-23T13:08:00Z")), 1'795'439'280'000);
  EXPECT_EQ(parse_rfc3339("2026-11-23T14:08:00+01:00"), parse_rfc3339("2026-11-23T13:08:00Z"));
  EXPECT_EQ(parse_rfc3339("2026-11-23 08:08:00-05:00"), parse_rfc3339("2026-11-23T13:08:00.123z"));
  EXPECT_EQ(parse_rfc3339("2028-02-29T00:00:00Z")->time_since_epoch().count() % 86'400'000, 0);
}

TEST(Rfc3339, RefusesWhatIsNoInstant) {
  for (const char* text :
       {"", "now", "2026-11-23", "2026-11-23T13:08Z", "2026-11-23T13:08:00", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T13:60:00Z", "2026-11-23T13:08:61Z",
        "2026-11-23T13:08:00+24:00", "2026-11-23T13:08:00Zx", "1969-12-31T23:59:59Z",
        "2026-11-23T13:08:00+0100", "2026/11/23T13:08:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

TEST(Rfc3339, RoundTrips) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 5000; ++i) {
    const WallTime t = from_ms(static_cast<std::int64_t>(random() % 253'402'300'799ULL) * 1000);
    ASSERT_EQ(parse_rfc3339(format_rfc3339(t)), t) << format_rfc3339(t);
  }
}

TEST(Clocks, Run) {
  const auto boot = BootClock::now();
  EXPECT_GT(boot.time_since_epoch().count(), 0);
  EXPECT_GE(BootClock::now(), boot);
  EXPECT_GT(wall_now(), *parse_rfc3339("2024-01-01T00:00:00Z"));
  EXPECT_EQ(from_ms(to_ms(kNever)), kNever);
}

}  // namespace
}  // namespace nightlatch
