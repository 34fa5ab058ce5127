// What a person reads: every verdict in one short sentence that speaks of the reader alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "policy/decide.h"

namespace nightlatch {
namespace {

constexpr int kReasons = static_cast<int>(Reason::identity_provider) + 1;

Verdict verdict(Reason reason, Seconds session, std::optional<Millis> age) {
  Verdict v;
  v.reason = reason;
  v.session = session;
  v.age = age;
  return v;
}

TEST(Explain, SaysWhatIsAskedAndWhatYouHave) {
  EXPECT_EQ(explain_reason(verdict(Reason::expired, Seconds(8 * 3600), Seconds(9 * 3600))),
            "asks for a sign-in every 8 h; your last was 9 h ago on this device");
  EXPECT_EQ(explain_reason(verdict(Reason::expired, Seconds(0), Seconds(90))),
            "asks for a sign-in every time; your last was 1 min 30 s ago on this device");
  EXPECT_EQ(explain_reason(verdict(Reason::no_sign_in, Seconds(900), {})),
            "asks for a sign-in every 15 min; you are not signed in on this device");
}

TEST(Explain, NamesTheTermsOfASecondFactor) {
  Policy p;
  p.terms.mfa = Seconds(3600);
  Verdict v = verdict(Reason::second_factor_missing, Seconds(8 * 3600), Seconds(60));
  v.policy = &p;
  EXPECT_EQ(explain_reason(v), "asks for a second factor every 1 h; your last sign-in had none");
  v.reason = Reason::second_factor_expired;
  EXPECT_EQ(explain_reason(v), "asks for a second factor every 1 h; your last is older than that");
}

TEST(Explain, EveryReasonHasOneShortLine) {
  std::set<std::string> sentences, names;
  for (int i = 0; i < kReasons; ++i) {
    const std::string text = explain_reason(verdict(Reason(i), Seconds(3600), Millis(7'200'000)));
    EXPECT_GT(text.size(), 10U);
    EXPECT_LT(text.size(), 120U) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_NE(text.back(), '.');
    sentences.insert(text);
    names.emplace(to_text(Reason(i)));
  }
  EXPECT_GE(sentences.size(),
            static_cast<std::size_t>(kReasons) - 1);  // fresh and expired say the same of the same facts
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kReasons));
}

TEST(Explain, NeverTellsWhoElseIsLetIn) {
  User other{UserId(7), "mallory", true, {}};
  Policy p;
  p.id = PolicyId(3);
  p.name = "board-only";
  p.users = {other.id};
  for (int i = 0; i < kReasons; ++i) {
    for (int binding = 0; binding < 4; ++binding) {
      p.terms.min_binding = Binding(binding);
      Verdict v = verdict(Reason(i), Seconds(3600), Millis(1));
      v.policy = &p;
      EXPECT_THAT(explain_reason(v),
                  testing::Not(testing::AnyOf(testing::HasSubstr("mallory"), testing::HasSubstr("board"))));
    }
  }
}

TEST(Explain, VerdictsHaveTheNamesOfTheApi) {
  EXPECT_EQ(to_text(VerdictKind::allow), "allow");
  EXPECT_EQ(to_text(VerdictKind::sign_in), "sign_in");
  EXPECT_EQ(to_text(VerdictKind::step_up), "step_up");
  EXPECT_EQ(to_text(VerdictKind::deny), "deny");
  EXPECT_EQ(to_text(Reason::second_factor_expired), "second_factor_expired");
}

}  // namespace
}  // namespace nightlatch
