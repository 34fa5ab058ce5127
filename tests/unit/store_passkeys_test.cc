// Passkeys in the store: names, counters, and what goes with one that is removed.
#include <atomic>
#include <thread>

#include "store/factors.h"
#include "store/passkeys.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class PasskeysTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    alice_ = *add_user(db(), "alice", std::nullopt, {});
    bob_ = *add_user(db(), "bob", std::nullopt, {});
  }
  Result<std::string> add(UserId user, const std::string& name, const std::string& id,
                          std::int64_t count = 0) {
    return add_passkey(db(), {user, name, id, -7, std::string(64, 'k'), count, true, false, false}, now_);
  }
  std::int64_t id_of(const std::string& credential) { return (*find_passkey(db(), credential))->id; }
  UserId alice_{}, bob_{};
  WallTime now_ = wall_now();
};

TEST_F(PasskeysTest, ACredentialIsOneUsersAndANameIsFreeOrNumbered) {
  EXPECT_EQ(*add(alice_, "laptop", "a"), "laptop");
  EXPECT_EQ(*add(alice_, "Laptop", "b"), "Laptop 2");
  EXPECT_EQ(*add(bob_, "laptop", "c"), "laptop");
  EXPECT_EQ(add(bob_, "mine", "a").error().kind, ErrorKind::conflict);
  EXPECT_EQ((*find_passkey(db(), "a"))->user_name, "alice");
  EXPECT_FALSE(find_passkey(db(), "z")->has_value());
  EXPECT_FALSE(find_passkey(db(), "")->has_value());
  EXPECT_EQ(find_factors(db(), alice_)->passkeys, 2);
}

TEST_F(PasskeysTest, AUserHasTwentyAtMost) {
  for (std::int64_t i = 0; i < kMostPasskeys; ++i) ASSERT_TRUE(add(alice_, "key", std::to_string(i)).ok());
  EXPECT_EQ(add(alice_, "key", "more").error().kind, ErrorKind::conflict);
  EXPECT_TRUE(add(bob_, "key", "more").ok());
}

TEST_F(PasskeysTest, ACounterOnlyGrows) {
  ASSERT_TRUE(add(alice_, "key", "a", 5).ok());
  const auto use = [&](std::uint32_t count) { return *use_passkey(db(), id_of("a"), count, false, now_); };
  EXPECT_FALSE(use(5));
  EXPECT_FALSE(use(0));
  EXPECT_TRUE(use(6));
  EXPECT_TRUE(use(0xffffffffU));
  EXPECT_FALSE(use(0xffffffffU));
  EXPECT_FALSE(use(1));
  auto again = open_store(path(), Database::Access::write);
  EXPECT_EQ((*find_passkey(*again, "a"))->passkey.sign_count, 0xffffffff) << "it is on disk";
  EXPECT_FALSE(*use_passkey(db(), 999, 1, false, now_)) << "there is no such passkey";
}

TEST_F(PasskeysTest, OfFiftyWithOneCounterAtATimeOneIsLetIn) {
  ASSERT_TRUE(add(alice_, "key", "a", 5).ok());
  const std::int64_t id = id_of("a");
  std::atomic<int> good = 0;
  std::vector<std::thread> threads(50);
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      auto own = open_store(path(), Database::Access::write, Millis(20'000));
      ASSERT_TRUE(own.ok());
      const auto used = use_passkey(*own, id, 6, false, now_);
      ASSERT_TRUE(used.ok()) << used.error().message;
      if (*used) ++good;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 1);
}

TEST_F(PasskeysTest, AHandleIsMadeOnceAndSaysNothing) {
  EXPECT_FALSE(find_user_handle(db(), alice_)->has_value());
  const std::string handle = *make_user_handle(db(), alice_);
  EXPECT_EQ(handle.size(), 32U);
  EXPECT_EQ(*make_user_handle(db(), alice_), handle);
  EXPECT_NE(*make_user_handle(db(), bob_), handle);
  EXPECT_EQ(find_user_handle(db(), alice_)->value(), handle);
}

TEST_F(PasskeysTest, WithOneThatIsRemovedGoesWhatItOpened) {
  ASSERT_TRUE(add(alice_, "lost", "a").ok());
  ASSERT_TRUE(add(alice_, "other", "b").ok());
  const auto device = [&](const char* address) {
    NewDevice fresh;
    fresh.addresses = {*IpAddress::parse(address)};
    return *add_device(db(), fresh);
  };
  const DeviceId stolen = device("10.0.0.1"), own = device("10.0.0.2"), bobs = device("10.0.0.3");
  const auto sign_in = [&](UserId user, DeviceId on, const char* methods, const char* provider) {
    ASSERT_TRUE(record_sign_in(db(), {user, on, now_, methods, now_, provider, "x"}, now_).ok());
  };
  sign_in(alice_, stolen, "hwk user mfa", "local");
  sign_in(alice_, own, "pwd otp", "local");
  sign_in(bob_, bobs, "hwk user mfa", "local");
  EXPECT_EQ(remove_passkeys(db(), alice_, "no such")->passkeys, 0);
  EXPECT_TRUE(presence_on(db(), stolen)->has_value());
  const auto lost = remove_passkeys(db(), alice_, "LOST");
  EXPECT_EQ(lost->passkeys, 1);
  EXPECT_EQ(lost->sessions, 1);
  EXPECT_FALSE(presence_on(db(), stolen)->has_value());
  ASSERT_TRUE(presence_on(db(), own)->has_value());
  EXPECT_FALSE((*presence_on(db(), own))->second_factor.has_value());
  EXPECT_TRUE((*presence_on(db(), bobs))->second_factor.has_value());
  EXPECT_EQ(remove_passkeys(db(), alice_, std::nullopt)->passkeys, 1);
  EXPECT_FALSE(*any_passkey(db(), "gate.test"));
}

TEST_F(PasskeysTest, AreForOneNameOfThePortal) {
  NewPasskey made{alice_, "key", "a", -7, std::string(64, 'k'), 0, true, false, false, "gate.test"};
  ASSERT_TRUE(add_passkey(db(), made, now_).ok());
  EXPECT_TRUE(*any_passkey(db(), "gate.test"));
  EXPECT_FALSE(*any_passkey(db(), "other.test"));
  EXPECT_TRUE(usable_at(list_passkeys(db(), alice_)->front().passkey, "gate.test"));
  EXPECT_FALSE(usable_at(list_passkeys(db(), alice_)->front().passkey, "other.test"));
  made.credential_id = "b";
  made.rp_id = "";
  ASSERT_TRUE(add_passkey(db(), made, now_).ok());
  EXPECT_TRUE(*any_passkey(db(), "other.test")) << "made before that was kept";
}

}  // namespace
}  // namespace nightlatch
