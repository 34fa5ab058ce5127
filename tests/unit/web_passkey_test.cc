// Passkeys on the portal: made, shown as a sign-in and as a second factor, and refused where anything is
// wrong. By real requests.
#include "auth/otp.h"
#include "auth/second_factor.h"
#include "store/factors.h"
#include "web_passkey_fixture.h"

namespace nightlatch {
namespace {

TEST_F(PasskeyTest, MadeOnThePageItSignsInWithoutANameAndIsASecondFactor) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  PasskeyMaker maker;
  const Reply added = add_on_page(alice, maker, "blue key");
  ASSERT_EQ(added.status, 200) << added.body;
  EXPECT_TRUE(added.has("Your passkey is set up")) << "and recovery codes are shown, for there were none";
  EXPECT_EQ(maker.user_handle.size(), 32U);
  EXPECT_EQ(verdict(alice, "vault"), "allow") << "it has just been used";
  EXPECT_TRUE(alice.get("/me/factors").has("blue key"));
  EXPECT_TRUE(logged("factor.added", "", 1));

  auto elsewhere = browser(kBobPc);
  const Reply done = sign_in_with(elsewhere, maker);
  ASSERT_EQ(done.status, 303) << done.body;
  EXPECT_EQ(done.header("location"), "/me");
  EXPECT_TRUE(elsewhere.get("/me").has("alice"));
  EXPECT_EQ(last_methods(), "hwk user mfa");
  const auto presence = list_presence(db());
  ASSERT_EQ(presence->size(), 2U);
  EXPECT_TRUE((*presence)[1].presence.second_factor.has_value());
  EXPECT_EQ((*list_passkeys(db(), alice_))[0].passkey.sign_count, 1);
}

TEST_F(PasskeyTest, ASecondPasskeyOfTheSameNameGetsANumberAndTheSameOneIsRefused) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  PasskeyMaker one, two(CoseAlgorithm::eddsa);
  ASSERT_EQ(add_on_page(alice, one, "laptop").status, 200);
  ASSERT_EQ(add_on_page(alice, two, "laptop").status, 303);
  const Reply again = add_on_page(alice, one, "other");
  EXPECT_EQ(again.status, 403);
  EXPECT_TRUE(again.has("this passkey is known already")) << again.body;
  const auto passkeys = list_passkeys(db(), alice_);
  ASSERT_EQ(passkeys->size(), 2U);
  EXPECT_EQ((*passkeys)[1].passkey.name, "laptop 2");
  EXPECT_EQ(add_on_page(alice, one, std::string(49, 'x')).status, 403);
  EXPECT_EQ(add_on_page(alice, one, "a\nb").status, 403);
  PasskeyMaker wrong;
  wrong.origin = "https://evil.example";
  EXPECT_EQ(add_on_page(alice, wrong, "x").status, 403);
  EXPECT_TRUE(logged("factor.refused", "wrong_origin", 1));
}

TEST_F(PasskeyTest, OnlyWhoHasJustSignedInAddsOne) {
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  const Reply factors = alice.get("/me/factors");
  Reply part = factors;
  part.body = factors.body.substr(factors.body.find("action=\"/me/factors/passkey\""));
  const Reply setup = passkey_form(alice.post("/me/factors/passkey", {{"token", part.field("token")}}));
  ahead_ms = 11 * 60 * 1000;
  const PasskeyMaker maker;
  const Reply late = alice.post(
      "/me/factors/passkey/confirm",
      {{"token", setup.field("token")},
       {"challenge", setup.field("challenge")},
       {"name", "x"},
       {"client_data", encoded(maker.client_data("webauthn.create", attribute(setup, "challenge")))},
       {"attestation", encoded(maker.attestation_object())}});
  EXPECT_EQ(late.status, 403);
  EXPECT_TRUE(list_passkeys(db(), alice_)->empty());
}

TEST_F(PasskeyTest, WhatWasSentOnceIsNotGoodAgain) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser();
  const Fields sent = filled_in(alice.get("/"), maker);
  ASSERT_EQ(alice.post("/sign-in/passkey", sent).status, 303);
  EXPECT_EQ(alice.post("/sign-in/passkey", sent).status, 403) << "the form was used";
  // With a fresh form's token, the challenge is the old one.
  auto thief = browser(kBobPc);
  const Reply fresh = passkey_form(thief.get("/"));
  Fields replay = sent;
  replay["token"] = fresh.field("token");
  EXPECT_EQ(thief.post("/sign-in/passkey", replay).status, 403);
  EXPECT_TRUE(logged("sign_in.refused", "wrong_challenge", 1));
  // With the fresh challenge too, the answer does not fit it.
  replay["token"] = passkey_form(thief.get("/")).field("token");
  replay["challenge"] = fresh.field("challenge");
  EXPECT_EQ(thief.post("/sign-in/passkey", replay).status, 403);
  EXPECT_TRUE(logged("sign_in.refused", "wrong_challenge", 2));
  EXPECT_EQ(sign_ins(), 1U);
}

// The same browser, a fresh form, and an authenticator that does not count: only the challenge's one use is
// left.
TEST_F(PasskeyTest, AChallengeIsGoodOnceInItsOwnBrowserToo) {
  PasskeyMaker maker;
  maker.counts = false;
  give_passkey(maker);
  start();
  auto alice = browser();
  Fields sent = filled_in(alice.get("/"), maker);
  ASSERT_EQ(alice.post("/sign-in/passkey", sent).status, 303);
  ASSERT_TRUE(end_sessions(db(), std::nullopt, std::nullopt, now()).ok());
  sent["token"] = passkey_form(alice.get("/")).field("token");
  const Reply replayed = alice.post("/sign-in/passkey", sent);
  EXPECT_EQ(replayed.status, 403);
  EXPECT_TRUE(replayed.has("That was sent before.")) << replayed.body;
  EXPECT_TRUE(logged("sign_in.refused", "wrong_challenge", 1));
  EXPECT_EQ(sign_ins(), 1U);
}

TEST_F(PasskeyTest, AChallengeIsForOneBrowserAndOnePurpose) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser();
  auto other = browser(kBobPc);
  Fields stolen = filled_in(alice.get("/"), maker);  // answered by the real key, in the other browser
  stolen["token"] = passkey_form(other.get("/")).field("token");
  EXPECT_EQ(other.post("/sign-in/passkey", stolen).status, 403);
  EXPECT_EQ(sign_ins(), 0U);
  // The answer to a sign-in is none to a step-up.
  const Reply form = alice.get("/");
  Fields for_sign_in = filled_in(form, maker);
  ASSERT_EQ(alice.sign_in(form, "alice", kPassword).status, 303);
  for_sign_in["token"] = passkey_form(alice.get("/step-up")).field("token");
  EXPECT_EQ(alice.post("/step-up/passkey", for_sign_in).status, 403);
  EXPECT_TRUE(logged("step_up.refused", "wrong_challenge", 1));
  EXPECT_EQ(step_up_with(alice, maker).status, 303);
}

TEST_F(PasskeyTest, ACounterThatDoesNotGrowIsACopy) {
  PasskeyMaker maker;
  maker.sign_count = 7;
  give_passkey(maker);
  start();
  auto alice = browser();
  ASSERT_EQ(sign_in_with(alice, maker).status, 303);  // 8
  for (const std::uint32_t count : {7U, 6U, 0xffffffffU}) {
    maker.sign_count = count;  // and one more
    auto thief = browser(kBobPc);
    const Reply refused = sign_in_with(thief, maker);
    EXPECT_EQ(refused.status, 403) << count;
    EXPECT_TRUE(refused.has("there may be a copy")) << refused.body;
  }
  EXPECT_TRUE(logged("passkey.counter", "", 3));
  EXPECT_EQ((*list_passkeys(db(), alice_))[0].passkey.sign_count, 8) << "nothing was noted of it";
  maker.sign_count = 8;
  auto real = browser();
  EXPECT_EQ(sign_in_with(real, maker).status, 303) << "the real one goes on";
}

TEST_F(PasskeyTest, AnAuthenticatorThatDoesNotCountIsAcceptedUntilItDoes) {
  PasskeyMaker maker;
  maker.counts = false;
  give_passkey(maker);
  start();
  auto alice = browser();
  EXPECT_EQ(sign_in_with(alice, maker).status, 303);
  auto again = browser();
  EXPECT_EQ(sign_in_with(again, maker).status, 303);
  maker.sign_count = 5;
  auto third = browser();
  EXPECT_EQ(sign_in_with(third, maker).status, 303);
  maker.sign_count = 0;
  auto copy = browser();
  EXPECT_EQ(sign_in_with(copy, maker).status, 403);
}

TEST_F(PasskeyTest, OnTopOfAPasswordHoldingItIsEnoughButNotOnTopOfItself) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  const std::string vault = "/k/" + hold(kAliceMac, "vault");
  const Reply page = alice.get(vault);
  EXPECT_TRUE(page.has("One more step to reach vault")) << page.body;
  EXPECT_FALSE(page.has("name=\"code\"")) << "she has no codes";
  EXPECT_EQ(attribute(passkey_form(page), "credentials"), encoded(maker.id));
  maker.flags = PasskeyMaker::kPresent;
  const Reply done = step_up_with(alice, maker, vault);
  ASSERT_EQ(done.status, 303) << done.body;
  EXPECT_EQ(done.header("location"), vault);
  EXPECT_EQ(last_methods(), "hwk user");
  EXPECT_EQ(verdict(alice, "vault"), "allow");

  maker.flags = PasskeyMaker::kPresent | PasskeyMaker::kVerified;
  auto second = browser();
  ASSERT_EQ(sign_in_with(second, maker).status, 303);
  ahead_ms = 2 * 3600 * 1000;
  EXPECT_EQ(verdict(second, "vault"), "step_up");
  maker.flags = PasskeyMaker::kPresent;
  EXPECT_EQ(step_up_with(second, maker).status, 403);
  EXPECT_TRUE(logged("step_up.refused", "user_not_verified", 1));
  EXPECT_EQ(verdict(second, "vault"), "step_up");
  maker.flags |= PasskeyMaker::kVerified;
  EXPECT_EQ(step_up_with(second, maker).status, 303);
  EXPECT_EQ(verdict(second, "vault"), "allow");
}

TEST_F(PasskeyTest, ItIsGoodForItsUserAlone) {
  PasskeyMaker alices, bobs;
  give_passkey(alices);
  give_passkey(bobs, "bob");
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  EXPECT_EQ(step_up_with(alice, bobs).status, 403) << "bob's";
  EXPECT_TRUE(logged("step_up.refused", "wrong_user", 1));
  auto thief = browser(kBobPc);
  bobs.user_handle = alices.user_handle;  // a passkey of one user that says it is another's
  EXPECT_EQ(sign_in_with(thief, bobs).status, 403);
  bobs.user_handle.clear();
  EXPECT_EQ(sign_in_with(thief, bobs).status, 403) << "without a name, it must say whose it is";
  PasskeyMaker unknown;
  EXPECT_EQ(sign_in_with(thief, unknown).status, 403);
  EXPECT_TRUE(logged("sign_in.refused", "unknown_passkey", 1));
  EXPECT_TRUE(logged("sign_in.refused", "wrong_user", 2));
  ASSERT_TRUE(set_user_enabled(db(), "alice", false).ok());
  EXPECT_EQ(sign_in_with(thief, alices).status, 403);
  EXPECT_TRUE(logged("sign_in.refused", "user_disabled", 1));
}

// Signed by the real key, with one part of it wrong; or with one field of a good one changed on the way.
TEST_F(PasskeyTest, AnythingWrongIsRefusedForItsOwnReason) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser(kFarAway);
  struct Case {
    const char* reason;
    void (*spoil)(PasskeyMaker&);
    const char* field;  // whose first character is another
  };
  const Case cases[] = {{"wrong_origin", [](PasskeyMaker& m) { m.origin = "https://gate.test.evil"; }, ""},
                        {"wrong_rp", [](PasskeyMaker& m) { m.rp_id = "test"; }, ""},
                        {"user_not_present", [](PasskeyMaker& m) { m.flags = PasskeyMaker::kVerified; }, ""},
                        {"user_not_verified", [](PasskeyMaker& m) { m.flags = PasskeyMaker::kPresent; }, ""},
                        {"unknown_passkey", [](PasskeyMaker&) {}, "credential"},
                        {"malformed", [](PasskeyMaker&) {}, "client_data"},
                        {"wrong_rp", [](PasskeyMaker&) {}, "authenticator_data"},
                        {"wrong_signature", [](PasskeyMaker&) {}, "signature"},
                        {"wrong_user", [](PasskeyMaker&) {}, "user_handle"}};
  int sources = 10;
  std::map<std::string, std::size_t> refused;
  for (const Case& c : cases) {
    // Each from a place of its own, so that the throttle has nothing to say.
    const std::string from = "127.0.1." + std::to_string(++sources);
    auto who = browser(from.c_str());
    const std::string origin = maker.origin, rp = maker.rp_id;
    const unsigned flags = maker.flags;
    c.spoil(maker);
    Fields sent = filled_in(who.get("/"), maker);
    maker.origin = origin;
    maker.rp_id = rp;
    maker.flags = flags;
    if (*c.field != '\0') sent[c.field][0] = sent[c.field][0] == 'A' ? 'B' : 'A';
    EXPECT_EQ(who.post("/sign-in/passkey", sent).status, 403) << c.reason << " " << c.field;
    EXPECT_TRUE(logged("sign_in.refused", c.reason, ++refused[c.reason])) << c.field;
  }
  EXPECT_EQ(sign_ins(), 0U);
  EXPECT_EQ(sign_in_with(alice, maker).status, 303);
}

TEST_F(PasskeyTest, GuessingIsThrottled) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser();
  maker.flags = PasskeyMaker::kPresent;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sign_in_with(alice, maker).status, 403);
  maker.flags |= PasskeyMaker::kVerified;
  EXPECT_EQ(sign_in_with(alice, maker).status, 429);
  auto elsewhere = browser(kBobPc);
  EXPECT_EQ(sign_in_with(elsewhere, maker).status, 303);
}

TEST_F(PasskeyTest, ARemovedOneIsRefusedAndWhatItOpenedIsClosed) {
  PasskeyMaker lost;
  give_passkey(lost, "alice", "lost key");
  start();
  auto thief = browser(kBobPc);
  ASSERT_EQ(sign_in_with(thief, lost).status, 303);
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  ASSERT_EQ(step_up_with(alice, lost).status, 303);
  const Reply factors = alice.get("/me/factors");
  Reply part = factors;
  part.body = factors.body.substr(factors.body.find("action=\"/me/factors/remove\""));
  EXPECT_EQ(alice
                .post("/me/factors/remove",
                      {{"token", part.field("token")}, {"kind", "passkey"}, {"name", "lost key"}})
                .status,
            303);
  EXPECT_FALSE(find_factors(db(), alice_)->any());
  EXPECT_TRUE(logged("factor.removed", "", 1));
  EXPECT_TRUE(thief.get("/me").has("type=\"password\"")) << "the session that it began is over";
  EXPECT_TRUE(alice.get("/me").has("Sign out")) << "hers began with a password";
  EXPECT_EQ(verdict(alice, "vault"), "step_up");
  PasskeyMaker other;
  give_passkey(other, "bob");  // so that the form is offered
  EXPECT_EQ(sign_in_with(thief, lost).status, 403);
}

TEST_F(PasskeyTest, OnlyPagesWithItsFormMayRunTheScript) {
  start();
  const auto policy = [](const Reply& page) { return page.header("content-security-policy"); };
  auto alice = browser();
  EXPECT_FALSE(alice.get("/").has("<script")) << "nobody has a passkey";
  EXPECT_EQ(policy(alice.get("/")).find("script-src"), std::string::npos);
  PasskeyMaker maker;
  give_passkey(maker);
  const Reply page = alice.get("/");
  EXPECT_TRUE(page.has("<script src=\"/assets/passkey.js?v=")) << page.body;
  EXPECT_TRUE(page.has("class=\"passkey\" hidden")) << "without the script it is not seen";
  EXPECT_NE(policy(page).find("default-src 'none'; script-src 'self'; "), std::string::npos) << policy(page);
  EXPECT_EQ(alice.get("/assets/passkey.js").header("content-type"), "text/javascript; charset=utf-8");
  for (const char* path : {"/k/ZZZZZZ", "/nothing", "/assets/passkey.js", "/healthz"}) {
    EXPECT_EQ(policy(alice.get(path)).find("script-src"), std::string::npos) << path;
  }
  ASSERT_EQ(sign_in_with(alice, maker).status, 303);
  for (const char* path : {"/me", "/me/factors"}) {
    EXPECT_EQ(policy(alice.get(path)).find("script-src"), std::string::npos) << path;
    EXPECT_FALSE(alice.get(path).has("<script")) << path;
  }
}

TEST_F(PasskeyTest, APortalWithoutANameOffersNoneAndSaysWhy) {
  PasskeyMaker maker;
  give_passkey(maker);
  portal_url = "https://10.0.0.1";
  start();
  auto alice = browser();
  alice.host = "10.0.0.1";
  const Reply page = alice.get("/");
  EXPECT_FALSE(page.has("passkey"));
  ASSERT_EQ(alice.sign_in(page, "alice", kPassword).status, 303);
  // She has one, from the days when the portal had a name: it is listed, and another is not offered.
  const Reply step_up = alice.get("/k/" + hold(kAliceMac, "vault"));
  EXPECT_FALSE(step_up.has("data-passkey")) << step_up.body;
  EXPECT_TRUE(step_up.has("made when this portal had another name")) << step_up.body;
  EXPECT_FALSE(step_up.has("/me/factors")) << "there she would be sent back here";
  EXPECT_TRUE(alice.get("/me/factors").has("this portal is reached by an address"));
  EXPECT_FALSE(alice.get("/me/factors").has("Add a passkey"));
}

TEST_F(PasskeyTest, UnderAnotherNameOfThePortalItIsNotAskedFor) {
  PasskeyMaker maker;
  give_passkey(maker);
  portal_url = "https://new.test";
  start();
  auto alice = browser();
  alice.host = "new.test";
  const Reply page = alice.get("/");
  EXPECT_FALSE(page.has("data-passkey")) << "nobody has one that can be used here";
  ASSERT_EQ(alice.sign_in(page, "alice", kPassword).status, 303);
  const Reply step_up = alice.get("/k/" + hold(kAliceMac, "vault"));
  EXPECT_FALSE(step_up.has("data-passkey")) << step_up.body;
  EXPECT_TRUE(step_up.has("made when this portal had another name")) << step_up.body;
  const Reply factors = alice.get("/me/factors");
  EXPECT_TRUE(factors.has("it cannot be used here")) << factors.body;
  EXPECT_FALSE(factors.has("/step-up")) << "there she would be sent back here";
  ASSERT_EQ(remove_passkeys(db(), alice_, std::nullopt)->passkeys, 1);
  EXPECT_TRUE(alice.get("/me/factors").has("Add a passkey"));
}

TEST_F(PasskeyTest, WrongOnesDoNotStopCodes) {
  PasskeyMaker maker;
  give_passkey(maker);
  const std::string secret = make_otp_secret();
  ASSERT_TRUE(keep_otp_secret(db(), alice_, secret, 0, now()).ok());
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  maker.user_handle = std::string(32, 'x');
  for (int i = 0; i < 5; ++i) EXPECT_EQ(step_up_with(alice, maker).status, 403);
  EXPECT_EQ(step_up_with(alice, maker).status, 429);
  Reply page = alice.get("/step-up");
  page.body = page.body.substr(page.body.find("action=\"/step-up\""));
  EXPECT_EQ(
      alice.post("/step-up", {{"token", page.field("token")}, {"code", *otp_code(secret, now())}}).status,
      303);
}

TEST_F(PasskeyTest, ProgramsAreToldOfIt) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  alice.accept = "application/json";
  EXPECT_TRUE(alice.get("/step-up").has("\"methods\":[\"passkey\"]"));
  EXPECT_TRUE(alice.get("/me/factors").has("\"passkeys\":[{\"name\":\"key\""));
  alice.accept = "text/plain";
  EXPECT_TRUE(alice.get("/me/factors").has("passkey         key, since "));
}

}  // namespace
}  // namespace nightlatch
