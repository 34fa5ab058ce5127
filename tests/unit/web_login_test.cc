// Logins for machines without a browser: what the machine that asks is told, and what becomes of it there.
#include "qr_reader.h"
#include "store/logins.h"
#include "web_login_fixture.h"

namespace nightlatch {
namespace {

TEST_F(LoginTest, AMachineWaitsAndAPersonElsewhereConfirms) {
  start();
  const Reply reply = machine(kBobPc, "/login/start", {{"resource", "payroll"}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("content-type"), "application/json");
  const Json json = json_of(reply);
  EXPECT_EQ(json["expires_in"], 600);
  EXPECT_EQ(json["interval"], 5);
  EXPECT_EQ(json["verification_uri"], "https://gate.test/login");
  const Started s{
      json["device_code"], json["user_code"],
      std::string(json["verification_uri_complete"]).substr(std::string("https://gate.test").size())};
  EXPECT_GE(s.device_code.size(), 22U) << "128 bits";
  EXPECT_EQ(s.user_code.size(), 9U);
  EXPECT_EQ(poll(s)["error"], "authorization_pending");

  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has("payroll")) << page.body;
  EXPECT_TRUE(page.has(kBobMac) && page.has(kBobPc)) << "which device";
  EXPECT_TRUE(page.has("just now") && page.has("<span class=\"address\">20")) << "when";
  EXPECT_TRUE(page.has(s.user_code));
  EXPECT_TRUE(page.has("Only confirm if you started this yourself"));
  EXPECT_FALSE(page.has("<script"));
  EXPECT_FALSE(there()) << "nothing yet";

  const Reply done = answer(alice, s, page);
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_TRUE(done.has("is signed in"));
  const Json ended = poll(s);
  EXPECT_EQ(ended["signed_in"], true) << ended.dump();
  EXPECT_EQ(ended["user"], "alice");
  EXPECT_EQ(ended["verdict"], "allow");
  EXPECT_EQ(ended["resource"], "payroll");
  ASSERT_TRUE(there());
  EXPECT_EQ(there()->user, find_user(db(), "alice")->id);
  EXPECT_EQ(there()->signed_in, there(kAliceMac)->signed_in) << "as old as it is where it was made";
  EXPECT_EQ(poll(s)["signed_in"], true)
      << "an answer that was lost can be asked for again; it is no key to anything";
  stop();
  EXPECT_EQ(events("login.started"), 1U);
  EXPECT_EQ(events("login.approved"), 1U);
  EXPECT_EQ(events("sign_in"), 2U);
  for (const AuditRow& row : log()) {
    EXPECT_EQ(row.event.detail.find(s.device_code), std::string::npos);
    EXPECT_EQ(row.event.detail.find(s.path.substr(3)), std::string::npos);
  }
}

TEST_F(LoginTest, TheDevicesCodeIsKeptAsAHashOnly) {
  start();
  const Started s = begin();
  auto row = db().prepare("SELECT * FROM login");
  ASSERT_TRUE(*row->step());
  for (int i = 0; i < 10; ++i) {
    if (row->null(i)) continue;
    EXPECT_EQ(row->text(i).find(s.device_code), std::string::npos) << i;
  }
}

TEST_F(LoginTest, ItLastsTenMinutesAndTheLogSaysThatItExpired) {
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  ahead_ms = 599'000;
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  ahead_ms = 600'000;
  EXPECT_TRUE(answer(alice, s, page).has("no longer good"));
  EXPECT_TRUE(alice.get(s.path).has("no longer good"));
  EXPECT_EQ(poll(s)["error"], "expired_token");
  EXPECT_FALSE(there());
  EXPECT_TRUE(logged("login.expired"));
  EXPECT_EQ(poll(s)["error"], "expired_token");
}

TEST_F(LoginTest, AClockThatIsSetBackDoesNotMakeItLonger) {
  start();
  ahead_ms = 3'600'000;
  const Started s = begin();
  ahead_ms = 0;
  EXPECT_EQ(poll(s)["error"], "expired_token");
}

TEST_F(LoginTest, WhoAsksTooOftenIsToldToSlowDown) {
  start();
  const Started s = begin();
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  Json json = poll(s);
  EXPECT_EQ(json["error"], "slow_down");
  EXPECT_EQ(json["interval"], 10);
  json = poll(s);
  EXPECT_EQ(json["interval"], 15) << "five seconds more each time (RFC 8628 section 3.5)";
  EXPECT_EQ(machine(kBobPc, "/login/poll", {{"device_code", s.device_code}}).status, 400);
}

TEST_F(LoginTest, OnlyTheDeviceThatAskedIsTold) {
  start();
  const Started s = begin();
  const Json json = poll(s, kAlicePc);
  EXPECT_EQ(json["error"], "invalid_grant");
  EXPECT_EQ(poll(s, kFarAway)["error"], "invalid_grant");
  EXPECT_EQ(json_of(machine(kAlicePc, "/login/cancel", {{"device_code", s.device_code}}))["error"],
            "invalid_grant");
  EXPECT_EQ(poll({"AAAA", "", ""})["error"], "invalid_grant");
  EXPECT_EQ(json_of(machine(kBobPc, "/login/poll"))["error"], "invalid_grant");
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  EXPECT_TRUE(logged("login.refused", "another_device"));
}

TEST_F(LoginTest, SharedDevicesKeepPeopleApart) {
  NewDevice terminal;
  terminal.name = "terminal";
  terminal.addresses = {*IpAddress::parse(kFarAway)};
  terminal.shared = true;
  ASSERT_TRUE(add_device(db(), terminal).ok());
  start();
  const Started s = begin(kFarAway, {{"resource", "payroll"}});
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  EXPECT_TRUE(page.has("Several people share this address")) << page.body;
  ASSERT_EQ(answer(alice, s, page).status, 200);
  BrowserStandIn curl = browser(kFarAway);
  const Reply told = curl.post("/login/poll", {{"device_code", s.device_code}});
  EXPECT_EQ(json_of(told)["user"], "alice");
  EXPECT_TRUE(told.has("application password"));
  EXPECT_TRUE(curl.cookies.empty()) << "no browser there becomes hers";
  auto bob = browser(kFarAway);
  EXPECT_FALSE(bob.get("/me").has("alice"));
  EXPECT_EQ(list_presence(db())->size(), 2U);
}

TEST_F(LoginTest, UnknownDevicesAreTakenInAsTheSettingSays) {
  ASSERT_TRUE(set_setting(db(), "enrol", "approve").ok());
  start();
  ASSERT_TRUE(add_device(db(), {.name = "alice-pc", .mac = Mac::parse(kAliceMac), .addresses = {}}).ok());
  const Started s = begin(kBobPc, {{"resource", "payroll"}});
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  EXPECT_TRUE(page.has("an administrator has approved")) << page.body;
  EXPECT_TRUE(answer(alice, s, page).has("waits for an administrator"));
  const Json json = poll(s);
  EXPECT_EQ(json["verdict"], "deny");
  EXPECT_EQ(json["reason"], "device_pending");
}

TEST_F(LoginTest, DevicesThatMayNotSignInMayNotAskEither) {
  ASSERT_TRUE(add_device(db(), {.name = "lost", .mac = Mac::parse(kBobMac), .addresses = {}}).ok());
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  ASSERT_TRUE(set_device_state(db(), "lost", DeviceState::revoked).ok());
  EXPECT_EQ(machine(kBobPc, "/login/start").status, 403);
  EXPECT_TRUE(answer(alice, s, page).has("may not be signed in"));
  EXPECT_EQ(poll(s)["error"], "access_denied");
  EXPECT_FALSE(there());
  ASSERT_TRUE(set_setting(db(), "enrol", "closed").ok());
  EXPECT_EQ(json_of(machine(kFarAway, "/login/start"))["error"], "access_denied");
}

TEST_F(LoginTest, WhatIsConfirmedSurvivesARestartAndSoDoesWhatWaits) {
  start();
  const Started s = begin(kBobPc, {{"resource", "payroll"}});
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  stop();
  start();
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  auto again = browser();
  again.cookies = alice.cookies;
  const Reply stale = answer(again, s, page);
  EXPECT_EQ(stale.status, 403) << "forms are good as long as the process";
  ASSERT_EQ(answer(again, s, stale).status, 200);
  stop();
  start();
  EXPECT_EQ(poll(s)["user"], "alice");
}

TEST_F(LoginTest, AFewCanWaitAtATimeForEachDevice) {
  start();
  std::vector<Started> all(5);
  for (Started& one : all) one = begin();
  const Reply full = machine(kBobPc, "/login/start");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(json_of(full)["error"], "slow_down");
  EXPECT_FALSE(full.header("retry-after").empty());
  begin(kAlicePc);
  EXPECT_EQ(machine(kBobPc, "/login/cancel", {{"device_code", all[0].device_code}}).status, 200);
  EXPECT_EQ(poll(all[0])["error"], "expired_token");
  begin();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  EXPECT_TRUE(alice.get(all[0].path).has("waits no longer"));
  ahead_ms = 601'000;
  begin();
  EXPECT_TRUE(logged("login.withdrawn"));
  EXPECT_EQ(events("login.expired"), 6U);
}

TEST_F(LoginTest, AHoldSaysWhatItIsForButOnlyItsOwnDevices) {
  start();
  const std::string code = hold(kBobMac, "payroll");
  const Started s = begin(kBobPc, {{"hold", code}});
  auto alice = browser();
  EXPECT_TRUE(confirm_page(alice, s).has("<dd>payroll</dd>"));
  EXPECT_EQ(json_of(machine(kAlicePc, "/login/start", {{"hold", code}}))["error"], "invalid_request");
  EXPECT_EQ(machine(kBobPc, "/login/start", {{"resource", "nothing"}}).status, 400);
  EXPECT_EQ(machine(kBobPc, "/login/start", {{"resource", "<b>"}}).status, 400);
}

TEST_F(LoginTest, NoPageOfAnotherSiteStartsOne) {
  start();
  EXPECT_EQ(machine(kBobPc, "/login/start", {}, {"Origin: https://evil.test"}).status, 403);
  EXPECT_EQ(machine(kBobPc, "/login/start", {}, {"Sec-Fetch-Site: cross-site"}).status, 403);
  auto bob = browser(kBobPc);
  EXPECT_TRUE(bob.get("/login").has("name=\"code\"")) << "a browser gets the page where codes are typed";
  bob.accept = "image/avif,image/webp,*/*;q=0.8";  // an <img> of any site
  EXPECT_EQ(bob.get("/login", {"Sec-Fetch-Site: cross-site"}).status, 200);
  EXPECT_EQ(bob.get("/login", {"Referer: https://evil.test/"}).status, 200);
  EXPECT_EQ(bob.get("/login", {"Sec-Purpose: prefetch"}).status, 200);
  EXPECT_EQ(bob.ask("HEAD", "/login").status, 200);
  EXPECT_EQ(bob.get("/login/start").status, 303);
  EXPECT_EQ(**db().integer("SELECT count(*) FROM login"), 0);
}

TEST_F(LoginTest, CurlPrintsTheCodeAndWaits) {
  start();
  Wire wire(port, kBobPc);
  wire.send(
      "GET /login?resource=payroll HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: curl\r\nAccept: */*\r\n\r\n");
  std::string told;
  const auto read_until = [&](const char* what) {
    char buffer[4096];
    while (told.find(what) == std::string::npos) {
      const ssize_t n = recv(wire.fd(), buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      told.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  };
  ASSERT_TRUE(read_until("Waiting")) << told;
  const auto at = told.find("https://gate.test/l/");
  ASSERT_NE(at, std::string::npos);
  const Started s{"", "", told.substr(at + std::string("https://gate.test").size(), 11)};
  EXPECT_EQ(read_terminal_qr(told), "https://gate.test" + s.path);
  auto alice = browser();
  ASSERT_EQ(answer(alice, s, confirm_page(alice, s)).status, 200);
  EXPECT_TRUE(read_until("Signed in as alice")) << told;
  EXPECT_TRUE(read_until("payroll is open to you here for 8 h")) << told;
  char rest = 0;
  EXPECT_LE(recv(wire.fd(), &rest, 1, 0), 0) << "and ends";
}

TEST_F(LoginTest, WhoLeavesWithdrawsIt) {
  start();
  {
    Wire wire(port, kBobPc);
    wire.send("GET /login HTTP/1.1\r\nHost: gate.test\r\nAccept: */*\r\n\r\n");
    ASSERT_TRUE(wire.more());
  }
  EXPECT_TRUE(logged("login.withdrawn"));
  const auto waiting = [&] { return **db().integer("SELECT count(*) FROM login WHERE state = 'open'"); };
  for (int i = 0; i < 500 && waiting() > 0; ++i) usleep(10'000);  // the row comes first, then the commit
  EXPECT_EQ(waiting(), 0);
}

}  // namespace
}  // namespace nightlatch
