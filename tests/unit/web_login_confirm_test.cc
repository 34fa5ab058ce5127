// Logins for machines without a browser: the page on which a person elsewhere confirms one, who may, and what
// is handed on.
#include "web_login_fixture.h"

namespace nightlatch {
namespace {

class LoginConfirmTest : public LoginTest {};

TEST_F(LoginConfirmTest, ARefusalEndsIt) {
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

TEST_F(LoginConfirmTest, ACodeIsGoodOnce) {
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

TEST_F(LoginConfirmTest, OnlyTheBrowserAndTheDeviceThatWereShownItMayConfirm) {
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

TEST_F(LoginConfirmTest, TheAgeIsInheritedAndNoPolicyIsFooledByIt) {
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

TEST_F(LoginConfirmTest, WithoutAResourceASignInThatOpensNothingIsNotEnough) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  ahead_ms = 9 * 3600 * 1000;
  const Started s = begin();
  EXPECT_TRUE(alice.get(s.path).has("too old to open anything")) << alice.get(s.path).body;
}

TEST_F(LoginConfirmTest, WhomThePolicyDoesNotLetInIsToldSo) {
  start();
  const Started s = begin(kBobPc, {{"resource", "payroll"}});
  auto bob = browser();
  const Reply page = confirm_page(bob, s, "bob");
  EXPECT_EQ(page.status, 403);
  EXPECT_TRUE(page.has("bob may not use payroll from there")) << page.body;
  EXPECT_FALSE(page.has("value=\"confirm\""));
}

TEST_F(LoginConfirmTest, TheSecondFactorIsAskedForFirstAndItsTimeIsInherited) {
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

TEST_F(LoginConfirmTest, OnlyWhatThisBrowserHasShownIsHandedOn) {
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

TEST_F(LoginConfirmTest, WhoseSessionHasEndedConfirmsNothing) {
  start();
  const Started s = begin();
  auto alice = browser();
  const Reply page = confirm_page(alice, s);
  ASSERT_TRUE(end_sessions(db(), find_user(db(), "alice")->id, std::nullopt, now()).ok());
  EXPECT_TRUE(answer(alice, s, page).has("Sign in first"));
  EXPECT_EQ(poll(s)["error"], "authorization_pending");
  EXPECT_FALSE(there());
}

TEST_F(LoginConfirmTest, WrongCodesAreThrottledWhereTheyComeFromAndNowhereElse) {
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

TEST_F(LoginConfirmTest, WrongCodesFromManyPlacesKeepNobodyOut) {
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

TEST_F(LoginConfirmTest, TheCodeCanBeTyped) {
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

TEST_F(LoginConfirmTest, ProgramsCanAnswerToo) {
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

TEST_F(LoginTest, WhatAnotherSitesPageEmbedsIsNobodysGuess) {
  start();
  const Started s = begin();
  auto alice = browser(kAlicePc);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(alice
                  .get("/l/0000000" + std::to_string(i % 10),
                       {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"})
                  .status,
              403);
  }
  for (int i = 0; i < 12; ++i) {
    const std::string path = "/l/0000000" + std::to_string(i % 10);
    EXPECT_EQ(alice.post(path, {}, {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: empty"}).status, 403);
  }
  // A link in a mail is a visit.
  EXPECT_TRUE(
      alice.get(s.path, {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"}).has("Sign in first"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(
        alice
            .get("/l/0000000" + std::to_string(i), {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"})
            .status,
        404);
  }
  EXPECT_EQ(alice.get(s.path).status, 429) << "and such a guess counts";
}

TEST_F(LoginTest, WhoIsRefusedAnywayWaitsForNoWriting) {
  start();
  const Started first = begin();
  for (int i = 0; i < 4; ++i) begin();
  EXPECT_EQ(machine(kBobPc, "/login/cancel", {{"device_code", first.device_code}}).status, 200);
  begin();
  const auto busy = Transaction::begin(db());  // nobody else writes now
  ASSERT_TRUE(busy.ok());
  EXPECT_EQ(machine(kBobPc, "/login/start").status, 429);
  EXPECT_EQ(machine(kBobPc, "/login/cancel", {{"device_code", first.device_code}}).status, 200);
}

}  // namespace
}  // namespace nightlatch
