// What browsers have shown, on a real store: each for itself, and no longer than the session lasts.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "policy/parse.h"
#include "store/browsers.h"
#include "store/passkeys.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class BrowsersTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    alice_ = *add_user(db(), "alice", std::nullopt, {});
    bob_ = *add_user(db(), "bob", std::nullopt, {});
    NewDevice d;
    d.mac = Mac::parse("02:00:00:00:00:01");
    pc_ = *add_device(db(), d);
  }
  // Signs in with a browser of this token, which had the other one before.
  void sign_in(const std::string& token, UserId user, WallTime at, std::optional<WallTime> factor = {},
               const std::string& before = "", const char* methods = "pwd") {
    const WallTime now = t0_ + Seconds(120);
    const auto in = record_sign_in(db(), {user, pc_, at, methods, factor, "local", "10.0.0.9"}, now);
    ASSERT_TRUE(in.ok());
    ASSERT_TRUE(remember_browser(db(), token, pc_, {user, at, factor, in->id}, before, now).ok());
  }
  std::optional<Presence> shown(const std::string& token) {
    const auto browser = find_browser(db(), token);
    return browser && *browser ? (*browser)->shown : std::nullopt;
  }
  bool known(const std::string& token) { return find_browser(db(), token)->has_value(); }

  UserId alice_{}, bob_{};
  DeviceId pc_{};
  const WallTime t0_ = from_ms(to_ms(wall_now()));
  const std::string one_ = std::string(32, '1'), two_ = std::string(32, '2'), three_ = std::string(32, '3');
};

TEST_F(BrowsersTest, EachHasShownWhatWasShownInIt) {
  sign_in(one_, alice_, t0_, t0_);
  sign_in(two_, alice_, t0_ + Seconds(60));
  ASSERT_TRUE(shown(one_) && shown(two_));
  EXPECT_EQ(shown(one_)->signed_in, t0_);
  EXPECT_EQ(shown(one_)->second_factor, t0_);
  EXPECT_EQ(shown(two_)->signed_in, t0_ + Seconds(60));
  EXPECT_FALSE(shown(two_)->second_factor.has_value());
  EXPECT_EQ((**presence_on(db(), pc_)).second_factor, t0_) << "for flows there is one session";
  ASSERT_TRUE(note_factor_shown(db(), two_, t0_ + Seconds(90)).ok());
  EXPECT_EQ(shown(two_)->second_factor, t0_ + Seconds(90));
  ASSERT_TRUE(note_factor_shown(db(), two_, t0_).ok());
  EXPECT_EQ(shown(two_)->second_factor, t0_ + Seconds(90)) << "the later one";
  EXPECT_EQ(shown(one_)->second_factor, t0_);
  EXPECT_FALSE(known("")) << "no token is nobody's";
}

TEST_F(BrowsersTest, TheSameBrowserKeepsTheLaterOfEach) {
  sign_in(one_, alice_, t0_, t0_);
  sign_in(two_, alice_, t0_ + Seconds(60), std::nullopt, one_);
  EXPECT_EQ(shown(two_)->signed_in, t0_ + Seconds(60));
  EXPECT_EQ(shown(two_)->second_factor, t0_);
  // What a provider tells of an earlier sign-in makes nothing older.
  sign_in(three_, alice_, t0_ + Seconds(30), std::nullopt, two_);
  EXPECT_EQ(shown(three_)->signed_in, t0_ + Seconds(60));
  EXPECT_EQ(shown(three_)->sign_in_id, shown(two_)->sign_in_id);
}

TEST_F(BrowsersTest, NothingIsCarriedFromAnotherUserOrDevice) {
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", true).ok());
  sign_in(one_, alice_, t0_, t0_);
  sign_in(two_, bob_, t0_ + Seconds(60), std::nullopt, one_);
  EXPECT_FALSE(shown(two_)->second_factor.has_value());
  NewDevice d;
  d.mac = Mac::parse("02:00:00:00:00:02");
  const DeviceId other = *add_device(db(), d);
  const auto in =
      record_sign_in(db(), {alice_, other, t0_, "pwd", std::nullopt, "local", "x"}, t0_ + Seconds(120));
  ASSERT_TRUE(remember_browser(db(), three_, other, {alice_, t0_, std::nullopt, in->id}, one_, t0_).ok());
  EXPECT_FALSE(shown(three_)->second_factor.has_value());
}

TEST_F(BrowsersTest, ATokenEndsWithItsSession) {
  sign_in(one_, alice_, t0_);
  ASSERT_TRUE(known(one_));
  sign_in(two_, bob_, t0_ + Seconds(1));
  EXPECT_FALSE(known(one_)) << "hand-over";
  ASSERT_TRUE(end_sessions(db(), std::nullopt, pc_, t0_ + Seconds(120)).ok());
  EXPECT_FALSE(known(two_)) << "session ended";
}

TEST_F(BrowsersTest, OnASharedDeviceEachEndsWithItsOwnUsersSession) {
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", true).ok());
  sign_in(one_, alice_, t0_);
  sign_in(two_, bob_, t0_);
  ASSERT_TRUE(end_sessions(db(), alice_, std::nullopt, t0_ + Seconds(120)).ok());
  EXPECT_FALSE(known(one_));
  EXPECT_TRUE(known(two_));
}

TEST_F(BrowsersTest, AFactorIsForgottenEverywhereButWhereItIsSpared) {
  sign_in(one_, alice_, t0_, t0_);
  sign_in(two_, alice_, t0_ + Seconds(60), t0_ + Seconds(60));
  ASSERT_TRUE(forget_second_factor(db(), alice_, one_).ok());
  EXPECT_EQ(shown(one_)->second_factor, t0_);
  EXPECT_FALSE(shown(two_)->second_factor.has_value());
  EXPECT_EQ((**presence_on(db(), pc_)).second_factor, t0_) << "what the spared one has shown, and no more";
  ASSERT_TRUE(forget_second_factor(db(), alice_).ok());
  EXPECT_FALSE(shown(one_)->second_factor.has_value());
  EXPECT_FALSE((**presence_on(db(), pc_)).second_factor.has_value());
  EXPECT_EQ(shown(one_)->signed_in, t0_) << "its sign-in stays";
}

TEST_F(BrowsersTest, OneThatSignedInWithAPasskeyGoesWithItInAnyonesSession) {
  ASSERT_TRUE(
      add_passkey(db(), {alice_, "lost", "a", -7, std::string(64, 'k'), 0, true, false, false}, t0_).ok());
  sign_in(one_, alice_, t0_, t0_, "", "hwk user mfa");
  sign_in(two_, alice_, t0_ + Seconds(60));
  EXPECT_EQ(remove_passkeys(db(), alice_, "lost")->sessions, 0) << "the session has a later sign-in";
  EXPECT_FALSE(known(one_));
  EXPECT_TRUE(known(two_));
}

TEST_F(BrowsersTest, AWriterThatHadToWaitIsNoClockThatWasSetBack) {
  sign_in(one_, alice_, t0_);
  auto other = open_store(path(), Database::Access::write);
  ASSERT_TRUE(other.ok());
  auto held = Transaction::begin(*other);
  ASSERT_TRUE(held.ok());
  std::atomic<bool> asked{false};
  std::thread waiting([&] {
    auto own = open_store(path(), Database::Access::write);
    ASSERT_TRUE(own.ok());
    asked = true;
    EXPECT_TRUE(advance_clock(*own, t0_ + Seconds(120)).ok());
  });
  while (!asked) std::this_thread::yield();
  // Somebody else's clock goes on meanwhile, past the tolerance but not past what the other one waits.
  ASSERT_TRUE(move_clock(*other, t0_ + Seconds(120) + kClockTolerance + Millis(100)).ok());
  const auto until = BootClock::now() + Millis(500);
  while (BootClock::now() < until) usleep(10'000);
  ASSERT_TRUE(held->commit().ok());
  waiting.join();
  EXPECT_TRUE(known(one_));
  EXPECT_EQ(store_clock(db())->generation, 1);
}

}  // namespace
}  // namespace nightlatch
