// The one place that records a sign-in: enrolment, hand-over, and nothing acknowledged that is not on disk.
#include <thread>

#include "auth/sign_in.h"
#include "store/access.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class SignInTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    alice_ = *add_user(db(), "alice", std::nullopt, {});
    bob_ = *add_user(db(), "bob", std::nullopt, {});
  }
  Result<SignInOutcome> enter(UserId id, const char* name, const SignInPlace& place) {
    AuditWriter audit(path());
    const WallTime now = wall_now();
    return sign_in(db(), audit, {id, name, now, "pwd", std::nullopt, "local"}, place, now);
  }
  std::vector<std::string> events() {
    auto audit = open_audit(path(), Database::Access::read);
    std::vector<std::string> out;
    const auto rows = read_audit(*audit, {});
    for (const AuditRow& row : *rows) out.push_back(row.event.event);
    return out;
  }
  UserId alice_{}, bob_{};
  SignInPlace here_{Mac::parse("02:00:00:00:0a:11"), *IpAddress::parse("10.0.0.7")};
};

TEST_F(SignInTest, ADeviceIsItsMacWhateverItsAddress) {
  const auto first = enter(alice_, "alice", here_);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->enrolled);
  EXPECT_EQ(first->device_name, "pc-0a11");
  SignInPlace moved = here_;
  moved.address = *IpAddress::parse("fd00::77");
  const auto second = enter(alice_, "alice", moved);
  EXPECT_FALSE(second->enrolled);
  EXPECT_EQ(second->device, first->device);
  SignInPlace taken = here_;
  taken.mac = Mac::parse("02:00:00:00:0b:0b");
  EXPECT_NE(enter(alice_, "alice", taken)->device, first->device) << "the same address with another MAC";
  SignInPlace far;
  far.address = *IpAddress::parse("192.0.2.9");
  EXPECT_EQ(enter(alice_, "alice", far)->device_name, "at-192-0-2-9");
}

TEST_F(SignInTest, EnrolClosedAndRevokedRecordNothing) {
  ASSERT_TRUE(set_setting(db(), "enrol", "closed").ok());
  EXPECT_EQ(enter(alice_, "alice", here_)->kind, SignInOutcome::Kind::not_enrolled);
  EXPECT_TRUE(list_devices(db())->empty());
  ASSERT_TRUE(set_setting(db(), "enrol", "open").ok());
  ASSERT_EQ(enter(alice_, "alice", here_)->kind, SignInOutcome::Kind::signed_in);
  ASSERT_TRUE(set_device_state(db(), "pc-0a11", DeviceState::revoked).ok());
  EXPECT_EQ(enter(alice_, "alice", here_)->kind, SignInOutcome::Kind::device_revoked);
  EXPECT_EQ(**db().integer("SELECT count(*) FROM sign_in"), 1);
  EXPECT_EQ(events(),
            (std::vector<std::string>{"sign_in.refused", "device.enrolled", "sign_in", "sign_in.refused"}));
}

TEST_F(SignInTest, OnASharedDeviceNobodyIsHandedOver) {
  ASSERT_TRUE(enter(alice_, "alice", here_).ok());
  ASSERT_TRUE(set_device_shared(db(), "pc-0a11", true).ok());
  const auto second = enter(bob_, "bob", here_);
  EXPECT_EQ(second->kind, SignInOutcome::Kind::signed_in);
  EXPECT_EQ(second->handed_over_from, "");
  EXPECT_TRUE(presence_on(db(), second->device, alice_)->has_value());
  EXPECT_TRUE(presence_on(db(), second->device, bob_)->has_value());
  EXPECT_EQ(events(), (std::vector<std::string>{"device.enrolled", "sign_in", "sign_in"}))
      << "and nobody is told to mark what is marked";
}

TEST_F(SignInTest, TwoAtOnceFromOneNewDeviceMakeOneDevice) {
  AuditWriter audit(path());
  std::vector<std::thread> both;
  both.reserve(2);
  for (int i = 0; i < 2; ++i) {
    both.emplace_back([&] {
      auto own = open_store(path(), Database::Access::write);
      const WallTime now = wall_now();
      EXPECT_TRUE(
          sign_in(*own, audit, {alice_, "alice", now, "pwd", std::nullopt, "local"}, here_, now).ok());
    });
  }
  for (std::thread& t : both) t.join();
  EXPECT_EQ(list_devices(db())->size(), 1U);
}

TEST_F(SignInTest, AHandOverSaysWho) {
  ASSERT_TRUE(enter(alice_, "alice", here_).ok());
  const auto second = enter(bob_, "bob", here_);
  EXPECT_EQ(second->handed_over_from, "alice");
  EXPECT_EQ((*presence_on(db(), second->device))->user, bob_);
  EXPECT_EQ(enter(bob_, "bob", here_)->handed_over_from, "") << "the same person again is none";
}

TEST_F(SignInTest, WithoutItsAuditRowASignInIsNotAcknowledgedAndDoesNotCount) {
  ASSERT_TRUE(enter(alice_, "alice", here_).ok());
  ASSERT_EQ(*end_sessions(db(), alice_, std::nullopt, wall_now()), 1);
  std::filesystem::remove(audit_path(path()));
  std::filesystem::create_directory(audit_path(path()));  // nothing can be opened there
  EXPECT_FALSE(enter(alice_, "alice", here_).ok());
  EXPECT_TRUE(list_presence(db())->empty());
}

TEST_F(SignInTest, AUserDisabledMeanwhileIsNotSignedIn) {
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_FALSE(enter(alice_, "alice", here_).ok());
  EXPECT_TRUE(list_presence(db())->empty());
}

}  // namespace
}  // namespace nightlatch
