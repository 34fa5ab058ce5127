// The gate's judge on a real store: credentials, shared devices, and what is seen of a change.
#include <gtest/gtest.h>

#include "policy/parse.h"
#include "proxy/judge.h"
#include "store/access.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/sessions.h"
#include "store/tokens.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class JudgeTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    for (const char* name : {"alice", "bob"}) ASSERT_TRUE(add_user(db(), name, std::nullopt, {}).ok());
    ASSERT_TRUE(add_resource(db(), "payroll", {*parse_target("10.88.0.2:5432/tcp", "to")}).ok());
    ASSERT_TRUE(add_resource(db(), "wiki", {*parse_target("10.88.0.3:443/tcp", "to")}).ok());
    for (const char* name : {"payroll", "wiki"}) {
      NewPolicy policy;
      policy.name = name;
      policy.resources = {name};
      policy.users = {"alice", "bob"};
      ASSERT_TRUE(add_policy(db(), policy).ok());
    }
    NewDevice terminal;
    terminal.name = "terminal";
    terminal.addresses = {*IpAddress::parse("192.0.2.7")};
    terminal.shared = true;
    terminal_ = *add_device(db(), terminal);
    auto opened = Judge::open(path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    judge_ = std::move(*opened);
  }
  void TearDown() override {
    judge_.reset();
    TemporaryStore::TearDown();
  }
  std::string add(const std::string& user, const std::vector<std::string>& resources = {},
                  std::optional<Seconds> lifetime = {}) {
    return add_token(db(), {user + "-t", user, resources, lifetime}, now_)->secret;
  }
  void sign_in(const char* user) {
    const auto done = record_sign_in(
        db(), {find_user(db(), user)->id, terminal_, now_, "pwd", std::nullopt, "local", "192.0.2.7"}, now_);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  // A flow from the terminal that sends this credential.
  Source from(std::string_view name, std::string_view secret) {
    judge_->refresh(now_);
    Source source = judge_->identify(*IpAddress::parse("192.0.2.7"));
    source.credential = judge_->check_credential(name, secret, now_);
    EXPECT_TRUE(source.credential.has_value());
    return source;
  }
  // "allow fresh alice"
  std::string say(const Source& source, const char* address = "10.88.0.2", std::uint16_t port = 5432) {
    judge_->refresh(now_);
    const Ruling r = judge_->judge(source, {*IpAddress::parse(address), port, Protocol::tcp}, now_);
    return std::string(to_text(r.kind)) + " " + std::string(to_text(r.reason)) +
           (r.user_name.empty() ? "" : " " + r.user_name);
  }
  DeviceId terminal_{};
  std::unique_ptr<Judge> judge_;
  WallTime now_ = wall_now();
};

TEST_F(JudgeTest, OnASharedDeviceEachCredentialHasItsOwnUsersSignIn) {
  const std::string hers = add("alice"), his = add("bob");
  Source nobody = from("alice", hers);
  nobody.credential.reset();
  const Source alice = from("ALICE", hers), bob = from("bob", his);
  EXPECT_EQ(say(nobody), "deny shared_device");
  EXPECT_EQ(say(alice), "sign_in no_sign_in alice");
  sign_in("alice");
  EXPECT_EQ(say(alice), "allow fresh alice");
  EXPECT_EQ(say(bob), "sign_in no_sign_in bob");
  sign_in("bob");
  EXPECT_EQ(say(alice), "allow fresh alice") << "no hand-over";
  EXPECT_EQ(say(bob), "allow fresh bob");
  EXPECT_EQ(say(nobody), "deny shared_device") << "and the address still says nobody";
  EXPECT_EQ(say(from("alice", his)), "deny bad_credential") << "his secret under her name";
}

TEST_F(JudgeTest, OnAnOrdinaryDeviceAnothersCredentialIsNotThePersonThere) {
  ASSERT_TRUE(set_device_shared(db(), "terminal", false).ok());
  sign_in("alice");
  const Source bob = from("bob", add("bob"));
  Source whoever = bob;
  whoever.credential.reset();
  EXPECT_EQ(say(whoever), "allow fresh alice");
  EXPECT_EQ(say(bob), "sign_in no_sign_in bob");
  sign_in("bob");
  EXPECT_EQ(say(bob), "allow fresh bob");
  EXPECT_EQ(say(whoever), "allow fresh bob") << "a hand-over";
}

TEST_F(JudgeTest, RevokingATokenOrDisablingItsUserIsSeenByALiveFlow) {
  const std::string hers = add("alice");
  add("bob");
  sign_in("alice");
  const Source alice = from("alice", hers);
  EXPECT_EQ(say(alice), "allow fresh alice");
  ASSERT_TRUE(revoke_token(db(), "bob-t", now_).ok());
  EXPECT_EQ(say(alice), "allow fresh alice");
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_EQ(say(alice), "deny bad_credential alice");
  ASSERT_TRUE(set_user_enabled(db(), "alice", true).ok());
  sign_in("alice");
  EXPECT_EQ(say(alice), "allow fresh alice");
  ASSERT_TRUE(revoke_token(db(), "alice-t", now_).ok());
  EXPECT_EQ(say(alice), "deny bad_credential alice");
  EXPECT_FALSE(judge_->check_credential("alice", hers, now_)->good);
}

TEST_F(JudgeTest, ALimitedOrExpiredToken) {
  const std::string hers = add("alice", {"wiki"}, Seconds(60));
  sign_in("alice");
  const Source alice = from("alice", hers);
  EXPECT_EQ(say(alice), "deny token_not_for_resource alice");
  EXPECT_EQ(say(alice, "10.88.0.3", 443), "allow fresh alice");
  EXPECT_EQ(say(alice, "10.88.0.9", 1), "allow unprotected alice");
  judge_->refresh(now_);
  EXPECT_EQ(judge_->judge(alice, {*IpAddress::parse("10.88.0.3"), 443, Protocol::tcp}, now_).until,
            now_ + Seconds(60));
  now_ += Seconds(60);
  EXPECT_EQ(say(alice, "10.88.0.3", 443), "deny bad_credential alice");
}

class MachineTest : public JudgeTest {
 protected:
  void SetUp() override {
    JudgeTest::SetUp();
    ASSERT_TRUE(set_device_shared(db(), "terminal", false).ok());
    const auto added = add_token(db(), {.name = "job", .user = "", .device = "terminal"}, now_);
    ASSERT_TRUE(added.ok()) << added.error().message;
    token_ = added->id;
    secret_ = added->secret;
    ASSERT_TRUE(add_resource(db(), "backup", {*parse_target("10.88.0.4:22/tcp", "to")}).ok());
    NewPolicy policy;
    policy.name = "backup";
    policy.resources = {"backup"};
    policy.tokens = {"job"};
    policy.terms.session = Seconds(3600);
    ASSERT_TRUE(add_policy(db(), policy).ok());
  }
  Ruling at_backup(const Source& source) {
    judge_->refresh(now_);
    return judge_->judge(source, {*IpAddress::parse("10.88.0.4"), 22, Protocol::tcp}, now_);
  }
  TokenId token_{};
  std::string secret_;
};

TEST_F(MachineTest, WhatItSentIsNoYoungerForAClockSetBack) {
  ASSERT_TRUE(advance_clock(db(), now_).ok());
  const Source sent = from("terminal", secret_);
  EXPECT_TRUE(at_backup(sent).passes());
  now_ += Seconds(3000);
  ASSERT_TRUE(advance_clock(db(), now_).ok());
  EXPECT_TRUE(at_backup(sent).passes());
  now_ -= Seconds(2000);  // still after it was sent
  EXPECT_EQ(at_backup(sent).reason, Reason::clock_set_back);
  ASSERT_TRUE(advance_clock(db(), now_).ok());
  EXPECT_EQ(at_backup(sent).reason, Reason::clock_set_back) << "a new generation has begun";
  EXPECT_TRUE(at_backup(from("terminal", secret_)).passes()) << "sent again";
}

TEST_F(MachineTest, AnExpiredProofIsTheMachinesWhoeverIsThere) {
  sign_in("alice");
  ASSERT_TRUE(
      record_proof(db(), terminal_, {token_, CertificateId::none, now_}, "192.0.2.7", *move_clock(db(), now_))
          .ok());
  Source source = from("terminal", secret_);
  source.credential.reset();
  for (const bool expired : {false, true}) {
    if (expired) now_ += Seconds(3600);
    const Ruling r = at_backup(source);
    EXPECT_EQ(r.reason, expired ? Reason::proof_expired : Reason::fresh);
    EXPECT_TRUE(r.by_machine);
    EXPECT_EQ(r.user, UserId::none);
    EXPECT_EQ(r.machine, "token job");
  }
}

}  // namespace
}  // namespace nightlatch
