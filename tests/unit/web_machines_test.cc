// POST /enrol, and the list of one's own devices: what is told, to whom, and what another page could send.
#include "store/proofs.h"
#include "store/tokens.h"
#include "web_fixture.h"

namespace nightlatch {
namespace {

class MachinesTest : public SiteTest {
 protected:
  void SetUp() override {
    SiteTest::SetUp();
    NewDevice nas;
    nas.name = "nas";
    nas.mac = Mac::parse("02:00:00:00:0b:0b");
    nas_ = *add_device(db(), nas);
    secret_ = add_token(db(), {.name = "", .user = "", .device = "nas"}, now())->secret;
    ASSERT_TRUE(
        add_resource(db(), "backup", {Target{*Prefix::parse("10.88.0.9/32"), PortRange{80, 80}}}).ok());
    NewPolicy policy;
    policy.name = "backup";
    policy.resources = {"backup"};
    policy.tokens = {"nas-1"};
    ASSERT_TRUE(add_policy(db(), policy).ok());
  }
  std::size_t proofs() { return list_proofs(db())->size(); }
  DeviceId nas_{};
  std::string secret_;
};

TEST_F(MachinesTest, TheSecretIsTheProof) {
  start();
  Wire wire(port, kBobPc);
  wire.send("POST /enrol HTTP/1.1\r\nHost: gate.test\r\nAuthorization: bearer " + secret_ +
            "\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n");
  const Reply reply = wire.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("content-type"), "application/json");
  EXPECT_EQ(reply.json_field("device"), "nas");
  EXPECT_EQ(reply.json_field("state"), "active");
  EXPECT_FALSE(reply.has(secret_));
  EXPECT_EQ(proofs(), 1U);
  for (const AuditRow& row : log()) EXPECT_EQ(row.event.detail.find(secret_), std::string::npos);
}

TEST_F(MachinesTest, WhoeverIsRefusedIsToldNothing) {
  start();
  std::string said;
  for (const auto& [from, secret] : {std::pair{kAlicePc, secret_},
                                     {kBobPc, secret_ + "x"},
                                     {kFarAway, secret_},
                                     {kBobPc, std::string(5000, 'x')}}) {
    Wire wire(port, from);
    wire.send("POST /enrol HTTP/1.1\r\nHost: gate.test\r\nAuthorization: Bearer " + secret +
              "\r\nContent-Length: 0\r\n\r\n");
    const Reply reply = wire.read();
    EXPECT_EQ(reply.status, 403);
    if (said.empty()) said = reply.body;
    EXPECT_EQ(reply.body, said);
  }
  EXPECT_EQ(proofs(), 0U);
}

// A page of another site must not make a visitor's machine prove anything.
TEST_F(MachinesTest, AnotherSitesFormIsRefused) {
  start();
  const std::string body = "token=" + secret_;
  for (const std::string field : {"Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n",
                                  "Sec-Fetch-Site: same-site\r\n", "Origin: http://gate.test\r\n"}) {
    Wire wire(port, kBobPc);
    wire.send("POST /enrol HTTP/1.1\r\nHost: gate.test\r\n" + field +
              "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(wire.read().status, 403) << field;
  }
  EXPECT_EQ(proofs(), 0U);
  Wire wire(port, kBobPc);
  wire.send("GET /enrol HTTP/1.1\r\nHost: gate.test\r\n\r\n");
  const Reply reply = wire.read();
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("allow"), "POST");
}

TEST_F(MachinesTest, APersonIsNotAskedToSignInForWhatOnlyMachinesMay) {
  start();
  auto alice = browser();
  const std::string code = hold("02:00:00:00:0a:11", "backup");
  for (const bool signed_in : {false, true}) {
    if (signed_in) {
      ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
    }
    const Reply page = alice.get("/k/" + code);
    EXPECT_TRUE(page.has("Only machines may use backup")) << page.body;
    EXPECT_FALSE(page.has("type=\"password\""));
  }
  EXPECT_FALSE(alice.get("/me").has("backup"));
}

TEST_F(MachinesTest, RemovingADeviceNeedsItsOwnFormOfItsOwner) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  const Reply me = alice.get("/me");
  EXPECT_TRUE(me.has("Your devices"));
  const std::string token = me.field("token");
  const std::string nas = std::to_string(static_cast<std::int64_t>(nas_));
  EXPECT_EQ(alice.post("/me/devices/remove", {{"device", nas}, {"token", token}}).status, 403);
  EXPECT_EQ(alice.post("/me/devices/remove", {{"device", "1 OR 1"}, {"token", token}}).status, 403);
  auto stranger = browser(kFarAway);
  EXPECT_EQ(stranger.post("/me/devices/remove", {{"device", me.field("device")}, {"token", token}}).status,
            403);
  EXPECT_EQ(list_devices(db())->size(), 2U);
  const auto at = me.body.find("action=\"/me/devices/remove\"");
  ASSERT_NE(at, std::string::npos);
  const Reply form{me.status, me.headers, me.body.substr(at)};
  const Reply done =
      alice.post("/me/devices/remove", {{"device", form.field("device")}, {"token", form.field("token")}});
  EXPECT_EQ(done.status, 200);
  EXPECT_TRUE(done.has("signed out")) << done.body;
  EXPECT_EQ(list_devices(db())->size(), 1U);
  EXPECT_FALSE(alice.get("/me").has("Your devices"));
}

}  // namespace
}  // namespace nightlatch
