// Second factors on the portal: asked for only where a policy does, shown once, looked after by their users.
#include "auth/otp.h"
#include "auth/second_factor.h"
#include "qr_reader.h"
#include "store/factors.h"
#include "web_fixture.h"

namespace nightlatch {
namespace {

class StepUpTest : public SiteTest {
 protected:
  void SetUp() override {
    SiteTest::SetUp();
    ASSERT_TRUE(
        add_resource(db(), "vault", {Target{*Prefix::parse("10.88.0.3/32"), PortRange{80, 80}}}).ok());
    NewPolicy policy;
    policy.name = "vault";
    policy.resources = {"vault"};
    policy.groups = {"staff"};
    policy.terms.session = Seconds(12 * 3600);
    policy.terms.mfa = Seconds(3600);
    ASSERT_TRUE(add_policy(db(), policy).ok());
  }
  void give_otp(const char* user = "alice") {
    ASSERT_TRUE(keep_otp_secret(db(), find_user(db(), user)->id, secret_, 0, now()).ok());
  }
  std::string code() { return *otp_code(secret_, now()); }
  // Signed in with the password, and asked for the rest.
  Reply asked(BrowserStandIn& who, const char* user = "alice") {
    const std::string vault = hold("02:00:00:00:0a:11", "vault");
    EXPECT_EQ(who.sign_in(who.get("/k/" + vault), user, kPassword).status, 303);
    return who.get("/k/" + vault);
  }
  static Reply send(BrowserStandIn& who, const Reply& page, const std::string& code) {
    return who.post("/step-up",
                    {{"token", page.field("token")}, {"hold", page.field("hold")}, {"code", code}});
  }
  // What was sent before has been read: a second connection is answered only after a round of all.
  void wait_for_the_loop() {
    auto other = browser(kBobPc);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(other.get("/healthz").status, 200);
  }
  static void renew(BrowserStandIn& who) {
    Reply me = who.get("/me");
    me.body = me.body.substr(std::min(me.body.find("action=\"/me/renew\""), me.body.size()));
    const Reply form = who.post("/me/renew", {{"token", me.field("token")}});
    EXPECT_EQ(who.sign_in(form, "alice", kPassword).status, 303) << form.body;
  }
  // Waits until the log, which is written in batches, has so many of these.
  bool logged(std::size_t times, const std::string& event, const std::string& reason = "") {
    for (int tries = 0; tries < 5000; ++tries, usleep(1000)) {
      std::size_t count = 0;
      for (const AuditRow& row : log()) {
        if (row.event.event == event && (reason.empty() || row.event.reason == reason)) ++count;
      }
      if (count == times) return true;
    }
    return false;
  }
  const std::string secret_ = make_otp_secret();
};

TEST_F(StepUpTest, OnlyTheMissingFactorIsAskedForAndOpens) {
  give_otp();
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has("One more step to reach vault")) << page.body;
  EXPECT_FALSE(page.has("type=\"password\""));
  EXPECT_TRUE(alice.get("/k/" + hold()).has("Connected")) << "payroll does not ask for it";
  const Reply wrong = send(alice, page, "000000");
  EXPECT_EQ(wrong.status, 403);
  EXPECT_TRUE(wrong.has("That code is not right."));
  const Reply done = send(alice, wrong, code());
  ASSERT_EQ(done.status, 303) << done.body;
  EXPECT_EQ(done.header("location"), "/k/" + page.field("hold"));
  EXPECT_TRUE(alice.get("/k/" + page.field("hold")).has("Connected"));
  EXPECT_TRUE(logged(1, "step_up"));
  EXPECT_TRUE(logged(1, "step_up.refused", "wrong_code"));
  // An hour later the factor is asked for again, and the password is not.
  ahead_ms = 61 * 60 * 1000;
  const Reply again = alice.get("/k/" + hold("02:00:00:00:0a:11", "vault"));
  EXPECT_TRUE(again.has("One more step to reach vault"));
  EXPECT_EQ(send(alice, again, code()).status, 303);
  EXPECT_EQ(sign_ins(), 3U) << "one password, two codes";
  // Thirteen hours later the password is, and then both are old.
  ahead_ms = 13 * 3600 * 1000;
  EXPECT_TRUE(alice.get("/k/" + hold("02:00:00:00:0a:11", "vault")).has("type=\"password\""));
}

TEST_F(StepUpTest, ACodeIsGoodOnceOnWhicheverDevice) {
  give_otp();
  start();
  auto alice = browser();
  auto elsewhere = browser(kBobPc);
  const Reply page = asked(alice);
  elsewhere.sign_in(elsewhere.get("/"), "alice", kPassword);
  const std::string used = code();
  EXPECT_EQ(send(alice, page, used).status, 303);
  const Reply late = send(elsewhere, elsewhere.get("/step-up"), used);
  EXPECT_EQ(late.status, 403);
  EXPECT_TRUE(late.has("That code has been used.")) << late.body;
  EXPECT_TRUE(logged(1, "step_up.refused", "code_used_before"));
}

TEST_F(StepUpTest, AFactorIsNotShownByABrowserThatIsNotSignedIn) {
  give_otp();
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  auto other = browser();  // on the same laptop
  const Reply form = other.get("/k/" + page.field("hold"));
  EXPECT_TRUE(form.has("type=\"password\"")) << form.body;
  EXPECT_EQ(send(other, form, code()).status, 403);
  // Nor with the other browser's token.
  EXPECT_EQ(send(other, page, code()).status, 403);
  EXPECT_TRUE(logged(0, "step_up"));
  EXPECT_EQ(send(alice, page, code()).status, 303) << "and the code was not used up";
}

TEST_F(StepUpTest, ACodeCanComeWithThePassword) {
  give_otp();
  start();
  auto alice = browser();
  const std::string vault = hold("02:00:00:00:0a:11", "vault");
  const auto both = [&](const std::string& password, const std::string& code) {
    const Reply page = alice.get("/k/" + vault);
    return alice.post("/sign-in", {{"token", page.field("token")},
                                   {"hold", vault},
                                   {"name", "alice"},
                                   {"password", password},
                                   {"code", code}});
  };
  const std::string right = code();
  EXPECT_EQ(both("not her password", right).status, 403);
  EXPECT_EQ(both(kPassword, "123456").status, 403);
  EXPECT_EQ(sign_ins(), 0U) << "a wrong code records nothing";
  EXPECT_EQ(both(kPassword, right).status, 303) << "the wrong password had not used it up";
  EXPECT_TRUE(alice.get("/k/" + vault).has("Connected"));
  EXPECT_EQ(both(kPassword, right).status, 403) << "but now it is";
}

TEST_F(StepUpTest, WhoHasNoFactorIsToldWhereToSetOneUp) {
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  EXPECT_TRUE(page.has("vault asks for more than a password"));
  EXPECT_TRUE(page.has("href=\"/me/factors\""));
  stop();
  ASSERT_TRUE(set_setting(db(), "factors.enrol", "admin").ok());
  start();
  auto again = browser();
  const Reply told = asked(again);
  EXPECT_FALSE(told.has("href=\"/me/factors\""));
  EXPECT_TRUE(told.has("An administrator can give you one."));
  EXPECT_TRUE(again.get("/me/factors").has("An administrator sets these up."));
}

// From nothing to a fresh factor, as a person does it.
TEST_F(StepUpTest, SettingUpAnAuthenticatorIsAStepUp) {
  start();
  auto alice = browser();
  asked(alice);
  const Reply factors = alice.get("/me/factors");
  EXPECT_TRUE(factors.has("Set up an authenticator")) << factors.body;
  const Reply setup = alice.post("/me/factors/otp", {{"token", factors.field("token")}});
  EXPECT_TRUE(setup.has("<svg "));
  const auto secret = from_base32(setup.field("secret"));
  ASSERT_TRUE(secret && secret->size() == 20) << setup.body;
  EXPECT_EQ(read_svg_qr(setup.body),
            "otpauth://totp/gate.test:alice?secret=" + setup.field("secret") + "&issuer=gate.test");
  const auto confirm = [&](const Reply& page, const std::string& key, const std::string& code) {
    return alice.post("/me/factors/otp/confirm",
                      {{"token", page.field("token")}, {"secret", key}, {"code", code}});
  };
  EXPECT_EQ(confirm(setup, base32(make_otp_secret()), "123456").status, 403) << "another secret";
  EXPECT_FALSE(find_factors(db(), find_user(db(), "alice")->id)->any());
  const Reply fresh = alice.post("/me/factors/otp", {{"token", alice.get("/me/factors").field("token")}});
  const std::string key = fresh.field("secret");
  const Reply wrong = confirm(fresh, key, "000000");
  EXPECT_EQ(wrong.status, 403);
  EXPECT_EQ(wrong.field("secret"), key) << "the telephone has it already";
  const std::string used = *otp_code(*from_base32(key), now());
  const Reply done = confirm(wrong, key, used);
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_TRUE(done.has("Your authenticator is set up"));
  EXPECT_EQ(find_factors(db(), find_user(db(), "alice")->id)->recovery_codes, 10);
  EXPECT_TRUE(alice.get("/k/" + hold("02:00:00:00:0a:11", "vault")).has("Connected"));
  EXPECT_TRUE(logged(1, "factor.added"));
  // The code that set it up has been used.
  auto another = browser();
  const Reply late =
      send(another, (another.sign_in(another.get("/"), "alice", kPassword), another.get("/step-up")), used);
  EXPECT_EQ(late.status, 403) << late.body;
  EXPECT_TRUE(logged(1, "step_up.refused", "code_used_before"));
}

TEST_F(StepUpTest, FactorsAreChangedOnlyByWhoHasJustProvenEverything) {
  give_otp();
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  EXPECT_TRUE(alice.get("/me/factors").has("show the factor that you have"));
  EXPECT_FALSE(alice.get("/me/factors").has("Replace the authenticator"));
  ASSERT_EQ(send(alice, page, code()).status, 303);
  const Reply open = alice.get("/me/factors");
  EXPECT_TRUE(open.has("Replace the authenticator"));
  ahead_ms = 11 * 60 * 1000;
  EXPECT_TRUE(alice.get("/me/factors").has("sign in again first"));
  const Reply stale = alice.post("/me/factors/remove", {{"token", open.field("token")}, {"kind", "otp"}});
  EXPECT_EQ(stale.status, 403);
  EXPECT_TRUE(find_factors(db(), find_user(db(), "alice")->id)->otp_since.has_value());
}

// Behind one address, or at a device that is shared, two browsers are in the same session.
TEST_F(StepUpTest, WhatAnotherBrowserHasShownIsNotThisOnes) {
  give_otp();
  start();
  auto alice = browser(), thief = browser();
  ASSERT_EQ(send(alice, asked(alice), code()).status, 303);
  ASSERT_EQ(thief.sign_in(thief.get("/"), "alice", kPassword).status, 303);
  EXPECT_TRUE(thief.get("/k/" + hold("02:00:00:00:0a:11", "vault")).has("Connected"))
      << "flows have no browser";
  EXPECT_TRUE(thief.get("/me/factors").has("show the factor that you have"));
  const Reply open = alice.get("/me/factors");
  EXPECT_TRUE(open.has("Replace the authenticator")) << open.body;
  EXPECT_EQ(thief.post("/me/factors/remove", {{"token", open.field("token")}, {"kind", "otp"}}).status, 403);
  EXPECT_TRUE(find_factors(db(), find_user(db(), "alice")->id)->otp_since.has_value());
  // A sign-in in one browser is none in the other.
  ahead_ms = 11 * 60 * 1000;
  renew(thief);
  EXPECT_TRUE(thief.get("/me/factors").has("show the factor that you have"));
  EXPECT_TRUE(alice.get("/me/factors").has("sign in again first"));
}

TEST_F(StepUpTest, WhatThisBrowserHasShownOutlastsItsNextSignIn) {
  give_otp();
  start();
  auto alice = browser();
  ASSERT_EQ(send(alice, asked(alice), code()).status, 303);
  const std::string first = alice.cookies["__Host-nl"];
  renew(alice);
  EXPECT_NE(alice.cookies["__Host-nl"], first);
  EXPECT_TRUE(alice.get("/me/factors").has("Replace the authenticator"));
}

TEST_F(StepUpTest, AChangeThatWaitedIsMadeOnlyIfItIsStillAllowed) {
  start();
  auto alice = browser();
  asked(alice);
  const Reply setup = alice.post("/me/factors/otp", {{"token", alice.get("/me/factors").field("token")}});
  const std::string key = setup.field("secret");
  const UserId who = find_user(db(), "alice")->id;
  auto held = Transaction::begin(db());
  ASSERT_TRUE(held.ok());
  Wire confirm = alice.begin(
      "POST", "/me/factors/otp/confirm",
      form_encode(
          {{"token", setup.field("token")}, {"secret", key}, {"code", *otp_code(*from_base32(key), now())}}));
  wait_for_the_loop();
  ASSERT_TRUE(end_sessions(db(), who, std::nullopt, now()).ok());
  ASSERT_TRUE(held->commit().ok());
  const Reply done = alice.end(confirm);
  EXPECT_EQ(done.status, 403) << done.body;
  EXPECT_TRUE(done.has("type=\"password\"")) << done.body;
  EXPECT_FALSE(done.has("was sent before")) << done.body;
  EXPECT_FALSE(find_factors(db(), who)->any());
}

TEST_F(StepUpTest, AFactorThatIsReplacedMeanwhileOpensNoChange) {
  give_otp();
  start();
  auto alice = browser();
  ASSERT_EQ(send(alice, asked(alice), code()).status, 303);
  Reply factors = alice.get("/me/factors");
  factors.body = factors.body.substr(
      std::min(factors.body.find("action=\"/me/factors/recovery\""), factors.body.size()));
  auto held = Transaction::begin(db());
  ASSERT_TRUE(held.ok());
  Wire sent = alice.begin("POST", "/me/factors/recovery", form_encode({{"token", factors.field("token")}}));
  wait_for_the_loop();
  give_otp();  // by an administrator, who has heard that the old one is in other hands
  ASSERT_TRUE(held->commit().ok());
  const Reply done = alice.end(sent);
  EXPECT_EQ(done.status, 403) << done.body;
  EXPECT_TRUE(done.has("show the factor that you have")) << done.body;
  EXPECT_EQ(find_factors(db(), find_user(db(), "alice")->id)->recovery_codes, 0);
}

TEST_F(StepUpTest, APasswordThatIsChangedMeanwhileIsNoSignIn) {
  start();
  auto alice = browser();
  const Reply page = alice.get("/");
  auto held = Transaction::begin(db());
  ASSERT_TRUE(held.ok());
  Wire sign_in =
      alice.begin("POST", "/sign-in",
                  form_encode({{"token", page.field("token")}, {"name", "alice"}, {"password", kPassword}}));
  wait_for_the_loop();
  ASSERT_TRUE(set_password(db(), "alice", *hash_password("another horse battery")).ok());
  ASSERT_TRUE(held->commit().ok());
  const Reply done = alice.end(sign_in);
  EXPECT_EQ(done.status, 403) << done.body;
  EXPECT_TRUE(done.has("The name or the password is not right.")) << done.body;
  EXPECT_EQ(sign_ins(), 0U);
}

TEST_F(StepUpTest, WrongCodesAreThrottledAndThePasswordStaysFree) {
  give_otp();
  start();
  auto alice = browser();
  Reply page = asked(alice);
  for (int i = 0; i < 5; ++i) page = send(alice, page, "00000" + std::to_string(i));
  const Reply stopped = send(alice, alice.get("/k/" + hold("02:00:00:00:0a:11", "vault")), code());
  EXPECT_EQ(stopped.status, 429) << "the right one too, from here";
  auto elsewhere = browser(kFarAway);
  ASSERT_EQ(elsewhere.sign_in(elsewhere.get("/"), "alice", kPassword).status, 303);
  EXPECT_EQ(send(elsewhere, elsewhere.get("/step-up"), code()).status, 303) << "but not from elsewhere";
}

TEST_F(StepUpTest, APasswordDoesNotForgiveWrongCodes) {
  give_otp();
  start();
  auto alice = browser();
  const auto both = [&](const std::string& code) {
    return alice
        .post("/sign-in", {{"token", alice.get("/k/" + hold()).field("token")},
                           {"name", "alice"},
                           {"password", kPassword},
                           {"code", code}})
        .status;
  };
  ASSERT_EQ(alice.sign_in(alice.get("/k/" + hold()), "alice", kPassword).status, 303);
  ahead_ms = 9 * 3600 * 1000;  // payroll asks again, so that its page is the form
  for (int i = 0; i < 4; ++i) EXPECT_EQ(both("00000" + std::to_string(i)), 403);
  ASSERT_EQ(alice.sign_in(alice.get("/k/" + hold()), "alice", kPassword).status, 303);
  ahead_ms = 18 * 3600 * 1000;
  EXPECT_EQ(both("000005"), 403);
  EXPECT_EQ(both(code()), 429) << "five wrong ones, whatever came between";
}

TEST_F(StepUpTest, FiftyWrongCodesAnHourAreAllFromAnywhere) {
  code_throttle.pair_failures = code_throttle.source_failures = 1'000;
  give_otp();
  start();
  auto alice = browser();
  Reply page = asked(alice);
  for (int i = 0; i < 50; ++i) page = send(alice, page, std::to_string(100'000 + i));
  auto elsewhere = browser(kFarAway);
  ASSERT_EQ(elsewhere.sign_in(elsewhere.get("/"), "alice", kPassword).status, 303)
      << "the password is another matter";
  EXPECT_EQ(send(elsewhere, elsewhere.get("/step-up"), code()).status, 429);
}

// Nobody without the password can use up her attempts.
TEST_F(StepUpTest, NamesThatAreTypedDoNotCountAsCodes) {
  give_otp();
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  auto other = browser();
  for (int i = 0; i < 4; ++i) other.sign_in(other.get("/"), "alice", "not the password");
  EXPECT_EQ(send(alice, page, code()).status, 303);
}

TEST_F(StepUpTest, ProgramsAreToldWhatIsMissing) {
  give_otp();
  start();
  auto alice = browser();
  alice.accept = "application/json";
  const std::string vault = hold("02:00:00:00:0a:11", "vault");
  const Reply form = alice.get("/k/" + vault);
  const Reply first = alice.post(
      "/sign-in",
      {{"token", form.json_field("token")}, {"hold", vault}, {"name", "alice"}, {"password", kPassword}});
  EXPECT_TRUE(first.has("\"verdict\":\"step_up\"")) << first.body;
  EXPECT_TRUE(first.has("\"methods\":[\"otp\"]"));
  const Reply done =
      alice.post("/step-up", {{"token", first.json_field("token")}, {"hold", vault}, {"code", code()}});
  EXPECT_EQ(done.status, 200);
  EXPECT_TRUE(done.has("\"verdict\":\"allow\"")) << done.body;
}

TEST_F(StepUpTest, ARecoveryCodeWillDoOnce) {
  const auto codes = make_recovery_codes();
  ASSERT_TRUE(keep_recovery_codes(db(), find_user(db(), "alice")->id, codes, now()).ok());
  start();
  auto alice = browser();
  const Reply page = asked(alice);
  EXPECT_TRUE(page.has("Recovery code"));
  EXPECT_EQ(send(alice, page, codes[4]).status, 303);
  EXPECT_EQ(send(alice, alice.get("/step-up"), codes[4]).status, 403);
  EXPECT_TRUE(logged(1, "factor.recovery_used"));
}

}  // namespace
}  // namespace nightlatch
