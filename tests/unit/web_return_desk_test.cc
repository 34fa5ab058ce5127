// Who comes back from a provider: a few of one source at once, and not for ever in vain.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "web/return_desk.h"

namespace nightlatch {
namespace {

TEST(ReturnDesk, TwoOfOneSourceAtOnce) {
  std::optional<ReturnDesk> desk(std::in_place);
  auto first = desk->admit("10.0.0.9");
  const auto second = desk->admit("10.0.0.9");
  EXPECT_TRUE(first.place && second.place);
  const auto third = desk->admit("10.0.0.9");
  EXPECT_TRUE(third.decision.allowed);
  EXPECT_FALSE(third.place);
  const auto other = desk->admit("10.0.0.10");
  EXPECT_TRUE(other.place) << "another source has its own";
  first.place.reset();
  auto again = desk->admit("10.0.0.9");
  EXPECT_TRUE(again.place);
  desk.reset();  // what is under way may last longer than the site
  again.place.reset();
}

TEST(ReturnDesk, ASourceOfFailuresWaits) {
  BootTime now{Millis(1'000'000)};
  ReturnDesk desk([&] { return now; });
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(desk.admit("10.0.0.9").place) << "who signs in may do so as often as they like";
    desk.good("10.0.0.9");
  }
  const ThrottleLimits limits;
  for (int i = 0; i < limits.source_failures; ++i) EXPECT_TRUE(desk.admit("10.0.0.9").place);
  const auto refused = desk.admit("10.0.0.9");
  EXPECT_FALSE(refused.decision.allowed);
  EXPECT_FALSE(refused.place);
  EXPECT_TRUE(refused.decision.first_refusal);
  EXPECT_TRUE(desk.admit("10.0.0.10").place);
  now += limits.source_window;
  EXPECT_TRUE(desk.admit("10.0.0.9").place);
}

}  // namespace
}  // namespace nightlatch
