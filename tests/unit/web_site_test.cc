// The portal's pages and forms, over real sockets on a real store.
#include "web_fixture.h"

namespace nightlatch {
namespace {

using ::testing::Test;

TEST_F(SiteTest, TheCaptivePageSaysWhichResourceAndWhyAndLeadsBack) {
  start();
  auto alice = browser();
  const std::string code = hold("02:00:00:00:0a:11", "payroll", "http://10.88.0.2/report?year=2026&all=1");
  const Reply page = alice.get("/k/" + code);
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has("Sign in to reach payroll"));
  EXPECT_TRUE(page.has("payroll asks for a sign-in every 8 h; you are not signed in on this device."));
  EXPECT_FALSE(page.has("<script"));
  const Reply done = alice.sign_in(page, "alice", kPassword);
  ASSERT_EQ(done.status, 303) << done.body;
  EXPECT_EQ(done.header("location"), "/k/" + code);
  const Reply connected = alice.get("/k/" + code);
  EXPECT_EQ(connected.status, 200);
  EXPECT_TRUE(connected.has("Connected"));
  EXPECT_TRUE(connected.has("href=\"http://10.88.0.2/report?year=2026&amp;all=1\"")) << connected.body;
  ahead_ms = 9 * 3600 * 1000;
  const Reply again = alice.get("/k/" + hold());
  EXPECT_TRUE(again.has("payroll asks for a sign-in every 8 h; your last was 9 h ago on this device."))
      << again.body;
}

TEST_F(SiteTest, OnlyPlainHttpAddressesAreLinked) {
  start();
  auto alice = browser();
  for (const char* url : {"https://evil.test/", "javascript:alert(1)", "http://a\"b/", "http://a b/",
                          "http:///x", "http://10.88.0.2/<script>", "http://user@evil.test/"}) {
    const std::string code = hold("02:00:00:00:0a:11", "payroll", url);
    if (sign_ins() == 0) {
      ASSERT_EQ(alice.sign_in(alice.get("/k/" + code), "alice", kPassword).status, 303);
    }
    const Reply page = alice.get("/k/" + code);
    EXPECT_TRUE(page.has("Connected"));
    EXPECT_FALSE(page.has("href=\"http") || page.has("javascript:")) << url;
  }
}

TEST_F(SiteTest, AnotherDevicesHoldIsNobodysBusiness) {
  start();
  auto bob = browser(kBobPc);
  const Reply page = bob.get("/k/" + hold());
  EXPECT_EQ(page.status, 200);
  EXPECT_FALSE(page.has("payroll"));
  EXPECT_EQ(page.field("hold"), "");
  // Nor by a form that names it.
  const Reply wrong = bob.post("/sign-in", {{"token", page.field("token")}, {"hold", hold()}, {"name", "x"}});
  EXPECT_FALSE(wrong.has("payroll"));
}

TEST_F(SiteTest, CodesThatNeverWereAre404WithAWayOn) {
  start();
  auto alice = browser();
  for (const char* code : {"AAAAAA", "", "%00", "%zz", "../etc", "'; --", "<b>"}) {
    std::string path = std::string("/k/") + code;
    if (path.find(' ') != std::string::npos) path = "/k/%20";
    const Reply page = alice.get(path);
    EXPECT_EQ(page.status, 404) << code;
    EXPECT_TRUE(page.has("href=\"/\""));
  }
  std::string spoken = hold();
  for (char& c : spoken) {
    if (c == '0') c = 'o';
    if (c == '1') c = 'l';
  }
  EXPECT_TRUE(alice.get("/k/" + lower(spoken)).has("payroll")) << "read aloud and typed";
  ahead_ms = 3601 * 1000;
  EXPECT_EQ(alice.get("/k/" + spoken).status, 404) << "an hour later";
}

TEST_F(SiteTest, AWrongPasswordAndAnUnknownNameLookTheSame) {
  start();
  auto alice = browser();
  const std::string code = hold();
  std::vector<std::string> bodies;
  for (const char* name : {"alice", "mallory", "no such\nname"}) {
    const Reply reply = alice.sign_in(alice.get("/k/" + code), name, "not the password");
    EXPECT_EQ(reply.status, 403);
    EXPECT_TRUE(reply.has("The name or the password is not right."));
    EXPECT_TRUE(reply.has("aria-describedby=\"error\""));
    std::string body = reply.body;
    for (auto at = body.find("value=\""); at != std::string::npos; at = body.find("value=\"", at + 1)) {
      body.erase(at + 7, body.find('"', at + 7) - at - 7);
    }
    bodies.push_back(body);
  }
  EXPECT_EQ(bodies[0], bodies[1]);
  EXPECT_EQ(bodies[0], bodies[2]);
  EXPECT_EQ(sign_ins(), 0U);
  stop();
  for (const AuditRow& row : log()) EXPECT_NE(row.event.user, "mallory") << "it may have been a password";
}

TEST_F(SiteTest, ADisabledUserIsNotToldApartEither) {
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  start();
  auto alice = browser();
  const Reply reply = alice.sign_in(alice.get("/"), "alice", kPassword);
  EXPECT_EQ(reply.status, 403);
  EXPECT_TRUE(reply.has("The name or the password is not right."));
  EXPECT_EQ(sign_ins(), 0U);
}

TEST_F(SiteTest, OnASharedDeviceEachBrowserIsItsOwnUsers) {
  NewDevice terminal;
  terminal.name = "terminal";
  terminal.addresses = {*IpAddress::parse(kFarAway)};
  terminal.shared = true;
  ASSERT_TRUE(add_device(db(), terminal).ok());
  start();
  auto alice = browser(kFarAway), bob = browser(kFarAway);
  const std::string code = hold(kFarAway, "payroll");
  const Reply page = alice.get("/k/" + code);
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has("Several people share this address")) << page.body;
  ASSERT_EQ(alice.sign_in(page, "alice", kPassword).status, 303);
  EXPECT_TRUE(alice.get("/k/" + code).has("Connected"));
  EXPECT_TRUE(alice.get("/k/" + code).has("application password"));

  EXPECT_FALSE(bob.get("/me").has("alice")) << "who else is here is nobody's business";
  const Reply his = bob.get("/k/" + code);
  EXPECT_FALSE(his.has("Connected") || his.has("alice")) << his.body;
  ASSERT_EQ(bob.sign_in(his, "bob", kPassword).status, 303);
  EXPECT_TRUE(bob.get("/k/" + code).has("bob may not use payroll"));
  EXPECT_TRUE(bob.get("/me").has("wiki"));
  EXPECT_FALSE(bob.get("/me").has("payroll"));
  EXPECT_TRUE(alice.get("/me").has("payroll")) << "no hand-over";
  EXPECT_EQ(list_presence(db())->size(), 2U);

  const Reply mine = alice.get("/me");
  EXPECT_TRUE(mine.has("Several people share this address"));
  Reply half = mine;
  half.body = mine.body.substr(mine.body.find("action=\"/me/sign-out\""));
  EXPECT_EQ(alice.post("/me/sign-out", {{"token", half.field("token")}}).status, 200);
  EXPECT_FALSE(alice.get("/me").has("payroll"));
  EXPECT_TRUE(bob.get("/me").has("wiki")) << "his session is his";
}

TEST_F(SiteTest, AFormIsGoodOnceInItsOwnBrowserOnly) {
  start();
  auto alice = browser();
  const Reply page = alice.get("/");
  auto stranger = browser();
  EXPECT_EQ(stranger.sign_in(page, "alice", kPassword).status, 403) << "no cookie";
  stranger.get("/");
  EXPECT_EQ(stranger.sign_in(page, "alice", kPassword).status, 403) << "another cookie";
  const std::map<std::string, std::string> fields{
      {"token", page.field("token")}, {"name", "alice"}, {"password", kPassword}};
  EXPECT_EQ(alice.post("/sign-in", fields, {"Origin: https://evil.test"}).status, 403);
  EXPECT_EQ(alice.post("/sign-in", fields, {"Origin: null", "Sec-Fetch-Site: cross-site"}).status, 403);
  EXPECT_EQ(alice.post("/sign-in", fields, {"Sec-Fetch-Site: same-site"}).status, 403);
  EXPECT_EQ(sign_ins(), 0U);
  EXPECT_EQ(alice.post("/sign-in", fields, {"Origin: null", "Sec-Fetch-Site: same-origin"}).status, 303);
  const Reply replayed = alice.post("/sign-in", fields, {"Origin: https://gate.test"});
  EXPECT_EQ(replayed.status, 403);
  EXPECT_EQ(sign_ins(), 1U);
  EXPECT_NE(replayed.field("token"), page.field("token")) << "with a fresh form";
}

TEST_F(SiteTest, MeBelongsToTheBrowserThatSignedIn) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).header("location"), "/me");
  const Reply me = alice.get("/me");
  EXPECT_TRUE(me.has("<strong>alice</strong>"));
  EXPECT_TRUE(me.has("payroll") && me.has("wiki") && me.has("7 h 59 min left")) << me.body;
  EXPECT_EQ(alice.get("/").header("location"), "/me");
  auto other = browser();
  EXPECT_FALSE(other.get("/me").has("alice")) << "another browser on the same laptop";
  auto stolen = browser(kBobPc);
  stolen.cookies = alice.cookies;
  EXPECT_FALSE(stolen.get("/me").has("alice")) << "the cookie on another laptop";

  const Reply form = alice.post("/me/renew", {{"token", me.field("token")}});
  EXPECT_EQ(form.status, 200);
  EXPECT_TRUE(form.has("value=\"alice\""));
  EXPECT_EQ(alice.sign_in(form, "alice", kPassword).status, 303);
  EXPECT_EQ(sign_ins(), 2U);

  const Reply page = alice.get("/me");
  const auto at = page.body.find("action=\"/me/sign-out\"");
  Reply half = page;
  half.body = page.body.substr(at);
  EXPECT_EQ(alice.post("/me/sign-out", {{"token", page.field("token")}}).status, 403)
      << "the other form's token";
  EXPECT_EQ(alice.post("/me/sign-out", {{"token", half.field("token")}}).status, 200);
  EXPECT_FALSE(alice.get("/me").has("alice"));
  EXPECT_TRUE(list_presence(db())->empty());
}

TEST_F(SiteTest, AHandOverEndsTheFirstAndIsAudited) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  auto bob = browser();
  ASSERT_EQ(bob.sign_in(bob.get("/"), "bob", kPassword).status, 303);
  EXPECT_FALSE(alice.get("/me").has("alice"));
  EXPECT_TRUE(bob.get("/me").has("bob"));
  const Reply denied = bob.get("/k/" + hold());
  EXPECT_TRUE(denied.has("bob may not use payroll")) << denied.body;
  EXPECT_TRUE(denied.has("Sign in as someone else"));
  EXPECT_FALSE(alice.get("/k/" + hold()).has("bob")) << "who it is, is told to the browser that signed in";
  stop();
  std::vector<std::string> events;
  for (const AuditRow& row : log()) events.push_back(row.event.event + ":" + row.event.user);
  EXPECT_EQ(events, (std::vector<std::string>{"device.enrolled:alice", "sign_in:alice", "sign_in:bob",
                                              "session.end:alice", "device.shared_suspected:bob"}));
}

TEST_F(SiteTest, GuessingIsStoppedWhereItComesFromAndNowhereElse) {
  start();
  auto alice = browser();
  Reply page = alice.get("/");
  for (int i = 0; i < 5; ++i) {
    page = alice.sign_in(page, "alice", "wrong guess");
    ASSERT_EQ(page.status, 403);
  }
  const Reply stopped = alice.sign_in(page, "alice", kPassword);
  EXPECT_EQ(stopped.status, 429);
  EXPECT_GT(std::stoi(stopped.header("retry-after")), 200);
  EXPECT_EQ(sign_ins(), 0U);
  EXPECT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 429);
  auto elsewhere = browser(kBobPc);
  EXPECT_EQ(elsewhere.sign_in(elsewhere.get("/"), "alice", kPassword).status, 303);
  stop();
  std::map<std::string, int> events;
  for (const AuditRow& row : log()) ++events[row.event.event];
  EXPECT_EQ(events["sign_in.refused"], 5);
  EXPECT_EQ(events["sign_in.throttled"], 1);
}

TEST_F(SiteTest, DevicesAreTakenInAsTheSettingSays) {
  ASSERT_TRUE(set_setting(db(), "enrol", "approve").ok());
  start();
  auto alice = browser();
  const std::string code = hold();
  ASSERT_EQ(alice.sign_in(alice.get("/k/" + code), "alice", kPassword).status, 303);
  const Reply waits = alice.get("/k/" + code);
  EXPECT_TRUE(waits.has("waits for an administrator")) << waits.body;
  const std::string device = list_devices(db())->front().name;
  EXPECT_EQ(device, "pc-0a11");
  ASSERT_TRUE(set_device_state(db(), device, DeviceState::active).ok());
  EXPECT_TRUE(alice.get("/k/" + code).has("Connected")) << "without another sign-in";
  ASSERT_TRUE(set_device_state(db(), device, DeviceState::revoked).ok());
  EXPECT_EQ(alice.get("/k/" + code).status, 403);
  ASSERT_TRUE(set_setting(db(), "enrol", "closed").ok());
  auto bob = browser(kBobPc);
  const Reply refused = bob.get("/");
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused.has("02:00:00:00:0b:0b")) << "what to tell the admin";
  auto far = browser(kFarAway);
  EXPECT_TRUE(far.get("/").has(kFarAway));
}

TEST_F(SiteTest, EachClientGetsWhatItAskedFor) {
  start();
  auto curl = browser();
  curl.accept = "*/*";
  const std::string code = hold();
  const Reply text = curl.get("/k/" + code);
  EXPECT_EQ(text.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_FALSE(text.has("<"));
  EXPECT_TRUE(text.has("payroll asks for a sign-in every 8 h") && text.has("https://gate.test/k/" + code));
  auto program = browser();
  program.accept = "application/json";
  const Reply json = program.get("/k/" + code);
  EXPECT_EQ(json.header("content-type"), "application/json");
  for (const char* part : {R"("verdict":"sign_in")", R"("reason":"no_sign_in")", R"("resource":"payroll")"}) {
    EXPECT_TRUE(json.has(part)) << json.body;
  }
  const auto at = json.body.find("\"token\":\"") + 9;
  const std::string token = json.body.substr(at, json.body.find('"', at) - at);
  const Reply done = program.post(
      "/sign-in", {{"token", token}, {"hold", code}, {"name", "alice"}, {"password", kPassword}});
  EXPECT_EQ(done.status, 200);
  EXPECT_TRUE(done.has(R"("verdict":"allow")") && done.has("\"until\":")) << done.body;
  EXPECT_TRUE(program.get("/me").has(R"("user":"alice")"));
  const Reply captive = program.get("/captive");
  EXPECT_EQ(captive.header("content-type"), "application/captive+json");
  EXPECT_TRUE(captive.has(R"("captive":false,"user-portal-url":"https://gate.test/")"));
  EXPECT_TRUE(captive.has("\"seconds-remaining\":287")) << captive.body;
}

TEST_F(SiteTest, PathsMethodsAndHostsThatAreNone) {
  start();
  auto alice = browser();
  EXPECT_EQ(alice.get("/nothing").status, 404);
  EXPECT_EQ(alice.get("//evil.test/").status, 404);
  const Reply method = alice.ask("DELETE", "/me");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("allow"), "GET, HEAD");
  EXPECT_EQ(alice.ask("TRACE", "/").status, 405);
  EXPECT_EQ(alice.get("/sign-in").status, 303);
  alice.host = "evil.test";
  const Reply host = alice.get("/");
  EXPECT_EQ(host.status, 421);
  EXPECT_FALSE(host.has("evil"));
  alice.host = "GATE.test.:443";
  EXPECT_EQ(alice.get("/").status, 200);
  EXPECT_EQ(alice.ask("HEAD", "/").status, 200);
  EXPECT_EQ(alice.get("/readyz").status, 200);
  EXPECT_EQ(alice.ask("POST", "/sign-in", "{}", {"Content-Type: text/plain"}).status, 415);
  EXPECT_EQ(alice.ask("POST", "/sign-in", "name=%zz").status, 400);
}

TEST_F(SiteTest, EveryAnswerCarriesItsHeaders) {
  start();
  auto alice = browser();
  for (const char* path :
       {"/", "/me", "/k/AAAAAA", "/nothing", "/captive", "/healthz", "/ca.pem", "/assets/style.css"}) {
    const Reply reply = alice.get(path);
    EXPECT_TRUE(reply.header("content-security-policy").starts_with("default-src 'none'")) << path;
    EXPECT_EQ(reply.header("x-content-type-options"), "nosniff") << path;
    EXPECT_EQ(reply.header("referrer-policy"), "no-referrer") << path;
    for (const auto& [name, value] : reply.headers) {
      if (name != "set-cookie") continue;
      EXPECT_TRUE(value.starts_with("__Host-") &&
                  value.find("; Path=/; Secure; HttpOnly; SameSite=Lax") != std::string::npos)
          << value;
    }
  }
  EXPECT_EQ(alice.get("/").header("cache-control"), "no-store");
}

TEST_F(SiteTest, ThePlainPortOnlyLeadsOn) {
  start();
  BrowserStandIn alice(plain_port, kAlicePc);
  alice.host = "gate.test";
  const Reply ours = alice.get("/k/ABCD?x=1");
  EXPECT_EQ(ours.status, 308);
  EXPECT_EQ(ours.header("location"), "https://gate.test/k/ABCD?x=1");
  alice.host = "evil.test";
  EXPECT_EQ(alice.get("/generate_204").header("location"), "https://gate.test/");
  EXPECT_EQ(alice.post("/sign-in", {{"password", "x"}}).status, 405);
  EXPECT_EQ(alice.get("/ca.pem").status, 200);
  EXPECT_EQ(alice.get("/healthz").status, 200);
}

TEST_F(SiteTest, ABusyStoreIs503AndNothingIsClaimed) {
  start();
  auto alice = browser();
  const Reply page = alice.get("/");
  auto held = Transaction::begin(db());
  ASSERT_TRUE(held.ok());
  const auto began = BootClock::now();
  const Reply busy = alice.sign_in(page, "alice", kPassword);
  EXPECT_EQ(busy.status, 503) << busy.body;
  EXPECT_NE(busy.header("retry-after"), "");
  EXPECT_FALSE(alice.cookies.contains("__Host-nl"));
  EXPECT_LT(BootClock::now() - began, Millis(15000));
  EXPECT_EQ(sign_ins(), 0U);
  {
    const Transaction let_go = std::move(*held);
  }
  EXPECT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303) << "and then it works";
}

TEST_F(SiteTest, TheLoopAnswersWhileTheStoreIsBusy) {
  start();
  auto alice = browser();
  const Reply page = alice.get("/");
  auto held = Transaction::begin(db());
  ASSERT_TRUE(held.ok());
  std::thread waiting([&] { EXPECT_EQ(alice.sign_in(page, "alice", kPassword).status, 503); });
  auto bob = browser(kBobPc);
  const auto began = BootClock::now();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bob.get("/").status, 200);
  EXPECT_LT(BootClock::now() - began, Millis(2000));
  waiting.join();
}

}  // namespace
}  // namespace nightlatch
