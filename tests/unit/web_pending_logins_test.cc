// Sign-ins that are awaited back from a provider: once, here, in time; and nobody's flood loses another's.
#include <gtest/gtest.h>

#include "web/pending_logins.h"

namespace nightlatch {
namespace {

constexpr ProviderId kCorp{1};

class PendingLoginsTest : public ::testing::Test {
 protected:
  static PendingLogin login(const std::string& source = "02:00:00:00:0a:11",
                            const std::string& browser = "b1") {
    PendingLogin l;
    l.provider = kCorp;
    l.nonce = "n";
    l.verifier = "v";
    l.browser = browser;
    l.source = l.counted_as = source;
    return l;
  }
  std::string take(PendingLogins& logins, const std::string& state, ProviderId provider = kCorp,
                   const std::string& browser = "b1", const std::string& source = "02:00:00:00:0a:11") {
    PendingLogin out;
    const auto check =
        logins.take(state, provider, browser, [&](const std::string& began) { return began == source; }, out);
    if (check == PendingLogins::Check::good) {
      EXPECT_EQ(out.verifier, "v");
    }
    return std::string(to_text(check));
  }
  BootTime now{Millis(1'000'000)};
  std::function<BootTime()> clock = [this] { return now; };
};

TEST_F(PendingLoginsTest, AStateIsGoodOnceInItsBrowserOnItsDevice) {
  PendingLogins logins(clock);
  const std::string state = logins.add(login());
  EXPECT_NE(state, logins.add(login()));
  EXPECT_EQ(take(logins, ""), "missing_state");
  EXPECT_EQ(take(logins, state + "x"), "unknown_state");
  EXPECT_EQ(take(logins, state, kCorp, "b2"), "state_of_another_browser");
  EXPECT_EQ(take(logins, state, kCorp, ""), "state_of_another_browser");
  EXPECT_EQ(take(logins, state, kCorp, "b1", "02:00:00:00:0b:0b"), "state_of_another_device");
  EXPECT_EQ(take(logins, state, ProviderId{2}), "state_of_another_provider");
  EXPECT_EQ(take(logins, state), "good_state");
  EXPECT_EQ(take(logins, state), "used_state");
}

// Which addresses are one device's, the office knows: here nothing is compared as text.
TEST_F(PendingLoginsTest, ADeviceMayComeBackByItsOtherAddress) {
  PendingLogins logins(clock);
  const std::string state = logins.add(login("198.51.100.7"));
  PendingLogin out;
  const auto back = [&](const std::string& device) {
    return logins.take(
        state, kCorp, "b1",
        [&](const std::string& began) { return device == "laptop" && began == "198.51.100.7"; }, out);
  };
  EXPECT_EQ(back("another"), PendingLogins::Check::other_device);
  EXPECT_EQ(back("laptop"), PendingLogins::Check::good);
}

TEST_F(PendingLoginsTest, ABrowserWithoutACookieHasNone) {
  PendingLogins logins(clock);
  EXPECT_EQ(take(logins, logins.add(login("02:00:00:00:0a:11", "")), kCorp, ""), "state_of_another_browser");
}

TEST_F(PendingLoginsTest, TenMinutes) {
  PendingLogins logins(clock);
  const std::string early = logins.add(login());
  const std::string late = logins.add(login());
  now += kPendingLogin - Millis(1);
  EXPECT_EQ(take(logins, early), "good_state");
  now += Millis(1);
  EXPECT_EQ(take(logins, late), "stale_state");
  now += kPendingLogin;
  (void)logins.add(login());
  EXPECT_EQ(logins.size(), 1U) << "what is over is forgotten";
}

TEST_F(PendingLoginsTest, ABrowserThatFloodsLosesItsOwn) {
  PendingLogins logins(clock);
  const std::string colleague = logins.add(login("10.0.0.9", "b1"));
  const std::string first = logins.add(login("10.0.0.9", "b2"));
  std::string last;
  for (int i = 0; i < 1000; ++i) last = logins.add(login("10.0.0.9", "b2"));
  EXPECT_EQ(logins.size(), 1 + kMostOfBrowser);
  EXPECT_EQ(take(logins, colleague, kCorp, "b1", "10.0.0.9"), "good_state") << "behind the same address";
  EXPECT_EQ(take(logins, first, kCorp, "b2", "10.0.0.9"), "unknown_state");
  EXPECT_EQ(take(logins, last, kCorp, "b2", "10.0.0.9"), "good_state");
}

TEST_F(PendingLoginsTest, WhatIsOfNoMoreUseGoesFirst) {
  PendingLogins logins(clock, 100, 4);
  const std::string oldest = logins.add(login("10.0.0.9", "b1"));
  const std::string used = logins.add(login("10.0.0.9", "b2"));
  (void)logins.add(login("10.0.0.9", "b3"));
  const std::string own = logins.add(login("10.0.0.9", "b4"));
  EXPECT_EQ(take(logins, used, kCorp, "b2", "10.0.0.9"), "good_state");
  const std::string later = logins.add(login("10.0.0.9", "b4"));
  EXPECT_EQ(take(logins, used, kCorp, "b2", "10.0.0.9"), "unknown_state");
  (void)logins.add(login("10.0.0.9", "b4"));
  EXPECT_EQ(take(logins, own, kCorp, "b4", "10.0.0.9"), "unknown_state") << "then the browser's own";
  EXPECT_EQ(take(logins, oldest, kCorp, "b1", "10.0.0.9"), "good_state");
  EXPECT_EQ(take(logins, later, kCorp, "b4", "10.0.0.9"), "good_state");
  EXPECT_EQ(logins.size(), 4U);
}

TEST_F(PendingLoginsTest, ASourceThatFloodsLosesItsOwn) {
  PendingLogins logins(clock, 20, 8);
  const std::string mine = logins.add(login());
  const auto flood = [&](const std::string& source, int times) {
    std::string last;
    for (int i = 0; i < times; ++i) last = logins.add(login(source, source + std::to_string(i)));
    return last;
  };
  EXPECT_EQ(take(logins, flood("10.0.0.9", 1000), kCorp, "10.0.0.9999", "10.0.0.9"), "good_state");
  EXPECT_EQ(logins.size(), 9U);
  // However many addresses are in a network of one machine's, it counts as one.
  for (int i = 0; i < 1000; ++i) {
    PendingLogin l = login("fd00::" + std::to_string(i), "c" + std::to_string(i));
    l.counted_as = "fd00::/64";
    (void)logins.add(std::move(l));
  }
  EXPECT_EQ(logins.size(), 17U);
  // All is full: who has several gives of their own, and for one more source the largest share gives.
  flood("10.0.0.10", 1000);
  EXPECT_EQ(logins.size(), 20U);
  const std::string late = logins.add(login("02:00:00:00:0b:0b", "late"));
  EXPECT_EQ(logins.size(), 20U);
  flood("10.0.0.10", 1000);
  EXPECT_EQ(take(logins, late, kCorp, "late", "02:00:00:00:0b:0b"), "good_state");
  EXPECT_EQ(take(logins, mine), "good_state");
}

}  // namespace
}  // namespace nightlatch
