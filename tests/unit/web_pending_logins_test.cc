// Sign-ins that are awaited back from a provider: once, here, in time; and nobody's flood loses another's.
#include <gtest/gtest.h>

#include "web/pending_logins.h"

namespace nightlatch {
namespace {

class PendingLoginsTest : public ::testing::Test {
 protected:
  static PendingLogin login(const std::string& source = "02:00:00:00:0a:11",
                            const std::string& browser = "b1") {
    PendingLogin l;
    l.provider = "corp";
    l.nonce = "n";
    l.verifier = "v";
    l.browser = browser;
    l.source = source;
    return l;
  }
  std::string take(PendingLogins& logins, const std::string& state, const std::string& provider = "corp",
                   const std::string& browser = "b1", const std::string& source = "02:00:00:00:0a:11") {
    PendingLogin out;
    const auto check = logins.take(state, provider, browser, source, out);
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
  EXPECT_EQ(take(logins, state, "corp", "b2"), "state_of_another_browser");
  EXPECT_EQ(take(logins, state, "corp", ""), "state_of_another_browser");
  EXPECT_EQ(take(logins, state, "corp", "b1", "02:00:00:00:0b:0b"), "state_of_another_device");
  EXPECT_EQ(take(logins, state, "other"), "state_of_another_provider");
  EXPECT_EQ(take(logins, state), "good_state");
  EXPECT_EQ(take(logins, state), "used_state");
}

TEST_F(PendingLoginsTest, ABrowserWithoutACookieHasNone) {
  PendingLogins logins(clock);
  EXPECT_EQ(take(logins, logins.add(login("02:00:00:00:0a:11", "")), "corp", ""), "state_of_another_browser");
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

TEST_F(PendingLoginsTest, WhoFloodsLosesTheirOwn) {
  PendingLogins logins(clock, 100, 8);
  const std::string mine = logins.add(login());
  std::string last;
  for (int i = 0; i < 1000; ++i) last = logins.add(login("10.0.0.9"));
  EXPECT_EQ(logins.size(), 9U);
  EXPECT_EQ(take(logins, mine), "good_state");
  EXPECT_EQ(take(logins, last, "corp", "b1", "10.0.0.9"), "good_state");
  for (int i = 0; i < 1000; ++i) (void)logins.add(login("10.0.1." + std::to_string(i)));
  EXPECT_LE(logins.size(), 100U);
}

}  // namespace
}  // namespace nightlatch
