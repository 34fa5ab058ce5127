#include <gtest/gtest.h>

#include "auth/throttle.h"

namespace nightlatch {
namespace {

class ThrottleTest : public ::testing::Test {
 protected:
  BootTime now_{Millis(1'000'000)};
  Throttle throttle_{{}, [this] { return now_; }};
  bool allowed(const char* account, const char* source) { return throttle_.attempt(account, source).allowed; }
};

TEST_F(ThrottleTest, FiveFailuresOfAnAccountFromOnePlace) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowed("alice", "pc1"));
  now_ += Seconds(60);
  const auto stopped = throttle_.attempt("Alice", "pc1");
  EXPECT_FALSE(stopped.allowed) << "in any case of letters";
  EXPECT_EQ(stopped.retry_after, Seconds(240));
  EXPECT_TRUE(stopped.first_refusal);
  EXPECT_FALSE(throttle_.attempt("alice", "pc1").first_refusal)
      << "one line in the log, however often they try";
  EXPECT_TRUE(allowed("alice", "pc2")) << "the account itself is not locked";
  EXPECT_TRUE(allowed("bob", "pc1")) << "nor is the place";
  now_ += Seconds(240);
  EXPECT_TRUE(allowed("alice", "pc1")) << "and it passes";
}

TEST_F(ThrottleTest, TwentyFailuresFromOnePlace) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(allowed(("user" + std::to_string(i)).c_str(), "pc1"));
  const auto stopped = throttle_.attempt("another", "pc1");
  EXPECT_FALSE(stopped.allowed);
  EXPECT_EQ(stopped.retry_after, Seconds(600));
  EXPECT_TRUE(allowed("another", "pc2"));
}

TEST_F(ThrottleTest, AnAccountGuessedAtFromEverywhereGetsSlowerButStaysOpen) {
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(throttle_.attempt("alice", "pc" + std::to_string(i)).delay, Millis(0));
  const auto slower = throttle_.attempt("alice", "elsewhere");
  EXPECT_TRUE(slower.allowed);
  EXPECT_EQ(slower.delay, Millis(2000));
  EXPECT_EQ(throttle_.attempt("bob", "elsewhere").delay, Millis(0));
}

// Wrong ones from elsewhere keep nobody out of where they were right before.
TEST_F(ThrottleTest, AnAccountThatStopsDoesNotStopWhereItWasGoodBefore) {
  ThrottleLimits limits;
  limits.account_failures = 50;
  limits.account_window = Seconds(3600);
  limits.account_stops = true;
  Throttle stops(limits, [this] { return now_; });
  ASSERT_TRUE(stops.attempt("alice", "home").allowed);
  stops.succeeded("alice", "home");
  ASSERT_TRUE(stops.attempt("bob", "home").allowed);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(stops.attempt("alice", "from " + std::to_string(i)).allowed) << i;
  EXPECT_FALSE(stops.attempt("alice", "from 50").allowed);
  EXPECT_FALSE(stops.attempt("ALICE", "elsewhere").allowed);
  EXPECT_TRUE(stops.attempt("alice", "home").allowed) << "she was right there";
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(stops.attempt("Alice", "home").allowed);
  EXPECT_FALSE(stops.attempt("alice", "home").allowed) << "five wrong ones stop it there as well";
  now_ += Seconds(30LL * 86400);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(stops.attempt("alice", "from " + std::to_string(i)).allowed) << i;
  EXPECT_FALSE(stops.attempt("alice", "home").allowed) << "that is long ago";
}

TEST_F(ThrottleTest, ASuccessClearsItsOwnAndNothingElse) {
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(allowed("alice", "pc1"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowed("bob", "pc1"));
  EXPECT_TRUE(allowed("alice", "pc1"));
  throttle_.succeeded("alice", "pc1");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowed("alice", "pc1"));
  EXPECT_FALSE(allowed("alice", "pc1"));
  EXPECT_FALSE(allowed("bob", "pc1")) << "signing in oneself does not buy guesses at others";
}

TEST_F(ThrottleTest, AttemptsAtTheSameTimeAllCountAndUndoneOnesDoNot) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowed("alice", "pc1"));  // none has an answer yet
  EXPECT_FALSE(allowed("alice", "pc1"));
  throttle_.undone("alice", "pc1");
  EXPECT_TRUE(allowed("alice", "pc1"));
}

TEST_F(ThrottleTest, KeepsToItsRoom) {
  Throttle small({.capacity = 30}, [this] { return now_; });
  for (int i = 0; i < 1000; ++i) {
    (void)small.attempt("name" + std::to_string(i) + std::string(10'000, 'x'), "pc" + std::to_string(i % 7));
  }
  EXPECT_LE(small.counters(), 30U);
  EXPECT_FALSE(small.attempt("fresh", "pc1").allowed)
      << "a flood of names does not flush the place's own count";
}

}  // namespace
}  // namespace nightlatch
