// Sign-ins, presence, hand-over, holds and the store's clock, on a real store.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class SessionsTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    alice_ = *add_user(db(), "alice", std::nullopt, {});
    bob_ = *add_user(db(), "bob", std::nullopt, {});
    NewDevice d;
    d.mac = Mac::parse("02:00:00:00:00:01");
    pc_ = *add_device(db(), d);
  }
  Result<SignInResult> sign_in(UserId user, WallTime at, bool factor = false) {
    return record_sign_in(
        db(), {user, pc_, at, "pwd", factor ? std::optional(at) : std::nullopt, "local", "10.0.0.9"}, at);
  }
  UserId alice_{}, bob_{};
  DeviceId pc_{};
  const WallTime t0_ = wall_now();
};

TEST_F(SessionsTest, ASignInCountsUntilItIsEnded) {
  EXPECT_FALSE(presence_on(db(), pc_)->has_value());
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  const auto p = presence_on(db(), pc_);
  ASSERT_TRUE(p->has_value());
  EXPECT_EQ((*p)->user, alice_);
  EXPECT_EQ((*p)->signed_in, t0_);
  EXPECT_EQ(*end_sessions(db(), alice_, std::nullopt, t0_), 1);
  EXPECT_FALSE(presence_on(db(), pc_)->has_value());
}

TEST_F(SessionsTest, EachMethodKeepsItsOwnAge) {
  ASSERT_TRUE(sign_in(alice_, t0_, true).ok());
  ASSERT_TRUE(sign_in(alice_, t0_ + Seconds(60), false).ok());
  const auto p = **presence_on(db(), pc_);
  EXPECT_EQ(p.signed_in, t0_ + Seconds(60));
  EXPECT_EQ(p.second_factor, t0_) << "a plain sign-in does not renew the second factor";
}

TEST_F(SessionsTest, PresenceNamesTheSignInThatItsAgeIsOf) {
  const auto later = sign_in(alice_, t0_);
  ASSERT_TRUE(later.ok());
  const auto earlier = record_sign_in(
      db(), {alice_, pc_, t0_ - Seconds(3600), "oidc", std::nullopt, "corp", "10.0.0.9"}, t0_ + Seconds(1));
  ASSERT_TRUE(earlier.ok());
  const auto p = **presence_on(db(), pc_);
  EXPECT_EQ(p.signed_in, t0_);
  EXPECT_EQ(p.sign_in_id, later->id) << "not that of the one that is older and came in later";
  EXPECT_NE(earlier->id, later->id);
}

TEST_F(SessionsTest, ASecondFactorAloneRenewsOnlyItself) {
  const auto show = [&](UserId user, WallTime at) {
    return record_second_factor(db(), {user, pc_, at, "otp", at, "local", "x"}, at);
  };
  EXPECT_FALSE(*show(alice_, t0_)) << "nobody is signed in";
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  EXPECT_FALSE(*show(bob_, t0_ + Seconds(30))) << "someone else is";
  EXPECT_TRUE(*show(alice_, t0_ + Seconds(60)));
  const auto p = **presence_on(db(), pc_);
  EXPECT_EQ(p.user, alice_);
  EXPECT_EQ(p.signed_in, t0_) << "the sign-in is as old as it was";
  EXPECT_EQ(p.second_factor, t0_ + Seconds(60));
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_FALSE(show(alice_, t0_ + Seconds(90)).ok()) << "disabled in the meantime";
}

TEST_F(SessionsTest, ASecondUserIsAHandOverAndInheritsNothing) {
  ASSERT_TRUE(sign_in(alice_, t0_, true).ok());
  const auto handed = sign_in(bob_, t0_ + Seconds(1));
  ASSERT_TRUE(handed.ok());
  EXPECT_EQ(handed->handed_over_from, alice_);
  EXPECT_FALSE((**presence_on(db(), pc_)).second_factor.has_value());
  const auto back = sign_in(alice_, t0_ + Seconds(2));
  EXPECT_EQ(back->handed_over_from, bob_);
  EXPECT_FALSE((**presence_on(db(), pc_)).second_factor.has_value())
      << "the first session does not come back to life";
}

TEST_F(SessionsTest, DisablingAUserAndRevokingADeviceEndsSessions) {
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_FALSE(presence_on(db(), pc_)->has_value());
  EXPECT_FALSE(sign_in(alice_, t0_).ok())
      << "a disabled user's sign-in is refused even if the password was right";
  ASSERT_TRUE(set_user_enabled(db(), "alice", true).ok());
  EXPECT_FALSE(presence_on(db(), pc_)->has_value()) << "enabling brings no session back";
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  ASSERT_TRUE(set_device_state(db(), "pc-0001", DeviceState::revoked).ok());
  EXPECT_FALSE(presence_on(db(), pc_)->has_value());
  EXPECT_FALSE(sign_in(alice_, t0_).ok());
}

TEST_F(SessionsTest, OnASharedDeviceSeveralArePresentAndTheAddressSaysNobody) {
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", true).ok());
  ASSERT_TRUE(sign_in(alice_, t0_, true).ok());
  const auto bob = sign_in(bob_, t0_ + Seconds(1));
  ASSERT_TRUE(bob.ok());
  EXPECT_FALSE(bob->handed_over_from.has_value());
  EXPECT_FALSE(presence_on(db(), pc_)->has_value()) << "the device alone says nobody";
  EXPECT_EQ((*presence_on(db(), pc_, alice_))->signed_in, t0_);
  EXPECT_EQ((*presence_on(db(), pc_, alice_))->second_factor, t0_);
  EXPECT_EQ((*presence_on(db(), pc_, bob_))->signed_in, t0_ + Seconds(1));
  EXPECT_FALSE((*presence_on(db(), pc_, bob_))->second_factor.has_value()) << "nothing of hers is his";
  EXPECT_EQ(find_device(db(), "pc-0001")->signed_in, "alice, bob");
  EXPECT_EQ(list_devices(db())->size(), 1U);
  EXPECT_EQ(*end_sessions(db(), alice_, pc_, t0_ + Seconds(2)), 1);
  EXPECT_FALSE(presence_on(db(), pc_, alice_)->has_value());
  EXPECT_TRUE(presence_on(db(), pc_, bob_)->has_value());
}

TEST_F(SessionsTest, ADeviceThatIsNoLongerSharedBelongsToNoneOfThem) {
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", true).ok());
  EXPECT_TRUE(presence_on(db(), pc_, alice_)->has_value()) << "she did sign in there";
  ASSERT_TRUE(sign_in(bob_, t0_).ok());
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", false).ok());
  EXPECT_TRUE(list_presence(db())->empty());
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  ASSERT_TRUE(set_device_shared(db(), "pc-0001", false).ok());
  EXPECT_TRUE(presence_on(db(), pc_)->has_value()) << "nothing changed: nothing ends";
}

TEST_F(SessionsTest, AClockSetBackVoidsEverySignInAndLaterOnesCount) {
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  const WallTime earlier = t0_ - Seconds(3600);
  EXPECT_TRUE(set_back(*store_clock(db()), earlier));
  ASSERT_TRUE(advance_clock(db(), earlier).ok());
  EXPECT_FALSE(presence_on(db(), pc_)->has_value());
  ASSERT_TRUE(sign_in(alice_, earlier + Seconds(1)).ok());
  EXPECT_TRUE(presence_on(db(), pc_)->has_value())
      << "the office is not locked out by a clock that was corrected";
  EXPECT_FALSE(set_back(*store_clock(db()), earlier + Seconds(2)));
}

TEST_F(SessionsTest, HistoryIsNeverRewritten) {
  ASSERT_TRUE(sign_in(alice_, t0_).ok());
  EXPECT_FALSE(db().run("UPDATE sign_in SET at_ms = at_ms + 1").ok());
}

TEST_F(SessionsTest, OneHoldForEachSourceAndResource) {
  const auto r = *add_resource(db(), "wiki", {*parse_target("10.1.0.1:443/tcp", "to")});
  const auto first = open_hold(db(), "02:00:00:00:00:01", r, "", t0_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->code.size(), 6U);
  const auto second = open_hold(db(), "02:00:00:00:00:01", r, "http://wiki/", t0_ + Seconds(1));
  EXPECT_EQ(second->code, first->code);
  EXPECT_EQ(second->flows, 2);
  EXPECT_EQ((*find_hold(db(), first->code))->url, "http://wiki/");
  EXPECT_NE(open_hold(db(), "02:00:00:00:00:02", r, "", t0_)->code, first->code);
  EXPECT_NE(open_hold(db(), "02:00:00:00:00:01", r, "", t0_ + kHoldLifetime + Seconds(2))->code, first->code);
  EXPECT_FALSE(find_hold(db(), "ZZZZZZ")->has_value());
  EXPECT_EQ(open_hold(db(), "x", r, "http://" + std::string(5000, 'a'), t0_)->url, "")
      << "a huge URL is not kept";
}

}  // namespace
}  // namespace nightlatch
