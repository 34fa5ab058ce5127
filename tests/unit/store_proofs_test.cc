// What devices have proven, their certificates and their tokens, in the store.
#include <gtest/gtest.h>

#include "policy/parse.h"
#include "store/access.h"
#include "store/certificates.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/sessions.h"
#include "store/tokens.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class ProofsTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
    ASSERT_TRUE(add_resource(db(), "backup", {*parse_target("10.1.0.1:873/tcp", "to")}).ok());
    NewDevice nas;
    nas.name = "nas";
    nas.mac = Mac::parse(kPlace);
    nas_ = *add_device(db(), nas);
    token_ = add_token(db(), {.name = "", .user = "", .device = "NAS"}, t0_)->id;
  }
  AddedCertificate own(const std::string& name = "") {
    NewCertificate c;
    c.name = name;
    c.device = "nas";
    c.sha256 = sha256("certificate " + name);
    c.expires = t0_ + Seconds(1000);
    return *add_certificate(db(), c, t0_);
  }
  void prove(const Proof& proof) {
    auto tx = Transaction::begin(db());
    const auto generation = move_clock(db(), proof.proven);
    ASSERT_TRUE(record_proof(db(), nas_, proof, kPlace, *generation).ok());
    ASSERT_TRUE(tx->commit().ok());
  }
  std::size_t counting(const char* place = kPlace) { return proofs_of(db(), nas_, place)->size(); }
  NewPolicy policy(const std::string& name) {
    NewPolicy p;
    p.name = name;
    p.resources = {"backup"};
    return p;
  }
  static constexpr const char* kPlace = "02:00:00:00:00:05";
  const WallTime t0_ = from_ms(to_ms(wall_now()));
  DeviceId nas_{};
  TokenId token_{};
};

TEST_F(ProofsTest, AMachinesTokenIsNobodysPerson) {
  const OfficeData office = *load_office(db());
  ASSERT_EQ(office.tokens.size(), 1U);
  EXPECT_EQ(office.tokens[0].name, "nas-1");
  EXPECT_EQ(office.tokens[0].user, UserId::none);
  EXPECT_EQ(office.tokens[0].device, nas_);
  EXPECT_EQ(list_tokens(db())->at(0).device, "nas");
  EXPECT_EQ(list_tokens(db())->at(0).user, "");
}

TEST_F(ProofsTest, TheLatestProofFromItsPlaceCounts) {
  prove({token_, CertificateId::none, t0_});
  prove({token_, CertificateId::none, t0_ + Seconds(5)});
  prove({TokenId::none, own().id, t0_ + Seconds(6)});
  const auto proofs = *proofs_of(db(), nas_, kPlace);
  ASSERT_EQ(proofs.size(), 2U);
  EXPECT_EQ(proofs[0].token, token_);
  EXPECT_EQ(proofs[0].proven, t0_ + Seconds(5));
  EXPECT_EQ(proofs[1].certificate, CertificateId(1));
  EXPECT_EQ(counting("02:00:00:00:00:06"), 0U);
  EXPECT_EQ(list_proofs(db())->size(), 2U);
  EXPECT_EQ(list_proofs(db())->at(1).by, "nas-1");
}

TEST_F(ProofsTest, AProofIsNoChangeOfTheConfiguration) {
  const auto before = *office_version(db());
  prove({token_, CertificateId::none, t0_});
  EXPECT_EQ(*office_version(db()), before);
  (void)own();
  EXPECT_GT(*office_version(db()), before);
}

// Semantics 11: as a sign-in.
TEST_F(ProofsTest, AClockSetBackVoidsThem) {
  prove({token_, CertificateId::none, t0_});
  ASSERT_TRUE(advance_clock(db(), t0_ - Seconds(60)).ok());
  EXPECT_EQ(counting(), 0U);
  EXPECT_TRUE(list_proofs(db())->empty());
  prove({token_, CertificateId::none, t0_ - Seconds(50)});
  EXPECT_EQ(counting(), 1U);
}

TEST_F(ProofsTest, WhatEndsThem) {
  const auto ends = [&](const char* what, const std::function<Status()>& how) {
    prove({token_, CertificateId::none, t0_});
    EXPECT_EQ(counting(), 1U) << what;
    ASSERT_TRUE(how().ok()) << what;
    EXPECT_EQ(counting(), 0U) << what;
  };
  ends("session end", [&] {
    return end_sessions(db(), std::nullopt, nas_, t0_).ok() ? Status(Done{}) : Status(Error::failure(""));
  });
  ends("revoke", [&] { return set_device_state(db(), "nas", DeviceState::revoked); });
  ASSERT_TRUE(set_device_state(db(), "nas", DeviceState::active).ok());
  ends("share", [&] { return set_device_shared(db(), "nas", true); });
  ASSERT_TRUE(set_device_shared(db(), "nas", false).ok());
  prove({token_, CertificateId::none, t0_});
  EXPECT_EQ(*end_sessions(db(), UserId(1), nas_, t0_), 0) << "a user's sessions are not the machine's proofs";
  EXPECT_EQ(counting(), 1U);
  ASSERT_TRUE(remove_device(db(), "nas").ok());
  EXPECT_TRUE(list_tokens(db())->empty());
  EXPECT_TRUE(check_integrity(db())->empty());
}

TEST_F(ProofsTest, ARevokedCertificateTakesItsProofAlong) {
  const AddedCertificate added = own();
  prove({TokenId::none, added.id, t0_});
  EXPECT_EQ(list_certificates(db())->at(0).last_shown, t0_);
  const auto revoked = revoke_certificate(db(), "NAS-1", t0_ + Seconds(1));
  ASSERT_TRUE(revoked.ok()) << revoked.error().message;
  EXPECT_EQ(counting(), 0U);
  EXPECT_TRUE(load_office(db())->certificates.at(0).revoked);
  EXPECT_EQ(revoke_certificate(db(), "1", t0_).error().kind, ErrorKind::conflict);
  EXPECT_EQ(revoke_certificate(db(), "nas-1", t0_).error().kind, ErrorKind::not_found);
  EXPECT_EQ(own("again").name, "again");
}

TEST_F(ProofsTest, APolicyIsForPersonsOrForMachines) {
  ASSERT_TRUE(add_token(db(), {.name = "alices", .user = "alice"}, t0_).ok());
  (void)own("shown");
  const auto refused = [&](const char* why, const std::function<void(NewPolicy&)>& change, ErrorKind kind) {
    NewPolicy p = policy("p");
    change(p);
    const auto added = add_policy(db(), p);
    ASSERT_FALSE(added.ok()) << why;
    EXPECT_EQ(added.error().kind, kind) << why << ": " << added.error().message;
    EXPECT_FALSE(added.error().hint.empty()) << why;
  };
  refused("nobody", [](NewPolicy&) {}, ErrorKind::usage);
  refused("both", [](NewPolicy& p) { p.tokens = {"nas-1"}, p.users = {"alice"}; }, ErrorKind::usage);
  refused("both", [](NewPolicy& p) { p.certificates = {"shown"}, p.anyone = true; }, ErrorKind::usage);
  refused("factor", [](NewPolicy& p) { p.tokens = {"nas-1"}, p.terms.mfa = Seconds(60); }, ErrorKind::usage);
  refused("a person's", [](NewPolicy& p) { p.tokens = {"alices"}; }, ErrorKind::usage);
  refused("unknown", [](NewPolicy& p) { p.tokens = {"nas-2"}; }, ErrorKind::not_found);
  refused("unknown", [](NewPolicy& p) { p.certificates = {"nas-1"}; }, ErrorKind::not_found);
  EXPECT_TRUE(load_office(db())->policies.empty()) << "nothing of a refused one stays";
  NewPolicy good = policy("good");
  good.tokens = {"NAS-1"};
  good.certificates = {"shown"};
  ASSERT_TRUE(add_policy(db(), good).ok());
  const Policy p = load_office(db())->policies.at(0);
  EXPECT_EQ(p.tokens, std::vector{token_});
  EXPECT_EQ(p.certificates, std::vector{CertificateId(1)});
  ASSERT_TRUE(remove_device(db(), "nas").ok());
  EXPECT_TRUE(load_office(db())->policies.at(0).tokens.empty()) << "and it lets nobody in";
}

TEST_F(ProofsTest, UsesAreNotedOnceAndNeverGoBack) {
  ASSERT_TRUE(note_token_uses(db(), {{token_, t0_}, {TokenId(77), t0_}}).ok());
  EXPECT_EQ(list_tokens(db())->at(0).last_used, t0_);
  ASSERT_TRUE(note_token_uses(db(), {{token_, t0_ - Seconds(9)}}).ok());
  EXPECT_EQ(list_tokens(db())->at(0).last_used, t0_);
  ASSERT_TRUE(note_token_uses(db(), {}).ok());
  EXPECT_EQ(**db().integer("SELECT count(*) FROM token_use"), 1);
}

TEST_F(ProofsTest, UsersSeeAndRemoveOnlyTheirOwnDevices) {
  NewDevice laptop;
  laptop.name = "laptop";
  laptop.mac = Mac::parse("02:00:00:00:00:09");
  laptop.owner = UserId(1);
  const DeviceId mine = *add_device(db(), laptop);
  ASSERT_TRUE(
      record_sign_in(db(), {UserId(1), mine, t0_, "pwd", std::nullopt, "local", "10.0.0.1"}, t0_).ok());
  const auto listed = *devices_of(db(), UserId(1));
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].name, "laptop");
  EXPECT_EQ(listed[0].last_sign_in, t0_);
  EXPECT_FALSE(remove_own_device(db(), nas_, UserId(1))->has_value());
  EXPECT_FALSE(remove_own_device(db(), DeviceId(99), UserId(1))->has_value());
  ASSERT_TRUE(set_device_state(db(), "laptop", DeviceState::revoked).ok());
  EXPECT_FALSE(remove_own_device(db(), mine, UserId(1))->has_value()) << "or it could enrol again";
  ASSERT_TRUE(set_device_state(db(), "laptop", DeviceState::active).ok());
  EXPECT_EQ(*remove_own_device(db(), mine, UserId(1)), "laptop");
  EXPECT_EQ(list_devices(db())->size(), 1U);
}

}  // namespace
}  // namespace nightlatch
