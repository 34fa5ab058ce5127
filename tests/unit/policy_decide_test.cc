// The semantics of the design, one line a test. The oracle test covers the product; this one is to be read.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "policy/decide.h"
#include "policy/parse.h"

namespace nightlatch {
namespace {

const WallTime kNow = *parse_rfc3339("2026-11-23T10:00:00Z");  // a Monday
constexpr UserId kAlice{1}, kBob{2};
constexpr Seconds operator""_h(unsigned long long h) { return Seconds(static_cast<std::int64_t>(h) * 3600); }

class Decide : public testing::Test {
 protected:
  Decide() {
    data.users = {{kAlice, "alice", true, {GroupId(1)}}, {kBob, "bob", true, {}}};
    data.resources = {resource(1, "10.0.0.0/24:443"), resource(2, "10.0.0.7:443"),
                      resource(3, "10.0.9.0/24:443")};
  }

  static Resource resource(int id, const char* target) {
    return {ResourceId(id), "r" + std::to_string(id), {*parse_target(target, "x")}};
  }

  Policy& policy(int id, std::vector<ResourceId> resources) {
    Policy p;
    p.id = PolicyId(id);
    p.name = "p" + std::to_string(id);
    p.resources = std::move(resources);
    data.policies.push_back(p);
    return data.policies.back();
  }

  void sign_in(UserId user, Millis age) { subject.presence = Presence{user, kNow - age, {}, 1}; }

  Verdict ask(WallTime now = kNow) {
    office.emplace(data);
    return decide(*office, subject, {*IpAddress::parse("10.0.0.7"), 443, Protocol::tcp}, now);
  }

  // "allow fresh p1", so that a test reads as a sentence.
  std::string say(WallTime now = kNow) {
    const Verdict v = ask(now);
    std::string out(to_text(v.kind));
    out += ' ';
    out += to_text(v.reason);
    return v.policy != nullptr ? out + " " + v.policy->name : out;
  }

  OfficeData data;
  std::optional<Office> office;
  Device laptop{DeviceId(1), "laptop", {}, {}, DeviceState::active, false, kAlice};
  Subject subject{.device = &laptop, .presence = {}, .binding = Binding::mac};
};

const ResourceId kR1{1}, kR2{2}, kR3{3};

TEST_F(Decide, AgeBelowTheSessionIsFreshAndAtItExpired) {
  policy(1, {kR1}).users = {kAlice};
  sign_in(kAlice, 8_h - Millis(1));
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().until, kNow + Millis(1));
  sign_in(kAlice, 8_h);
  EXPECT_EQ(say(), "sign_in expired p1");
  EXPECT_EQ(*ask().age, 8_h);
}

TEST_F(Decide, EveryTimeServesABurstOfAMinute) {
  policy(1, {kR1}).users = {kAlice};
  data.policies[0].terms.session = Seconds(0);
  sign_in(kAlice, Millis(59'999));
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().session, Seconds(0));
  sign_in(kAlice, Millis(60'000));
  EXPECT_EQ(say(), "sign_in expired p1");
}

TEST_F(Decide, TheCeilingOnlyShortens) {
  policy(1, {kR1}).users = {kAlice};
  sign_in(kAlice, 3_h);
  data.session_max = 2_h;
  EXPECT_EQ(say(), "sign_in expired p1");
  EXPECT_EQ(ask().session, 2_h);
  data.session_max = 24_h;
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().session, 8_h);
  data.policies[0].terms.session = Seconds(0);
  data.session_max = Seconds(30);
  sign_in(kAlice, Seconds(30));
  EXPECT_EQ(say(), "sign_in expired p1");
}

TEST_F(Decide, ASecondFactorHasItsOwnAge) {
  policy(1, {kR1}).users = {kAlice};
  data.policies[0].terms.mfa = 1_h;
  sign_in(kAlice, 3_h);
  EXPECT_EQ(say(), "step_up second_factor_missing p1");
  subject.presence->second_factor = kNow - 1_h;
  EXPECT_EQ(say(), "step_up second_factor_expired p1");
  subject.presence->second_factor = kNow - 1_h + Millis(1);
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().until, kNow + Millis(1));
  sign_in(kAlice, 8_h);
  EXPECT_EQ(say(), "sign_in expired p1");
}

TEST_F(Decide, TheFirstMatchingPolicyDecidesOverAllResources) {
  policy(1, {kR2}).users = {kBob};
  policy(2, {kR1}).groups = {GroupId(1)};
  policy(3, {kR2}).anyone = true;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "allow fresh p2");
  EXPECT_EQ(ask().resource->name, "r1") << "the resource that the deciding policy names";
  data.policies[0].users = {kAlice};
  data.policies[0].deny = true;
  EXPECT_EQ(say(), "deny denied_by_policy p1");
  EXPECT_EQ(ask().resource->name, "r2");
}

TEST_F(Decide, AResourceThatNoPolicyMatchesIsDenied) {
  EXPECT_EQ(say(), "deny no_policy");
  policy(1, {kR1}).users = {kBob};
  policy(2, {kR3}).anyone = true;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "deny no_policy");
  EXPECT_EQ(ask().resource->name, "r1");
}

TEST_F(Decide, UnprotectedIsASettingAndNeverAPrompt) {
  data.resources.clear();
  laptop.state = DeviceState::revoked;
  EXPECT_EQ(say(), "allow unprotected");
  data.unprotected_allowed = false;
  EXPECT_EQ(say(), "deny unprotected");
  EXPECT_EQ(ask().until, kNever);
}

TEST_F(Decide, NobodyKnownIsAskedOnlyIfSomebodyCouldGetIn) {
  policy(1, {kR1}).users = {kBob};
  data.policies[0].deny = true;
  policy(2, {kR1}).users = {kBob};
  EXPECT_EQ(say(), "sign_in no_sign_in p2") << "Bob is refused, but another may be listed";
  data.policies[0].anyone = true;
  EXPECT_EQ(say(), "deny denied_by_policy p1");
  data.policies[0].terms.hours = *parse_hours("tue 00:00-24:00", "x");
  EXPECT_EQ(say(), "sign_in no_sign_in p2");
  EXPECT_EQ(ask().until, *parse_rfc3339("2026-11-24T00:00:00Z"));
}

TEST_F(Decide, NobodyIsSentToSignInWhereItCouldNotHelp) {
  policy(1, {kR1}).anyone = true;
  data.policies[0].terms.min_binding = Binding::certificate;
  EXPECT_EQ(say(), "deny binding_too_weak p1");
  subject.binding = Binding::certificate;
  EXPECT_EQ(say(), "sign_in no_sign_in p1");
}

TEST_F(Decide, ADisabledOrUnknownUserIsNobody) {
  policy(1, {kR1}).anyone = true;
  sign_in(kAlice, 1_h);
  data.users[0].enabled = false;
  EXPECT_EQ(say(), "sign_in no_sign_in p1");
  sign_in(UserId(77), 1_h);
  EXPECT_EQ(say(), "sign_in no_sign_in p1");
}

TEST_F(Decide, TheDeviceComesFirst) {
  policy(1, {kR1}).anyone = true;
  sign_in(kAlice, 1_h);
  laptop.state = DeviceState::pending;
  EXPECT_EQ(say(), "deny device_pending");
  laptop.state = DeviceState::revoked;
  EXPECT_EQ(say(), "deny device_revoked");
  laptop.state = DeviceState::active;
  laptop.shared = true;
  EXPECT_EQ(say(), "deny shared_device");
  subject.binding = Binding::credential;
  EXPECT_EQ(say(), "allow fresh p1");
}

TEST_F(Decide, OnASharedDeviceOnlyACredentialSaysWho) {
  policy(1, {kR1}).users = {kAlice};
  laptop.shared = true;
  Token token{.id = TokenId(1), .name = "t", .user = kAlice};
  EXPECT_EQ(say(), "deny shared_device");
  subject.credential = SentCredential{&token};
  EXPECT_EQ(say(), "sign_in no_sign_in p1") << "it says who, and not that she signed in";
  EXPECT_FALSE(ask().age.has_value());
  sign_in(kBob, 1_h);
  EXPECT_EQ(say(), "sign_in no_sign_in p1") << "another's sign-in is not hers";
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "allow fresh p1");
  sign_in(kAlice, 8_h);
  EXPECT_EQ(say(), "sign_in expired p1") << "how fresh it must be stays the policy's";
  token.user = kBob;
  EXPECT_EQ(say(), "deny no_policy") << "he is known: nobody is asked in vain";
}

TEST_F(Decide, ABadCredentialIsWorseThanNone) {
  policy(1, {kR1}).anyone = true;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "allow fresh p1");
  subject.credential = SentCredential{nullptr};
  EXPECT_EQ(say(), "deny bad_credential");
  Token token{.id = TokenId(1), .name = "t", .user = kAlice};
  subject.credential = SentCredential{&token};
  EXPECT_EQ(say(), "allow fresh p1");
  token.revoked = true;
  EXPECT_EQ(say(), "deny bad_credential");
  token.revoked = false;
  token.expires = kNow + Millis(1);
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().until, kNow + Millis(1)) << "it ends with the token";
  EXPECT_EQ(say(kNow + Millis(1)), "deny bad_credential");
  token.expires.reset();
  data.users[0].enabled = false;
  EXPECT_EQ(say(), "deny bad_credential");
  laptop.state = DeviceState::revoked;
  EXPECT_EQ(say(), "deny device_revoked") << "the device comes first";
}

TEST_F(Decide, ACredentialTiesItsOwnUserMoreStrongly) {
  policy(1, {kR1}).anyone = true;
  data.policies[0].terms.min_binding = Binding::credential;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "deny binding_too_weak p1");
  const Token hers{.id = TokenId(1), .name = "t", .user = kAlice};
  const Token his{.id = TokenId(2), .name = "u", .user = kBob};
  subject.credential = SentCredential{&hers};
  EXPECT_EQ(say(), "allow fresh p1");
  subject.credential = SentCredential{&his};
  EXPECT_EQ(say(), "sign_in no_sign_in p1") << "she is signed in here, he is not";
  data.policies[0].terms.min_binding = Binding::certificate;
  EXPECT_EQ(say(), "deny binding_too_weak p1");
}

TEST_F(Decide, ALimitedTokenIsGoodForItsResourcesOnly) {
  policy(1, {kR1, kR2, kR3}).anyone = true;
  sign_in(kAlice, 1_h);
  Token token{.id = TokenId(1), .name = "t", .user = kAlice, .limited = true, .resources = {kR3}};
  subject.credential = SentCredential{&token};
  EXPECT_EQ(say(), "deny token_not_for_resource");
  token.resources = {kR3, kR2};
  EXPECT_EQ(say(), "allow fresh p1") << "one of the destination's resources suffices";
  token.resources.clear();
  EXPECT_EQ(say(), "deny token_not_for_resource") << "no longer good for any";
  token.limited = false;
  EXPECT_EQ(say(), "allow fresh p1");
}

TEST_F(Decide, AnUnknownDeviceIsAskedUnlessEnrolmentIsClosed) {
  policy(1, {kR1}).anyone = true;
  subject.device = nullptr;
  EXPECT_EQ(say(), "sign_in no_sign_in p1");
  data.enrol = Enrol::approve;
  EXPECT_EQ(say(), "sign_in no_sign_in p1");
  data.enrol = Enrol::closed;
  EXPECT_EQ(say(), "deny not_enrolled");
}

TEST_F(Decide, AWeakBindingIsDeniedNotPrompted) {
  policy(1, {kR1}).anyone = true;
  data.policies[0].terms.min_binding = Binding::credential;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "deny binding_too_weak p1");
}

TEST_F(Decide, AClockSetBackLengthensNothing) {
  policy(1, {kR1}).anyone = true;
  sign_in(kAlice, Millis(-2001));
  EXPECT_EQ(say(), "sign_in clock_set_back p1");
  sign_in(kAlice, Millis(-2000));
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().until, kNow + 8_h);
  EXPECT_EQ(*ask().age, Millis(0));
  subject.clock_set_back = true;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "sign_in clock_set_back p1");
}

TEST_F(Decide, AnAllowEndsWithItsPolicysHours) {
  policy(1, {kR1}).anyone = true;
  data.policies[0].terms.hours = *parse_hours("mon-fri 09:00-11:30", "x");
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "allow fresh p1");
  EXPECT_EQ(ask().until, *parse_rfc3339("2026-11-23T11:30:00Z"));
  EXPECT_EQ(say(*parse_rfc3339("2026-11-23T11:30:00Z")), "deny no_policy");
  data.utc_offset = 2_h;
  EXPECT_EQ(say(), "deny no_policy");
}

TEST_F(Decide, AnAllowEndsWhenAnEarlierPolicyBegins) {
  policy(1, {kR2}).users = {kAlice};
  data.policies[0].deny = true;
  data.policies[0].terms.hours = *parse_hours("mon 12:00-13:00", "x");
  policy(2, {kR1}).anyone = true;
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "allow fresh p2");
  EXPECT_EQ(ask().until, *parse_rfc3339("2026-11-23T12:00:00Z"));
  sign_in(kBob, 1_h);
  EXPECT_EQ(ask().until, kNow + 7_h) << "the other policy is not about Bob";
}

TEST_F(Decide, AResourceAsAWholeIsJudgedByItsOwnPoliciesOnly) {
  policy(1, {kR2}).anyone = true;
  data.policies[0].deny = true;
  policy(2, {kR1}).anyone = true;
  sign_in(kAlice, 1_h);
  ask();
  EXPECT_EQ(decide_resource(*office, subject, office->data().resources[0], kNow).policy->name, "p2");
  EXPECT_EQ(decide_resource(*office, subject, office->data().resources[1], kNow).policy->name, "p1");
  EXPECT_EQ(decide_resource(*office, subject, resource(50, "10.0.0.1:1"), kNow).reason, Reason::no_policy);
}

// The address 10.0.0.7 is in r1 (Alice, 8 h) and in r2; wiki.lan in r4 (Bob as well, 1 h).
class DecideByName : public Decide {
 protected:
  DecideByName() {
    data.resources.push_back(resource(4, "wiki.lan:443"));
    data.host_addresses = {{*HostPattern::parse("wiki.lan", "x"), *IpAddress::parse("192.0.2.4")}};
    policy(1, {kR1, kR2}).users = {kAlice};
    Policy& by_name = policy(4, {ResourceId(4)});
    by_name.users = {kAlice, kBob};
    by_name.terms.session = 1_h;
  }
  std::string to(const char* address, std::vector<std::string_view> names, std::size_t found_by = 0) {
    office.emplace(data);
    last = decide(*office, subject, {*IpAddress::parse(address), 443, Protocol::tcp, names, found_by}, kNow);
    std::string out = std::string(to_text(last.kind)) + ' ' + std::string(to_text(last.reason));
    return last.policy != nullptr ? out + " " + last.policy->name : out;
  }
  Verdict last;
};

TEST_F(DecideByName, AddressAndNameMustBothAllow) {
  sign_in(kAlice, 2_h);
  EXPECT_EQ(to("10.0.0.7", {}), "allow fresh p1");
  EXPECT_EQ(to("10.0.0.7", {"wiki.lan"}), "sign_in expired p4") << "the name asks for more";
  EXPECT_EQ(to("10.0.0.7", {"else.lan"}), "allow fresh p1") << "a name of nobody changes nothing";
  sign_in(kBob, Millis(0));
  EXPECT_EQ(to("192.0.2.9", {"wiki.lan"}), "allow fresh p4");
  EXPECT_EQ(to("10.0.0.7", {"wiki.lan"}), "deny no_policy") << "a name opens no address";
}

TEST_F(DecideByName, AnAddressOfAHostIsThatHostsWhateverTheClientSays) {
  EXPECT_EQ(to("192.0.2.4", {}), "sign_in no_sign_in p4");
  EXPECT_EQ(to("192.0.2.4", {"else.lan"}), "sign_in no_sign_in p4");
  EXPECT_EQ(to("192.0.2.5", {}), "allow unprotected");
  EXPECT_EQ(to("64:ff9b::192.0.2.4", {}), "sign_in no_sign_in p4") << "through a translator too";
}

TEST_F(DecideByName, TheFirstToEndEndsItAndTheStricterTermsHold) {
  data.policies[0].terms.on_expiry = {Expiry::Kind::keep, 8_h};
  data.policies[1].terms.on_expiry = {Expiry::Kind::drain, Seconds(60)};
  data.policies[0].terms.idle = Seconds(900);
  sign_in(kAlice, Millis(0));
  EXPECT_EQ(to("10.0.0.7", {"wiki.lan"}), "allow fresh p4");
  EXPECT_EQ(last.until, kNow + 1_h);
  EXPECT_EQ(last.on_expiry, (Expiry{Expiry::Kind::drain, Seconds(60)}));
  EXPECT_EQ(last.idle, Seconds(900));
}

TEST_F(DecideByName, WhereNothingUnknownPassesAClaimedNameOpensNothing) {
  data.unprotected_allowed = false;
  sign_in(kBob, Millis(0));
  EXPECT_EQ(to("192.0.2.9", {"wiki.lan"}), "deny unprotected");
  EXPECT_EQ(to("192.0.2.9", {"wiki.lan"}, 1), "allow fresh p4") << "the gate found it there";
  EXPECT_EQ(to("192.0.2.9", {"else.lan", "wiki.lan"}, 1), "deny unprotected") << "it found another there";
  EXPECT_EQ(to("192.0.2.4", {"wiki.lan"}), "allow fresh p4");
}

TEST_F(Decide, IsTotalAtTheEndsOfTime) {
  policy(1, {kR1}).anyone = true;
  data.policies[0].terms.session = Seconds::max();
  data.policies[0].terms.mfa = Seconds::max();
  const std::array<WallTime, 5> times{WallTime::min(), from_ms(-1), from_ms(0), kNow, kNever};
  for (const WallTime now : times) {
    for (const WallTime signed_in : times) {
      subject.presence = Presence{kAlice, signed_in, signed_in, 1};
      const Verdict v = ask(now);
      EXPECT_TRUE(v.kind == VerdictKind::allow || v.kind == VerdictKind::sign_in);
      EXPECT_GE(*v.age, Millis(0));
    }
  }
  data.policies[0].terms.session = Seconds::min();
  sign_in(kAlice, 1_h);
  EXPECT_EQ(say(), "sign_in expired p1");
}

}  // namespace
}  // namespace nightlatch
