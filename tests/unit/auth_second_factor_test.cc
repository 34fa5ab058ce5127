// One-time and recovery codes on a real store: each is good once, also at the same time and after a
// reopening.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "auth/otp.h"
#include "auth/second_factor.h"
#include "store/browsers.h"
#include "store/factors.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class SecondFactorTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    alice_ = *add_user(db(), "alice", std::nullopt, {});
    bob_ = *add_user(db(), "bob", std::nullopt, {});
  }
  void give_otp(UserId user) { ASSERT_TRUE(keep_otp_secret(db(), user, secret_, 0, now_).ok()); }
  CodeResult use(UserId user, const std::string& code) {
    const auto used = use_code(db(), user, code, now_);
    EXPECT_TRUE(used.ok());
    return used ? *used : CodeResult::wrong;
  }
  UserId alice_{}, bob_{};
  const std::string secret_ = make_otp_secret();
  WallTime now_ = wall_now();
};

TEST_F(SecondFactorTest, AOneTimeCodeIsGoodOnceForItsUser) {
  give_otp(alice_);
  const std::string code = *otp_code(secret_, now_);
  EXPECT_EQ(use(bob_, code), CodeResult::wrong) << "he has none";
  EXPECT_EQ(use(alice_, code), CodeResult::otp);
  EXPECT_EQ(use(alice_, code), CodeResult::used_before);
  EXPECT_EQ(use(alice_, *otp_code(secret_, now_ - Seconds(30))), CodeResult::used_before) << "an earlier one";
  now_ += Seconds(30);
  EXPECT_EQ(use(alice_, *otp_code(secret_, now_)), CodeResult::otp) << "the next one is good again";
  EXPECT_EQ(use(alice_, "000000"), CodeResult::wrong);
}

TEST_F(SecondFactorTest, AUsedCodeStaysUsedInAFileThatIsOpenedAgain) {
  give_otp(alice_);
  const std::string code = *otp_code(secret_, now_);
  EXPECT_EQ(use(alice_, code), CodeResult::otp);
  auto again = open_store(path(), Database::Access::write);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*use_code(*again, alice_, code, now_), CodeResult::used_before);
}

TEST_F(SecondFactorTest, OfFiftyAtATimeOneIsLetIn) {
  give_otp(alice_);
  const std::vector<std::string> recovery = make_recovery_codes();
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, recovery, now_).ok());
  for (const std::string& code : {*otp_code(secret_, now_), recovery[3]}) {
    std::atomic<int> good{0};
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    threads.reserve(50);
    for (int i = 0; i < 50; ++i) {
      threads.emplace_back([&] {
        auto own = open_store(path(), Database::Access::write, Millis(30'000));
        const auto used = own ? use_code(*own, alice_, code, now_) : Result<CodeResult>(own.error());
        if (!used) ++failed;
        if (used && (*used == CodeResult::otp || *used == CodeResult::recovery)) ++good;
      });
    }
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(good, 1);
    EXPECT_EQ(failed, 0);
  }
}

TEST_F(SecondFactorTest, RecoveryCodesAreTypedAsPeopleTypeAndReplaced) {
  const std::vector<std::string> codes = make_recovery_codes();
  EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()).size(), kRecoveryCodes);
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, codes, now_).ok());
  std::string typed;
  for (const char c : codes[0]) typed += c == '-' ? ' ' : c == '0' ? 'o' : c == '1' ? 'l' : c;
  EXPECT_EQ(use(bob_, codes[0]), CodeResult::wrong) << "another user's";
  EXPECT_EQ(use(alice_, typed), CodeResult::recovery);
  EXPECT_EQ(use(alice_, codes[0]), CodeResult::wrong) << "used";
  EXPECT_EQ(find_factors(db(), alice_)->recovery_codes, 9);
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, make_recovery_codes(), now_).ok());
  EXPECT_EQ(use(alice_, codes[1]), CodeResult::wrong) << "replaced";
  EXPECT_EQ(find_factors(db(), alice_)->recovery_codes, 10);
}

TEST_F(SecondFactorTest, NothingThatOpensAnythingIsInTheStore) {
  give_otp(alice_);
  const std::vector<std::string> codes = make_recovery_codes();
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, codes, now_).ok());
  ASSERT_TRUE(db().execute("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  std::ifstream file(path(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.find(secret_), std::string::npos);
  EXPECT_EQ(bytes.find(codes[0]), std::string::npos);
}

TEST_F(SecondFactorTest, ANewFactorForgetsWhereTheOldOneWasShown) {
  give_otp(alice_);
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, make_recovery_codes(), now_).ok());
  std::vector<DeviceId> pcs;
  for (const char* mac : {"02:00:00:00:00:01", "02:00:00:00:00:02"}) {
    NewDevice d;
    d.mac = Mac::parse(mac);
    pcs.push_back(*add_device(db(), d));
    const auto in = record_sign_in(db(), {alice_, pcs.back(), now_, "pwd otp", now_, "local", "x"}, now_);
    ASSERT_TRUE(in.ok());
    ASSERT_TRUE(
        remember_browser(db(), std::string("at ") + mac, pcs.back(), {alice_, now_, now_, in->id}, "", now_)
            .ok());
  }
  const std::string here = "at 02:00:00:00:00:01";
  const auto fresh = [&](DeviceId pc) { return (**presence_on(db(), pc)).second_factor.has_value(); };
  ASSERT_TRUE(keep_recovery_codes(db(), alice_, make_recovery_codes(), now_, here).ok());
  EXPECT_TRUE(fresh(pcs[0])) << "where she sits";
  EXPECT_FALSE(fresh(pcs[1]));
  EXPECT_TRUE((*find_browser(db(), here))->shown->second_factor.has_value());
  EXPECT_FALSE((*find_browser(db(), "at 02:00:00:00:00:02"))->shown->second_factor.has_value());
  give_otp(alice_);
  EXPECT_FALSE(fresh(pcs[0])) << "replaced, by an administrator";
}

TEST_F(SecondFactorTest, AFactorThatIsTakenAwayIsForgottenWhereItWasShown) {
  give_otp(alice_);
  NewDevice d;
  d.mac = Mac::parse("02:00:00:00:00:01");
  const DeviceId pc = *add_device(db(), d);
  ASSERT_TRUE(record_sign_in(db(), {alice_, pc, now_, "pwd otp", now_, "local", "x"}, now_).ok());
  EXPECT_FALSE(*remove_factor(db(), alice_, FactorKind::recovery)) << "she had none";
  EXPECT_TRUE((**presence_on(db(), pc)).second_factor.has_value());
  EXPECT_TRUE(*remove_factor(db(), alice_, FactorKind::otp));
  EXPECT_FALSE(find_factors(db(), alice_)->any());
  EXPECT_FALSE((**presence_on(db(), pc)).second_factor.has_value());
  EXPECT_EQ((**presence_on(db(), pc)).signed_in, from_ms(to_ms(now_))) << "her sign-in stays";
}

}  // namespace
}  // namespace nightlatch
