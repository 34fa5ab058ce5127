// Logins for machines without a browser: bob's laptop has none and asks, alice's has one and answers (and the
// other way round where a test says so).
#include <nlohmann/json.hpp>

#include "auth/otp.h"
#include "store/factors.h"
#include "store/logins.h"
#include "web_fixture.h"

namespace nightlatch {
namespace {

using Json = nlohmann::json;
constexpr const char* kAliceMac = "02:00:00:00:0a:11";
constexpr const char* kBobMac = "02:00:00:00:0b:0b";

class LoginTest : public SiteTest {
 protected:
  struct Started {
    std::string device_code, user_code, path;
  };
  static Json json_of(const Reply& reply) { return Json::parse(reply.body, nullptr, false); }
  // The machine: it keeps no cookie, and says what curl says.
  Reply machine(const char* from, const std::string& path,
                const std::map<std::string, std::string>& fields = {},
                const std::vector<std::string>& extra = {}) {
    BrowserStandIn curl = browser(from);
    curl.accept = "*/*";
    return curl.post(path, fields, extra);
  }
  Started begin(const char* from = kBobPc, const std::map<std::string, std::string>& fields = {}) {
    const Reply reply = machine(from, "/login/start", fields);
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json json = json_of(reply);
    const std::string link = json["verification_uri_complete"];
    EXPECT_TRUE(link.starts_with("https://gate.test/l/")) << link;
    return {json["device_code"], json["user_code"], link.substr(std::string("https://gate.test").size())};
  }
  Json poll(const Started& s, const char* from = kBobPc) {
    return json_of(machine(from, "/login/poll", {{"device_code", s.device_code}}));
  }
  static Reply answer(BrowserStandIn& who, const Started& s, const Reply& page,
                      const char* what = "confirm") {
    return who.post(s.path,
                    {{"token", page.field("token")}, {"login", page.field("login")}, {"answer", what}});
  }
  // Signs in as the code's page asks, and returns the page that asks for the confirmation.
  Reply confirm_page(BrowserStandIn& who, const Started& s, const char* user = "alice") {
    Reply page = who.get(s.path);
    EXPECT_TRUE(page.has("Sign in first")) << page.body;
    const Reply done = who.post("/sign-in", {{"token", page.field("token")},
                                             {"login", page.field("login")},
                                             {"name", user},
                                             {"password", kPassword}});
    EXPECT_EQ(done.status, 303) << done.body;
    EXPECT_EQ(done.header("location"), s.path);
    return who.get(s.path);
  }
  // A resource that asks for a second factor, and alice's: the secret of her codes.
  std::string add_vault() {
    EXPECT_TRUE(
        add_resource(db(), "vault", {Target{*Prefix::parse("10.88.0.3/32"), PortRange{80, 80}}}).ok());
    NewPolicy policy;
    policy.name = "vault";
    policy.resources = {"vault"};
    policy.groups = {"staff"};
    policy.terms.mfa = Seconds(3600);
    EXPECT_TRUE(add_policy(db(), policy).ok());
    const std::string secret = make_otp_secret();
    EXPECT_TRUE(keep_otp_secret(db(), find_user(db(), "alice")->id, secret, 0, now()).ok());
    return secret;
  }
  std::optional<Presence> there(const char* device_mac = kBobMac) {
    const auto devices = list_devices(db());
    for (const DeviceRow& d : *devices) {
      if (!d.mac || d.mac->text() != device_mac) continue;
      return *presence_on(db(), d.id);
    }
    return std::nullopt;
  }
  std::size_t events(const std::string& event, const std::string& reason = "") {
    std::size_t count = 0;
    for (const AuditRow& row : log()) {
      if (row.event.event == event && (reason.empty() || row.event.reason == reason)) ++count;
    }
    return count;
  }
  // For rows that are written after the answer.
  bool logged(const std::string& event, const std::string& reason = "") {
    for (int i = 0; i < 500 && events(event, reason) == 0; ++i) usleep(10'000);
    return events(event, reason) > 0;
  }
};

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

TEST_F(LoginTest, ARefusalEndsIt) {
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  EXPECT_TRUE(answer(alice, s, page, "refuse").has("Refused"));
  EXPECT_EQ(poll(s)["error"], "access_denied");
  EXPECT_FALSE(there());
  EXPECT_TRUE(alice.get(s.path).has("This was refused"));
  stop();
  EXPECT_EQ(events("login.refused", "refused"), 1U);
}

TEST_F(LoginTest, ACodeIsGoodOnce) {
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s), second = alice.get(s.path);
  ASSERT_EQ(answer(alice, s, page).status, 200);
  EXPECT_TRUE(answer(alice, s, second).has("This was confirmed"));
  auto bob = browser("127.0.0.4");
  EXPECT_TRUE(bob.get(s.path).has("This was confirmed"));
  EXPECT_EQ(sign_ins(), 2U);
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

TEST_F(LoginTest, OnlyTheBrowserAndTheDeviceThatWereShownItMayConfirm) {
  start();
  const Started s = begin(kFarAway);
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  // The same person in another browser, the form of the first.
  auto second = browser();
  ASSERT_EQ(second.sign_in(second.get("/"), "alice", kPassword).status, 303);
  Reply refused = answer(second, s, page);
  EXPECT_EQ(refused.status, 403);
  // The same browser's cookies, on another device where she is signed in as well.
  auto elsewhere = browser(kBobPc);
  ASSERT_EQ(elsewhere.sign_in(elsewhere.get("/"), "alice", kPassword).status, 303);
  elsewhere.cookies["__Host-nlf"] = alice.cookies["__Host-nlf"];
  refused = answer(elsewhere, s, page);
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused.has("Confirm")) << "it is shown there, to be answered anew";
  EXPECT_EQ(sign_ins(), 3U) << "none of them on the machine";
  // Another person in the same browser.
  ASSERT_EQ(alice.sign_in(alice.get("/"), "bob", kPassword).status, 403)
      << "signed in: the front page is /me";
  const Reply renew = alice.post("/me/renew", {{"token", alice.get("/me").field("token")}});
  ASSERT_EQ(alice.sign_in(renew, "bob", kPassword).status, 303);
  EXPECT_EQ(answer(alice, s, page).status, 403);
  // A page of another origin.
  EXPECT_EQ(alice
                .post(s.path, {{"token", page.field("token")}, {"answer", "confirm"}},
                      {"Origin: https://evil.test"})
                .status,
            403);
  EXPECT_EQ(alice.post(s.path, {{"answer", "confirm"}}).status, 403);
  EXPECT_EQ(sign_ins(), 4U);
  EXPECT_EQ(poll(s, kFarAway)["error"], "authorization_pending") << "and it can still be answered";
  EXPECT_TRUE(logged("login.refused", "not_shown_here"));
  EXPECT_EQ(answer(alice, s, alice.get(s.path)).status, 200);
  EXPECT_EQ(poll(s, kFarAway)["user"], "bob");
}

TEST_F(LoginTest, TheAgeIsInheritedAndNoPolicyIsFooledByIt) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  const WallTime signed_in = there(kAliceMac)->signed_in;
  ahead_ms = 7 * 3600 * 1000;
  Started s = begin(kBobPc, {{"resource", "payroll"}});
  Reply page = alice.get(s.path);
  EXPECT_TRUE(page.has("You signed in here 7 h ago")) << page.body;
  ASSERT_EQ(answer(alice, s, page).status, 200);
  EXPECT_EQ(there()->signed_in, signed_in);
  EXPECT_EQ(poll(s)["verdict"], "allow");
  ahead_ms = 8 * 3600 * 1000 + 1000;
  EXPECT_EQ(poll(s)["verdict"], "sign_in") << "an hour later it ends there too";

  s = begin(kBobPc, {{"resource", "payroll"}});
  page = alice.get(s.path);
  EXPECT_EQ(page.status, 403);
  EXPECT_TRUE(page.has("Sign in again first") && page.has("type=\"password\"")) << page.body;
  EXPECT_FALSE(page.has("value=\"confirm\""));
  // A confirmation that was shown in time is not taken when it is too late.
  ahead_ms = 8 * 3600 * 1000 - 1000;
  const Started late = begin(kBobPc, {{"resource", "payroll"}});
  const Reply in_time = alice.get(late.path);
  ASSERT_TRUE(in_time.has("value=\"confirm\"")) << in_time.body;
  ahead_ms = 8 * 3600 * 1000 + 1000;
  EXPECT_EQ(answer(alice, late, in_time).status, 403);
  EXPECT_EQ(poll(late)["error"], "authorization_pending");
  // After a new sign-in it goes on where it was.
  const Reply again = alice.post("/sign-in", {{"token", page.field("token")},
                                              {"login", page.field("login")},
                                              {"name", "alice"},
                                              {"password", kPassword}});
  EXPECT_EQ(again.header("location"), s.path);
  ASSERT_EQ(answer(alice, s, alice.get(s.path)).status, 200);
  EXPECT_EQ(poll(s)["verdict"], "allow");
}

TEST_F(LoginTest, WithoutAResourceASignInThatOpensNothingIsNotEnough) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  ahead_ms = 9 * 3600 * 1000;
  const Started s = begin();
  EXPECT_TRUE(alice.get(s.path).has("too old to open anything")) << alice.get(s.path).body;
}

TEST_F(LoginTest, WhomThePolicyDoesNotLetInIsToldSo) {
  start();
  const Started s = begin(kBobPc, {{"resource", "payroll"}});
  auto bob = browser();
  const Reply page = confirm_page(bob, s, "bob");
  EXPECT_EQ(page.status, 403);
  EXPECT_TRUE(page.has("bob may not use payroll from there")) << page.body;
  EXPECT_FALSE(page.has("value=\"confirm\""));
}

TEST_F(LoginTest, TheSecondFactorIsAskedForFirstAndItsTimeIsInherited) {
  const std::string secret = add_vault();
  start();
  const Started s = begin(kBobPc, {{"resource", "vault"}});
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  EXPECT_TRUE(page.has("One more step to reach vault")) << page.body;
  EXPECT_FALSE(page.has("value=\"confirm\""));
  ahead_ms = 120'000;
  const Reply stepped = alice.post(
      "/step-up",
      {{"token", page.field("token")}, {"login", page.field("login")}, {"code", *otp_code(secret, now())}});
  ASSERT_EQ(stepped.status, 303) << stepped.body;
  EXPECT_EQ(stepped.header("location"), s.path);
  ahead_ms = 240'000;
  ASSERT_EQ(answer(alice, s, alice.get(s.path)).status, 200);
  EXPECT_EQ(poll(s)["verdict"], "allow");
  const Presence here = *there(kAliceMac), machine_has = *there();
  EXPECT_LT(here.signed_in, *here.second_factor);
  EXPECT_EQ(machine_has.signed_in, here.signed_in);
  EXPECT_EQ(machine_has.second_factor, here.second_factor);
  const auto way = way_of(
      db(), find_device(db(), "bob-pc").ok() ? find_device(db(), "bob-pc")->id : DeviceId(2), machine_has);
  EXPECT_EQ((*way)->methods, "pwd otp");
}

TEST_F(LoginTest, OnlyWhatThisBrowserHasShownIsHandedOn) {
  const std::string secret = add_vault();
  start();
  auto alice = browser(), thief = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  const Reply asked = alice.get("/step-up");
  ASSERT_EQ(
      alice.post("/step-up", {{"token", asked.field("token")}, {"code", *otp_code(secret, now())}}).status,
      303);
  const Started s = begin(kBobPc, {{"resource", "vault"}});
  EXPECT_TRUE(confirm_page(thief, s).has("One more step to reach vault")) << "she showed it, in her browser";
  const Started all = begin(kBobPc);
  ASSERT_EQ(answer(thief, all, thief.get(all.path)).status, 200) << "a password is enough for the rest";
  EXPECT_FALSE(there()->second_factor.has_value()) << "and the factor is not handed on with it";
  const Reply page = alice.get(s.path);
  ASSERT_TRUE(page.has("value=\"confirm\"")) << page.body;
  ASSERT_EQ(answer(alice, s, page).status, 200);
  EXPECT_EQ(poll(s)["verdict"], "allow");
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

TEST_F(LoginTest, WhoseSessionHasEndedConfirmsNothing) {
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  ASSERT_TRUE(end_sessions(db(), find_user(db(), "alice")->id, std::nullopt, now()).ok());
  EXPECT_TRUE(answer(alice, s, page).has("Sign in first"));
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  EXPECT_FALSE(there());
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

TEST_F(LoginTest, WrongCodesAreThrottledWhereTheyComeFromAndNowhereElse) {
  start();
  const Started s = begin();
  auto mallory = browser(kFarAway);
  int found = 0, throttled = 0;
  for (int i = 0; i < 200; ++i) {
    const Reply reply = mallory.get("/l/" + std::string(7, 'Z') + "0123456789"[i % 10]);
    found += reply.status == 404;
    throttled += reply.status == 429;
    EXPECT_EQ(reply.status == 429, !reply.header("retry-after").empty());
  }
  EXPECT_EQ(found, 10);
  EXPECT_EQ(throttled, 190);
  EXPECT_EQ(mallory.get(s.path).status, 429) << "not even the right one";
  EXPECT_EQ(mallory.get("/").status, 200) << "but signing in is another matter";
  // The code's forms are no way around it.
  EXPECT_EQ(mallory.post("/sign-in", {{"login", s.path.substr(3)}}).status, 429);
  auto alice = browser();
  EXPECT_TRUE(confirm_page(alice, s).has("value=\"confirm\""));
  stop();
  EXPECT_EQ(events("login.throttled"), 1U) << "once, not 190 times";
}

TEST_F(LoginTest, WrongCodesFromManyPlacesKeepNobodyOut) {
  start();
  const Started s = begin();
  for (int i = 0; i < 200; ++i) {
    const std::string from = "127.0.1." + std::to_string(i + 1);
    auto guesser = browser(from.c_str());
    ASSERT_EQ(guesser.get("/l/ZZZZZZZ" + std::to_string(i % 10)).status, 404) << i;
  }
  auto alice = browser();
  EXPECT_EQ(answer(alice, s, confirm_page(alice, s)).status, 200);
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

TEST_F(LoginTest, TheCodeCanBeTyped) {
  start();
  const Started s = begin();
  auto alice = browser();
  EXPECT_EQ(alice.get("/login?code=" + lower(s.user_code)).header("location"), s.path);
  EXPECT_EQ(alice.get("/login?code=%20" + s.path.substr(3) + "+").header("location"), s.path);
  for (const char* wrong : {"ABC", "%0d%0aLocation:x", "ABCDEFG%2f", "UUUUUUUU"}) {
    const Reply page = alice.get(std::string("/login?code=") + wrong);
    EXPECT_EQ(page.status, 400) << wrong;
    EXPECT_TRUE(page.has("aria-describedby=\"error\""));
  }
  EXPECT_EQ(alice.get("/login?code=1&code=2").status, 400);
  EXPECT_EQ(alice.get("/l/").status, 404);
  EXPECT_EQ(alice.get("/l/ABCDEFGH").status, 404);
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
  EXPECT_NE(told.find("\xe2\x96"), std::string::npos) << "half blocks: the QR code";
  const auto at = told.find("https://gate.test/l/");
  ASSERT_NE(at, std::string::npos);
  const Started s{"", "", told.substr(at + std::string("https://gate.test").size(), 11)};
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

TEST_F(LoginTest, ProgramsCanAnswerToo) {
  start();
  const Started s = begin(kBobPc, {{"resource", "payroll"}});
  auto alice = browser();
  alice.accept = "application/json";
  Json page = json_of(alice.get(s.path));
  EXPECT_EQ(page["signed_in"], false);
  page = json_of(alice.post("/sign-in", {{"token", page["token"].get<std::string>()},
                                         {"login", s.path.substr(3)},
                                         {"name", "alice"},
                                         {"password", kPassword}}));
  EXPECT_EQ(page["login"]["resource"], "payroll") << page.dump();
  EXPECT_EQ(page["login"]["code"], s.user_code);
  const Json done =
      json_of(alice.post(s.path, {{"token", page["token"].get<std::string>()}, {"answer", "confirm"}}));
  EXPECT_EQ(done["answer"], "confirm") << done.dump();
  EXPECT_EQ(poll(s)["signed_in"], true);
}

}  // namespace
}  // namespace nightlatch
