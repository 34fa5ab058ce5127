// An account that is guessed at from many places: each further attempt on it is answered only after the
// throttle's delay, wherever it comes from, and is good if it is right. Where the throttle itself is tested:
// auth_throttle_test.cc.
#include "auth/otp.h"
#include "auth/second_factor.h"
#include "store/factors.h"
#include "store/tokens.h"
#include "web_passkey_fixture.h"

namespace nightlatch {
namespace {

constexpr Millis kDelay{1500};    // longer than a password's hash takes
constexpr Millis kNever{60'000};  // longer than the stand-in waits for an answer

class SlowedTest : public PasskeyTest {
 protected:
  void SetUp() override {
    PasskeyTest::SetUp();
    throttle.account_failures = code_throttle.account_failures = 2;
    throttle.account_delay = code_throttle.account_delay = kDelay;
  }
  // How long the answer took. The loop's timers count whole milliseconds.
  template <typename Ask>
  static Millis took(Ask ask) {
    const auto began = std::chrono::steady_clock::now();
    ask();
    return std::chrono::ceil<Millis>(std::chrono::steady_clock::now() - began) + Millis(1);
  }
  void guess_passwords() {
    for (const char* from : {"127.0.1.1", "127.0.1.2"}) {
      auto guesser = browser(from);
      ASSERT_EQ(guesser.sign_in(guesser.get("/"), "alice", "a guess").status, 403);
    }
  }
  // Signed in with the password, and asked for a code.
  static Reply asked_for_code(BrowserStandIn& who) {
    EXPECT_EQ(who.sign_in(who.get("/"), "alice", kPassword).status, 303);
    return code_form(who.get("/step-up"));
  }
  static Reply code_form(Reply page) {
    page.body = page.body.substr(std::min(page.body.find("action=\"/step-up\""), page.body.size()));
    return page;
  }
  static Reply send_code(BrowserStandIn& who, const Reply& page, const std::string& code) {
    return who.post("/step-up", {{"token", page.field("token")}, {"code", code}});
  }
  void guess_codes() {
    for (const char* from : {"127.0.1.1", "127.0.1.2"}) {
      auto guesser = browser(from);
      ASSERT_EQ(send_code(guesser, asked_for_code(guesser), "000000").status, 403);
    }
  }
  Reply enrol(const char* from, const std::string& secret) const {
    Wire wire(port, from);
    wire.send("POST /enrol HTTP/1.1\r\nHost: gate.test\r\nAuthorization: Bearer " + secret +
              "\r\nContent-Length: 0\r\n\r\n");
    return wire.read();
  }
};

TEST_F(SlowedTest, APasswordIsAnsweredLaterRightOrWrong) {
  start();
  guess_passwords();
  auto alice = browser();
  Reply page = alice.get("/"), reply;
  EXPECT_GE(took([&] { reply = alice.sign_in(page, "alice", "a guess"); }), kDelay);
  EXPECT_EQ(reply.status, 403);
  page = alice.get("/");
  EXPECT_GE(took([&] { reply = alice.sign_in(page, "alice", kPassword); }), kDelay);
  EXPECT_EQ(reply.status, 303) << reply.body;
  EXPECT_TRUE(alice.get("/me").has("alice"));
}

TEST_F(SlowedTest, NobodyElseWaitsForItAndThePortalEndsMeanwhile) {
  throttle.account_delay = kNever;
  start();
  guess_passwords();
  auto alice = browser();
  const Reply page = alice.get("/");
  const Wire waits =
      alice.begin("POST", "/sign-in",
                  form_encode({{"token", page.field("token")}, {"name", "alice"}, {"password", kPassword}}));
  auto bob = browser(kBobPc);
  EXPECT_EQ(bob.sign_in(bob.get("/"), "bob", kPassword).status, 303) << "another account, at once";
  char byte = 0;
  EXPECT_LT(recv(waits.fd(), &byte, 1, MSG_DONTWAIT), 0) << "hers is still not answered";
  stop();
  EXPECT_EQ(sign_ins(), 1U) << "and never is";
}

// Elsewhere codes are not taken at all then. Where one was good before they are, later.
TEST_F(SlowedTest, ACodeIsAnsweredLaterWhereOneWasGoodBefore) {
  const std::string secret = make_otp_secret();
  ASSERT_TRUE(keep_otp_secret(db(), alice_, secret, 0, now()).ok());
  start();
  auto alice = browser();
  ASSERT_EQ(send_code(alice, asked_for_code(alice), *otp_code(secret, now())).status, 303);
  guess_codes();
  auto elsewhere = browser(kFarAway);
  EXPECT_EQ(send_code(elsewhere, asked_for_code(elsewhere), *otp_code(secret, now())).status, 429);
  Reply page = code_form(alice.get("/step-up")), reply;
  EXPECT_GE(took([&] { reply = send_code(alice, page, "000000"); }), kDelay);
  EXPECT_EQ(reply.status, 403);
  ahead_ms = 60'000;  // a code of its own
  page = code_form(alice.get("/step-up"));
  EXPECT_GE(took([&] { reply = send_code(alice, page, *otp_code(secret, now())); }), kDelay);
  EXPECT_EQ(reply.status, 303) << reply.body;
}

TEST_F(SlowedTest, ACodeThatComesWithThePasswordIsNoWayAroundIt) {
  const std::string secret = make_otp_secret();
  ASSERT_TRUE(keep_otp_secret(db(), alice_, secret, 0, now()).ok());
  start();
  auto alice = browser();
  ASSERT_EQ(send_code(alice, asked_for_code(alice), *otp_code(secret, now())).status, 303);
  guess_codes();
  ahead_ms = 60'000;
  auto again = browser();
  const Reply page = again.get("/");
  Reply reply;
  EXPECT_GE(took([&] {
              reply = again.post("/sign-in", {{"token", page.field("token")},
                                              {"name", "alice"},
                                              {"password", kPassword},
                                              {"code", *otp_code(secret, now())}});
            }),
            kDelay);
  EXPECT_EQ(reply.status, 303) << reply.body;
  EXPECT_EQ(last_methods(), "pwd otp");
}

TEST_F(SlowedTest, APasskeyThatSignsInIsAnsweredLater) {
  PasskeyMaker maker;
  give_passkey(maker);
  start();
  maker.flags = PasskeyMaker::kPresent;
  for (const char* from : {"127.0.1.1", "127.0.1.2"}) {
    auto guesser = browser(from);
    ASSERT_EQ(sign_in_with(guesser, maker).status, 403);
  }
  maker.flags |= PasskeyMaker::kVerified;
  auto alice = browser();
  Reply reply;
  EXPECT_GE(took([&] { reply = sign_in_with(alice, maker); }), kDelay);
  EXPECT_EQ(reply.status, 303) << reply.body;
  EXPECT_TRUE(alice.get("/me").has("alice"));
}

TEST_F(SlowedTest, APasskeyOnTopOfAPasswordIsAnsweredLater) {
  PasskeyMaker maker, anothers;
  give_passkey(maker);
  give_passkey(anothers, "bob");
  start();
  for (const char* from : {"127.0.1.1", "127.0.1.2"}) {
    auto guesser = browser(from);
    ASSERT_EQ(guesser.sign_in(guesser.get("/"), "alice", kPassword).status, 303);
    ASSERT_EQ(step_up_with(guesser, anothers).status, 403);
  }
  auto alice = browser();
  ASSERT_EQ(alice.sign_in(alice.get("/"), "alice", kPassword).status, 303);
  Reply reply;
  EXPECT_GE(took([&] { reply = step_up_with(alice, maker); }), kDelay);
  EXPECT_EQ(reply.status, 303) << reply.body;
  EXPECT_EQ(verdict(alice, "vault"), "allow");
}

TEST_F(SlowedTest, AMachinesProofIsAnsweredLater) {
  NewDevice nas;
  nas.name = "nas";
  nas.mac = Mac::parse("02:00:00:00:0b:0b");
  ASSERT_TRUE(add_device(db(), nas).ok());
  const std::string secret = add_token(db(), {.name = "", .user = "", .device = "nas"}, now())->secret;
  start();
  for (const char* from : {"127.0.1.1", "127.0.1.2"}) ASSERT_EQ(enrol(from, secret + "x").status, 403);
  Reply reply;
  EXPECT_GE(took([&] { reply = enrol(kBobPc, secret); }), kDelay);
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json_field("device"), "nas");
}

}  // namespace
}  // namespace nightlatch
