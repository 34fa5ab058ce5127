// Weekly hours: text and back, and contains()/next_change() against a walk over every minute.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "policy/parse.h"

namespace nightlatch {
namespace {

const WallTime kMonday = *parse_rfc3339("2026-11-23T00:00:00Z");
constexpr std::int64_t kMinute = 60'000;

WallTime at(const char* text) { return *parse_rfc3339(text); }

std::string round_trip(std::string_view text) {
  const auto h = parse_hours(text, "--hours");
  return h ? to_text(*h) : "refused: " + h.error().message;
}

TEST(ParseHours, WritesBackWhatWasMeant) {
  EXPECT_EQ(round_trip("mon-fri 07:00-19:00, sat 09:00-12:00"), "mon-fri 07:00-19:00, sat 09:00-12:00");
  EXPECT_EQ(round_trip("MON  07:00-19:00"), "mon 07:00-19:00");
  EXPECT_EQ(round_trip("sun 00:00-24:00"), "sun 00:00-24:00");
  EXPECT_EQ(round_trip("mon 08:00-12:00,mon 10:00-18:00"), "mon 08:00-18:00");
  EXPECT_EQ(round_trip("mon 08:00-12:00, mon 12:00-18:00"), "mon 08:00-18:00");
}

TEST(ParseHours, RunsPastMidnightAndPastTheWeek) {
  EXPECT_EQ(round_trip("fri 22:00-06:00"), "fri 22:00-24:00, sat 00:00-06:00");
  EXPECT_EQ(round_trip("sun 22:00-06:00"), "mon 00:00-06:00, sun 22:00-24:00");
  EXPECT_EQ(round_trip("sat-mon 10:00-11:00"), "mon 10:00-11:00, sat-sun 10:00-11:00");
  EXPECT_EQ(round_trip("mon-sun 00:00-24:00"), "mon-sun 00:00-24:00");
}

TEST(ParseHours, RefusesTheRestAndSaysWhy) {
  for (const char* text :
       {"", " ", "mon", "07:00-19:00", "mon 7:00-19:00", "mon 07:00", "mon 07:00-25:00", "mon 07:60-08:00",
        "mon 24:00-06:00", "mon 07:00-07:00", "monday 07:00-19:00", "mon-frx 07:00-19:00", "mon 07:00-19:00,",
        "mon 07:00-19:00;", "mon -07:00-19:00", "mon 07:00-24:01", "mon- 07:00-08:00"}) {
    const auto h = parse_hours(text, "--hours");
    ASSERT_FALSE(h.ok()) << text << " was taken as " << to_text(*h);
    EXPECT_EQ(h.error().kind, ErrorKind::usage);
    EXPECT_THAT(h.error().message, testing::StartsWith("--hours: "));
    EXPECT_THAT(h.error().hint, testing::HasSubstr("mon-fri 07:00-19:00"));
  }
}

TEST(ParseHours, IsBoundedButReadsAllItWrites) {
  EXPECT_FALSE(parse_hours(std::string(5000, ','), "x").ok());
  const auto spans = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += fmt::format("{}tue {:02}:{:02}-{:02}:{:02}", i == 0 ? "" : ", ", i / 30, i % 30 * 2, i / 30,
                          i % 30 * 2 + 1);
    }
    return text;
  };
  const auto most = parse_hours(spans(100), "x");
  ASSERT_TRUE(most.ok());
  EXPECT_EQ(parse_hours(to_text(*most), "x")->spans, most->spans);
  EXPECT_THAT(parse_hours(spans(101), "x").error().message, testing::HasSubstr("more than 100 spans"));
}

TEST(Hours, KnowsTheWeekdayOfAnInstant) {
  const Hours h = *parse_hours("mon 00:00-00:01", "x");
  EXPECT_TRUE(h.contains(kMonday, Seconds(0)));
  EXPECT_TRUE(h.contains(kMonday + Millis(kMinute - 1), Seconds(0)));
  EXPECT_FALSE(h.contains(kMonday + Millis(kMinute), Seconds(0)));
  EXPECT_FALSE(h.contains(kMonday - Millis(1), Seconds(0)));
  EXPECT_TRUE(h.contains(kMonday - Seconds(3600), Seconds(3600)));
  EXPECT_TRUE(h.contains(from_ms(0) - std::chrono::days(3), Seconds(0))) << "before 1970 too";
}

TEST(Hours, NextChangeIsStrictlyLater) {
  const Hours h = *parse_hours("mon-fri 09:00-17:00", "x");
  EXPECT_EQ(h.next_change(at("2026-11-23T08:59:59Z"), Seconds(0)), at("2026-11-23T09:00:00Z"));
  EXPECT_EQ(h.next_change(at("2026-11-23T09:00:00Z"), Seconds(0)), at("2026-11-23T17:00:00Z"));
  EXPECT_EQ(h.next_change(at("2026-11-27T17:00:00Z"), Seconds(0)), at("2026-11-30T09:00:00Z"));
  EXPECT_EQ(h.next_change(at("2026-11-23T08:00:00Z"), Seconds(3600)), at("2026-11-23T16:00:00Z"));
}

TEST(Hours, AlwaysAndNeverDoNotChange) {
  EXPECT_EQ(parse_hours("mon-sun 00:00-24:00", "x")->next_change(kMonday, Seconds(0)), kNever);
  EXPECT_EQ(Hours{}.next_change(kMonday, Seconds(0)), kNever);
  EXPECT_FALSE(Hours{}.contains(kMonday, Seconds(0)));
  const Hours joined = *parse_hours("sun 12:00-24:00, mon 00:00-06:00", "x");
  EXPECT_EQ(joined.next_change(at("2026-11-29T13:00:00Z"), Seconds(0)), at("2026-11-30T06:00:00Z"));
}

TEST(Hours, SurviveTheEndsOfTime) {
  const Hours h = *parse_hours("mon-fri 09:00-17:00", "x");
  for (const WallTime t : {kNever, WallTime::min(), kNever - Millis(1)}) {
    for (const Seconds offset : {Seconds::max(), Seconds::min(), Seconds(0)}) {
      const bool inside = h.contains(t, offset);
      const WallTime next = h.next_change(t, offset);
      EXPECT_GE(next, t);
      EXPECT_TRUE(next == kNever || h.contains(next, offset) != inside);
    }
  }
}

// A walk over the week in minutes says what contains() and next_change() must say; and text round trips.
TEST(Hours, AgreeWithAWalkOverEveryMinute) {
  std::mt19937 random(7);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int round = 0; round < 60; ++round) {
    std::string text;
    constexpr std::array<const char*, 7> days{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    std::vector<bool> inside(10080, false);
    for (unsigned n = 1 + below(4); n > 0; --n) {
      const unsigned from = below(7), length = below(7), first = below(1440), end = below(1441);
      if (first == end || end == 0) continue;
      char clause[64];
      std::snprintf(clause, sizeof clause, "%s%s-%s %02u:%02u-%02u:%02u", text.empty() ? "" : ", ",
                    days[from], days[(from + length) % 7], first / 60, first % 60, end / 60, end % 60);
      text += clause;
      for (unsigned d = 0; d <= length; ++d) {
        const unsigned long begin = ((from + d) % 7) * 1440UL;
        for (unsigned m = first; m < (first < end ? end : 1440 + end); ++m)
          inside[(begin + m) % 10080] = true;
      }
    }
    if (text.empty()) continue;
    const auto h = parse_hours(text, "x");
    ASSERT_TRUE(h.ok()) << text << ": " << h.error().message;
    const auto again = parse_hours(to_text(*h), "x");
    ASSERT_TRUE(again.ok()) << to_text(*h);
    EXPECT_EQ(again->spans, h->spans) << text;
    unsigned next = 0;  // the minute of the next change, found by walking backwards from the end of two weeks
    for (unsigned m = 20159; m > 0; --m) {
      if (inside[m % 10080] != inside[(m - 1) % 10080]) next = m;
      if (m > 10080) continue;
      const WallTime now = kMonday + Millis((m - 1) * kMinute) + Millis(below(60'000));
      ASSERT_EQ(h->contains(now, Seconds(0)), inside[m - 1]) << text << " minute " << m - 1;
      const WallTime expected = next == 0 ? kNever : kMonday + Millis(next * kMinute);
      ASSERT_EQ(h->next_change(now, Seconds(0)), expected) << text << " minute " << m - 1;
    }
  }
}

}  // namespace
}  // namespace nightlatch
