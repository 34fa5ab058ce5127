// Which method opens what under which policy, by real requests.
#include "auth/otp.h"
#include "auth/second_factor.h"
#include "web_passkey_fixture.h"

namespace nightlatch {
namespace {

// Every method under every policy: what opens, now and later. The portal decides; no form can say more than
// was proven.
class MethodTest : public PasskeyTest {
 protected:
  void SetUp() override {
    PasskeyTest::SetUp();
    give_passkey(maker_);
    ASSERT_TRUE(keep_otp_secret(db(), alice_, secret_, 0, now()).ok());
    recovery_ = make_recovery_codes();
    ASSERT_TRUE(keep_recovery_codes(db(), alice_, recovery_, now()).ok());
  }
  // What was shown, in the order of the words.
  void show(BrowserStandIn& who, const std::string& methods) {
    for (const std::string_view method : split(methods, ' ')) {
      if (method == "password") {
        // Fields that a crafted form might add say nothing.
        const Reply page = who.get("/");
        who.post("/sign-in", {{"token", page.field("token")},
                              {"name", "alice"},
                              {"password", kPassword},
                              {"methods", "pwd otp mfa"},
                              {"second_factor", "1"}});
      } else if (method == "code") {
        send_code(who, *otp_code(secret_, now()));
      } else if (method == "wrong-code") {
        send_code(who, "000000");
      } else if (method == "no-code") {
        send_code(who, "");
      } else if (method == "recovery") {
        send_code(who, recovery_.back());
        recovery_.pop_back();
      } else {
        maker_.flags = PasskeyMaker::kPresent;
        if (method.ends_with("+uv")) maker_.flags |= PasskeyMaker::kVerified;
        if (method.starts_with("passkey")) sign_in_with(who, maker_);
        if (method.starts_with("then-passkey")) step_up_with(who, maker_);
        // The form of the weaker ceremony, sent to where the stronger one goes.
        if (method == "crafted") who.post("/sign-in/passkey", filled_in(who.get("/step-up"), maker_));
      }
    }
  }
  static void send_code(BrowserStandIn& who, const std::string& code) {
    who.post("/step-up", {{"token", who.get("/step-up").field("token")}, {"code", code}});
  }
  PasskeyMaker maker_;
  const std::string secret_ = make_otp_secret();
  std::vector<std::string> recovery_;
};

TEST_F(MethodTest, OpensWhatItShouldAndNothingElse) {
  struct Row {
    const char* methods;
    const char* now[3];      // files: a session alone; vault: and a second factor; safe: every time
    const char* minutes[3];  // two minutes later
    const char* hours[3];    // two hours later
  };
  const Row rows[] = {
      {"",
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"}},
      {"password",
       {"allow", "step_up", "allow"},
       {"allow", "step_up", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"password code",
       {"allow", "allow", "allow"},
       {"allow", "allow", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"password recovery",
       {"allow", "allow", "allow"},
       {"allow", "allow", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"password wrong-code",
       {"allow", "step_up", "allow"},
       {"allow", "step_up", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"password no-code",
       {"allow", "step_up", "allow"},
       {"allow", "step_up", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"passkey+uv",
       {"allow", "allow", "allow"},
       {"allow", "allow", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"passkey",
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"}},
      {"password then-passkey",
       {"allow", "allow", "allow"},
       {"allow", "allow", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"password then-passkey+uv",
       {"allow", "allow", "allow"},
       {"allow", "allow", "sign_in"},
       {"allow", "step_up", "sign_in"}},
      {"then-passkey+uv",
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"}},
      {"code",
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"},
       {"sign_in", "sign_in", "sign_in"}},
      {"password crafted",
       {"allow", "step_up", "allow"},
       {"allow", "step_up", "sign_in"},
       {"allow", "step_up", "sign_in"}},
  };
  start();
  const char* const resources[] = {"files", "vault", "safe"};
  for (const Row& row : rows) {
    ASSERT_TRUE(end_sessions(db(), std::nullopt, std::nullopt, now()).ok());
    auto who = browser();
    show(who, row.methods);
    const std::int64_t shown = ahead_ms;
    for (const auto& [after, expected] :
         {std::pair{0, row.now}, {2 * 60, row.minutes}, {2 * 3600, row.hours}}) {
      ahead_ms = shown + after * 1000;
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(verdict(who, resources[i]), expected[i])
            << "'" << row.methods << "' for " << resources[i] << " after " << after << " s";
      }
    }
    ahead_ms = shown + 3 * 3600 * 1000;
  }
}

// A second factor alone renews no sign-in: after it the safe still asks for one.
TEST_F(MethodTest, ASecondFactorRenewsNoSignIn) {
  start();
  for (const char* factor : {"code", "recovery", "then-passkey", "then-passkey+uv"}) {
    ASSERT_TRUE(end_sessions(db(), std::nullopt, std::nullopt, now()).ok());
    auto who = browser();
    show(who, "password");
    ahead_ms += 9 * 3600 * 1000;
    show(who, factor);
    EXPECT_EQ(verdict(who, "files"), "sign_in") << factor;
    EXPECT_EQ(verdict(who, "safe"), "sign_in") << factor;
    EXPECT_EQ(verdict(who, "vault"), "allow") << factor << ": its session lasts for twelve hours";
    ahead_ms += 3 * 3600 * 1000;
  }
}

}  // namespace
}  // namespace nightlatch
