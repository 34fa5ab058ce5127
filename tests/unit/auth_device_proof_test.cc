// What a machine proves at the portal: recorded only from its own place, and only once it is on disk.
#include <gtest/gtest.h>

#include <filesystem>

#include "auth/device_ca.h"
#include "auth/device_proof.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/certificates.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/tokens.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

using Kind = ProofOutcome::Kind;

class DeviceProofTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    NewDevice nas;
    nas.name = "nas";
    nas.mac = here_.mac;
    ASSERT_TRUE(add_device(db(), nas).ok());
    NewDevice roaming;
    roaming.name = "roaming";
    roaming.unseen = true;
    ASSERT_TRUE(add_device(db(), roaming).ok());
    nas_token_ =
        add_token(db(), {.name = "", .user = "", .lifetime = Seconds(600), .device = "nas"}, t0_)->id;
    roaming_token_ = add_token(db(), {.name = "", .user = "", .device = "roaming"}, t0_)->id;
  }
  ProofOutcome prove(const ShownProof& shown, const SignInPlace& place, Seconds later = Seconds(1)) {
    AuditWriter audit(path());
    auto outcome = prove_device(db(), audit, shown, place, t0_ + later);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return outcome ? *outcome : ProofOutcome{};
  }
  static ShownProof given(const std::string& subject, const std::string& serial = "01") {
    ShownCertificate c;
    c.sha256 = sha256(subject + serial);
    c.subject = subject;
    c.serial = serial;
    c.chain = "0000000a/" + serial;
    c.expires = from_ms(to_ms(wall_now())) + Seconds(5000);
    return {TokenId::none, c};
  }
  std::string last_reason() {
    auto audit = open_audit(path(), Database::Access::read);
    const auto rows = *read_audit(*audit, {});
    return rows.empty() ? "" : rows.back().event.reason;
  }
  void set(const char* key, const char* value) { ASSERT_TRUE(set_setting(db(), key, value).ok()); }

  const WallTime t0_ = from_ms(to_ms(wall_now()));
  SignInPlace here_{Mac::parse("02:00:00:00:00:05"), *IpAddress::parse("10.0.0.5")};
  SignInPlace there_{Mac::parse("02:00:00:00:00:06"), *IpAddress::parse("10.0.0.6")};
  SignInPlace far_{std::nullopt, *IpAddress::parse("192.0.2.6")};
  TokenId nas_token_{}, roaming_token_{};
};

TEST_F(DeviceProofTest, FromItsPlaceItIsRecordedUntilTheTokensEnd) {
  set("enrol", "closed");
  const ProofOutcome done = prove({nas_token_, {}}, here_);
  EXPECT_EQ(done.kind, Kind::proven);
  EXPECT_EQ(done.device, "nas");
  EXPECT_EQ(done.by, "nas-1");
  EXPECT_FALSE(done.enrolled);
  EXPECT_EQ(done.until, t0_ + Seconds(600));
  EXPECT_EQ(proofs_of(db(), DeviceId(1), here_.mac->text())->size(), 1U);
  EXPECT_EQ(list_tokens(db())->at(0).last_used, t0_ + Seconds(1));
}

TEST_F(DeviceProofTest, WhatIsRefusedAndWhy) {
  const auto refused = [&](const ShownProof& shown, const SignInPlace& place, const char* why,
                           Seconds later = Seconds(1)) {
    const ProofOutcome done = prove(shown, place, later);
    EXPECT_EQ(done.kind, Kind::refused) << why;
    EXPECT_EQ(done.reason, why);
    EXPECT_EQ(last_reason(), why) << "in the log";
  };
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  const TokenId persons = add_token(db(), {.name = "", .user = "alice"}, t0_)->id;
  refused({TokenId::none, {}}, here_, "unknown_token");
  refused({TokenId(99), {}}, here_, "unknown_token");
  refused({persons, {}}, here_, "persons_token");
  refused({nas_token_, {}}, there_, "another_mac");
  refused({nas_token_, {}}, far_, "another_address");
  refused({roaming_token_, {}}, here_, "another_mac");  // the NAS's own
  refused({nas_token_, {}}, here_, "token_expired", Seconds(600));
  ASSERT_TRUE(revoke_token(db(), "nas-1", t0_).ok());
  refused({nas_token_, {}}, here_, "token_revoked");
  set("enrol", "closed");
  refused({roaming_token_, {}}, there_, "not_enrolled");
  refused(given("new.lan"), there_, "not_enrolled");
  set("enrol", "open");
  refused(given("a b"), here_, "unusable_name");
  refused(given(""), here_, "unusable_name");
  ASSERT_TRUE(set_device_shared(db(), "nas", true).ok());
  refused(given("nas.lan"), here_, "shared_device");
  ASSERT_TRUE(set_device_state(db(), "nas", DeviceState::revoked).ok());
  refused(given("nas.lan"), here_, "device_revoked");
  EXPECT_TRUE(list_proofs(db())->empty());
  EXPECT_TRUE(list_certificates(db())->empty());
  EXPECT_EQ(list_devices(db())->size(), 2U);
}

TEST_F(DeviceProofTest, AMachineWithoutAPlaceTakesTheFirst) {
  const ProofOutcome done = prove({roaming_token_, {}}, far_);
  EXPECT_EQ(done.kind, Kind::proven);
  EXPECT_TRUE(done.enrolled);
  EXPECT_EQ(find_device(db(), "roaming")->addresses, std::vector{far_.address});
  EXPECT_EQ(prove({roaming_token_, {}}, there_).reason, "another_mac");
  EXPECT_FALSE(prove({roaming_token_, {}}, far_).enrolled);
}

TEST_F(DeviceProofTest, ApproveLetsItWait) {
  set("enrol", "approve");
  EXPECT_EQ(prove({roaming_token_, {}}, there_).kind, Kind::pending);
  EXPECT_EQ(find_device(db(), "roaming")->state, DeviceState::pending);
  EXPECT_EQ(prove({nas_token_, {}}, here_).kind, Kind::proven) << "it is known";
  EXPECT_EQ(prove(given("camera.lan"), far_).kind, Kind::pending);
  EXPECT_EQ(find_device(db(), "camera.lan")->state, DeviceState::pending);
}

TEST_F(DeviceProofTest, ACertificateOfAGivenCaEnrolsByItsName) {
  const ProofOutcome done = prove(given("camera.lan", "01"), there_);
  EXPECT_EQ(done.kind, Kind::proven);
  EXPECT_EQ(done.device, "camera.lan");
  EXPECT_TRUE(done.enrolled);
  EXPECT_EQ(prove(given("Camera.LAN", "02"), there_).device, "camera.lan") << "renewed";
  const auto rows = *list_certificates(db());
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].serial, "02");
  EXPECT_FALSE(rows[0].own);
  EXPECT_EQ(prove(given("camera.lan", "02"), here_).reason, "another_mac");
  EXPECT_EQ(prove(given("nas.lan"), here_).device, "nas") << "a device that is known keeps its name";
  ASSERT_TRUE(revoke_certificate(db(), "camera.lan", t0_).ok());
  EXPECT_EQ(prove(given("camera.lan", "03"), there_).reason, "certificate_revoked")
      << "by its name: a renewed one is the same";
  EXPECT_EQ(list_proofs(db())->size(), 1U);
}

TEST_F(DeviceProofTest, OurOwnCertificatesAreKnownByTheirHash) {
  const auto issued = issue_device_certificate(path(), "nas", Seconds(86400), t0_);
  ASSERT_TRUE(issued.ok()) << issued.error().message;
  NewCertificate c;
  c.device = "nas";
  c.sha256 = issued->sha256;
  c.serial = issued->serial;
  c.expires = issued->expires;
  ASSERT_TRUE(add_certificate(db(), c, t0_).ok());
  ShownCertificate shown;
  shown.own = true;
  shown.sha256 = issued->sha256;
  shown.subject = "anything at all";
  shown.serial = issued->serial;
  shown.expires = issued->expires;
  EXPECT_EQ(prove({TokenId::none, shown}, here_).kind, Kind::proven);
  EXPECT_EQ(prove({TokenId::none, shown}, there_).reason, "another_mac");
  shown.sha256[0] ^= 1;
  EXPECT_EQ(prove({TokenId::none, shown}, here_).reason, "unknown_certificate");
  shown.sha256[0] ^= 1;
  shown.expires = t0_;
  EXPECT_EQ(prove({TokenId::none, shown}, here_).reason, "certificate_expired");
}

TEST_F(DeviceProofTest, TheDeviceCaIsItsOwnAndItsKeyIsPrivate) {
  const auto first = issue_device_certificate(path(), "nas", Seconds(3600), t0_);
  const auto second = issue_device_certificate(path(), "nas", Seconds(3600), t0_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->sha256, second->sha256);
  EXPECT_NE(first->key_pem, second->key_pem);
  const DeviceCaPaths ca = device_ca_paths(path());
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(ca.key).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(issue_device_certificate(path(), "nas", Seconds(20LL * 365 * 86400), t0_).error().kind,
            ErrorKind::usage)
      << "no longer than its CA";
  fs::remove(ca.key);
  EXPECT_EQ(issue_device_certificate(path(), "nas", Seconds(3600), t0_).error().kind, ErrorKind::invalid)
      << "devices carry what it signed";
}

// Semantics 15: what is not in the audit log is not acknowledged, and does not count.
TEST_F(DeviceProofTest, WithoutTheAuditLogNothingCounts) {
  {
    AuditWriter made(path());
    made.write({});
    (void)made.flush();
  }
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(audit_path(path()) + suffix);
  std::filesystem::create_directory(audit_path(path()));
  AuditWriter audit(path());
  EXPECT_FALSE(prove_device(db(), audit, {nas_token_, {}}, here_, t0_ + Seconds(1)).ok());
  EXPECT_TRUE(list_proofs(db())->empty());
}

}  // namespace
}  // namespace nightlatch
