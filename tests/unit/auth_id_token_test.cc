// Claims: each thing that can be wrong with an ID token, userinfo or a logout token, and nothing else, is
// refused under its own name.
#include <gtest/gtest.h>

#include <map>

#include "auth/id_token.h"

namespace nightlatch {
namespace {

const WallTime kNow = from_ms(1'790'000'000'000);
constexpr std::int64_t kNowS = 1'790'000'000;

std::string number(std::int64_t n) { return std::to_string(n); }

using Claims = std::map<std::string, std::string>;  // to JSON text; empty: absent

Claims right() {
  return {{"iss", R"("https://id.example")"},
          {"aud", R"("gate")"},
          {"exp", number(kNowS + 300)},
          {"iat", number(kNowS)},
          {"nonce", R"("n1")"},
          {"sub", R"("s-1")"},
          {"auth_time", number(kNowS - 600)},
          {"at_hash", R"("77QmUPtjPfzWtF2AnpK9RQ")"}};
}
std::string json(const Claims& claims) {
  std::string out;
  for (const auto& [name, value] : claims) {
    if (value.empty()) continue;
    out.append(out.empty() ? "\"" : ",\"").append(name).append("\":").append(value);
  }
  return "{" + out + "}";
}
// The access token of OpenID Connect Core, appendix A.3, whose RS256 hash is above.
IdTokenQuestion question() {
  return {"https://id.example", "gate", "n1", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "groups",
          kNow - Seconds(60)};
}
std::variant<IdClaims, ClaimFault> check(const Claims& claims, const IdTokenQuestion& asked = question(),
                                         JwsAlgorithm algorithm = JwsAlgorithm::rs256) {
  return check_id_token({json(claims), algorithm, ""}, asked, kNow);
}
std::string fault(const std::variant<IdClaims, ClaimFault>& result) {
  const auto* f = std::get_if<ClaimFault>(&result);
  return f == nullptr ? "ok" : std::string(to_text(*f));
}
std::string with(const std::string& name, const std::string& value) {
  Claims claims = right();
  claims[name] = value;
  return fault(check(claims));
}

TEST(IdToken, WhatIsRightIsRead) {
  Claims claims = right();
  claims["sid"] = R"("session-1")";
  claims["amr"] = R"(["pwd","otp"])";
  claims["acr"] = R"("gold")";
  claims["email"] = R"("alice@example.com")";
  claims["preferred_username"] = R"("alice")";
  claims["groups"] = R"(["staff","finance"])";
  const auto result = check(claims);
  ASSERT_EQ(fault(result), "ok");
  const auto& read = std::get<IdClaims>(result);
  EXPECT_EQ(read.subject, "s-1");
  EXPECT_EQ(read.authenticated, kNow - Seconds(600));
  EXPECT_EQ(read.session, "session-1");
  EXPECT_EQ(read.acr, "gold");
  EXPECT_EQ(read.profile.email, "alice@example.com");
  EXPECT_EQ(read.profile.preferred_username, "alice");
  EXPECT_EQ(read.profile.groups, std::vector<std::string>({"staff", "finance"}));
  EXPECT_EQ(methods_of(read, {}).words, "otp pwd");
}

TEST(IdToken, EachThingThatIsWrongHasItsName) {
  EXPECT_EQ(with("iss", ""), "wrong_issuer");
  EXPECT_EQ(with("iss", R"("https://id.example/")"), "wrong_issuer");
  EXPECT_EQ(with("iss", R"(["https://id.example"])"), "wrong_issuer");
  EXPECT_EQ(with("aud", ""), "wrong_audience");
  EXPECT_EQ(with("aud", R"("other")"), "wrong_audience");
  EXPECT_EQ(with("aud", R"(["other","third"])"), "wrong_audience");
  EXPECT_EQ(with("aud", "[]"), "wrong_audience");
  EXPECT_EQ(with("aud", R"(["gate",7])"), "malformed_claims");
  EXPECT_EQ(with("aud", R"(["gate"])"), "ok");
  EXPECT_EQ(with("aud", R"(["gate","other"])"), "wrong_azp");
  EXPECT_EQ(with("azp", R"("other")"), "wrong_azp");
  EXPECT_EQ(with("azp", R"("gate")"), "ok");
  EXPECT_EQ(with("exp", ""), "missing_exp");
  EXPECT_EQ(with("exp", R"("1790000300")"), "malformed_claims");
  EXPECT_EQ(with("exp", "-1"), "malformed_claims");
  EXPECT_EQ(with("exp", "1e300"), "malformed_claims");
  EXPECT_EQ(with("exp", number(kNowS - 30)), "token_expired");
  EXPECT_EQ(with("exp", number(kNowS - 29)), "ok") << "the leeway";
  EXPECT_EQ(with("iat", ""), "missing_iat");
  EXPECT_EQ(with("iat", number(kNowS + 31)), "not_yet_valid");
  EXPECT_EQ(with("iat", number(kNowS + 30)), "ok");
  EXPECT_EQ(with("iat", number(kNowS - 91)), "stale_token");
  EXPECT_EQ(with("iat", number(kNowS - 90)), "ok");
  EXPECT_EQ(with("nbf", number(kNowS + 31)), "not_yet_valid");
  EXPECT_EQ(with("nbf", number(kNowS)), "ok");
  EXPECT_EQ(with("nonce", ""), "wrong_nonce");
  EXPECT_EQ(with("nonce", R"("n2")"), "wrong_nonce");
  EXPECT_EQ(with("nonce", R"("")"), "wrong_nonce");
  EXPECT_EQ(with("sub", ""), "missing_sub");
  EXPECT_EQ(with("sub", R"("")"), "missing_sub");
  EXPECT_EQ(with("sub", "7"), "missing_sub");
  EXPECT_EQ(with("sub", "\"" + std::string(256, 'a') + "\""), "missing_sub");
  EXPECT_EQ(with("sub", R"("a\nb")"), "missing_sub");
  EXPECT_EQ(with("auth_time", ""), "missing_auth_time");
  EXPECT_EQ(with("auth_time", "true"), "malformed_claims");
  EXPECT_EQ(with("auth_time", number(kNowS + 31)), "future_auth_time");
  EXPECT_EQ(with("at_hash", R"("77QmUPtjPfzWtF2AnpK9RR")"), "wrong_at_hash");
  EXPECT_EQ(with("at_hash", "7"), "wrong_at_hash");
  EXPECT_EQ(with("at_hash", ""), "ok") << "optional in the code flow";
  EXPECT_EQ(with("groups", "7"), "malformed_claims");
  EXPECT_EQ(with("_claim_names", R"({"groups":"src1"})"), "groups_elsewhere");
  std::string many = "[\"g\"";
  for (std::size_t i = 1; i <= kMostGroups; ++i) many += ",\"g\"";
  EXPECT_EQ(with("groups", many + "]"), "too_many_groups");
  for (const char* text : {"", "[]", "{", "{}x"}) {
    EXPECT_EQ(fault(check_id_token({text, JwsAlgorithm::rs256, ""}, question(), kNow)), "malformed_claims")
        << text;
  }
}

TEST(IdToken, AnEmptyNonceIsNeverRight) {
  Claims claims = right();
  claims["nonce"] = R"("")";
  IdTokenQuestion asked = question();
  asked.nonce.clear();
  EXPECT_EQ(fault(check(claims, asked)), "wrong_nonce");
}

TEST(IdToken, TheHashIsThatOfTheAlgorithm) {
  EXPECT_EQ(fault(check(right(), question(), JwsAlgorithm::ps256)), "ok");
  EXPECT_EQ(fault(check(right(), question(), JwsAlgorithm::es384)), "wrong_at_hash");
}

TEST(IdToken, AClockAheadNeverMakesASignInYounger) {
  Claims claims = right();
  claims["auth_time"] = number(kNowS + 20);
  const auto result = check(claims);
  ASSERT_EQ(fault(result), "ok");
  EXPECT_EQ(std::get<IdClaims>(result).authenticated, kNow);
}

TEST(IdToken, AgeIsJudgedByWhenThePersonAuthenticated) {
  const WallTime asked = kNow - Seconds(20);
  const Freshness hour{Seconds(3600), false};
  EXPECT_FALSE(too_old(kNow - Seconds(3599), hour, asked, kNow));
  EXPECT_TRUE(too_old(kNow - Seconds(3600), hour, asked, kNow)) << "expired at age >= session";
  EXPECT_FALSE(too_old(kNow - Seconds(1'000'000), Freshness{}, asked, kNow));
  const Freshness anew{Seconds(60), true};
  EXPECT_FALSE(too_old(kNow - Seconds(10), anew, asked, kNow));
  EXPECT_FALSE(too_old(asked - kClockLeeway, anew, asked, kNow));
  EXPECT_TRUE(too_old(asked - kClockLeeway - Millis(1), anew, asked, kNow)) << "made before it was asked for";
}

TEST(IdToken, TwoKindsOfProofAreTwoFactors) {
  struct Row {
    std::vector<std::string> amr;
    std::string acr;
    std::string words;
    bool second;
  };
  const std::vector<Row> rows{{{}, "", "oidc", false},
                              {{"pwd"}, "", "pwd", false},
                              {{"pwd", "pin"}, "", "pin pwd", false},
                              {{"otp", "hwk"}, "", "hwk otp", false},
                              {{"pwd", "otp"}, "", "otp pwd", true},
                              {{"hwk", "pin"}, "", "hwk pin", true},
                              {{"fpt", "swk"}, "", "fpt swk", true},
                              {{"mfa"}, "", "mfa", true},
                              {{"pwd"}, "gold", "pwd mfa", true},
                              {{"pwd"}, "silver", "pwd", false},
                              {{}, "gold", "mfa", true},
                              {{"made-up", "pwd "}, "", "oidc", false},
                              {{"mca", "pwd"}, "", "mca pwd", false}};
  for (const Row& row : rows) {
    IdClaims claims;
    claims.amr = row.amr;
    claims.acr = row.acr;
    const ProvenMethods got = methods_of(claims, {"gold"});
    EXPECT_EQ(got.words, row.words);
    EXPECT_EQ(got.second_factor, row.second) << row.words;
  }
}

TEST(Userinfo, IsAboutTheSamePerson) {
  const auto read = [](const char* json) {
    const auto result = read_userinfo(json, "s-1", "groups");
    const auto* f = std::get_if<ClaimFault>(&result);
    return f == nullptr ? std::get<Profile>(result).preferred_username : std::string(to_text(*f));
  };
  EXPECT_EQ(read(R"({"sub":"s-1","preferred_username":"alice"})"), "alice");
  EXPECT_EQ(read(R"({"sub":"s-2","preferred_username":"alice"})"), "wrong_userinfo_sub");
  EXPECT_EQ(read(R"({"preferred_username":"alice"})"), "wrong_userinfo_sub");
  EXPECT_EQ(read(R"({"sub":["s-1"]})"), "wrong_userinfo_sub");
  EXPECT_EQ(read("alice"), "malformed_claims");
}

TEST(Userinfo, WhereItIsSignedItIsForThisClient) {
  const auto check = [](const char* payload) {
    const auto fault =
        check_signed_userinfo({payload, JwsAlgorithm::rs256, ""}, "https://id.example", "gate");
    return fault ? std::string(to_text(*fault)) : "ok";
  };
  EXPECT_EQ(check(R"({"sub":"s-1"})"), "ok");
  EXPECT_EQ(check(R"({"sub":"s-1","iss":"https://id.example","aud":"gate"})"), "ok");
  EXPECT_EQ(check(R"({"sub":"s-1","iss":"https://id.example","aud":["other","gate"]})"), "ok");
  EXPECT_EQ(check(R"({"sub":"s-1","iss":"https://evil.example","aud":"gate"})"), "wrong_issuer");
  EXPECT_EQ(check(R"({"sub":"s-1","iss":"https://id.example","aud":"other"})"), "wrong_audience");
  EXPECT_EQ(check("[]"), "malformed_claims");
}

TEST(Userinfo, OnlyAVerifiedAddressIsAName) {
  const auto name = [](const char* more) {
    const auto result = read_userinfo(std::string(R"({"sub":"s-1")") + more + "}", "s-1", "");
    return account_name(std::get<Profile>(result));
  };
  EXPECT_EQ(name(R"(,"preferred_username":"Alice","email":"a@example.com","email_verified":true)"), "alice");
  EXPECT_EQ(name(R"(,"email":"Alice@example.com","email_verified":true)"), "alice");
  EXPECT_EQ(name(R"(,"email":"alice@example.com","email_verified":false)"), "");
  EXPECT_EQ(name(R"(,"email":"alice@example.com","email_verified":"true")"), "");
  EXPECT_EQ(name(R"(,"email":"alice@example.com")"), "");
  EXPECT_EQ(name(R"(,"email":"@example.com","email_verified":true)"), "");
  EXPECT_EQ(name(""), "");
}

TEST(LogoutToken, EachThingThatIsWrongHasItsName) {
  const Claims good{{"iss", R"("https://id.example")"},
                    {"aud", R"("gate")"},
                    {"iat", number(kNowS)},
                    {"exp", number(kNowS + 120)},
                    {"jti", R"("j1")"},
                    {"sub", R"("s-1")"},
                    {"events", R"({"http://schemas.openid.net/event/backchannel-logout":{}})"}};
  const auto check = [&](const std::string& name, const std::string& value, const char* type = "logout+jwt") {
    Claims claims = good;
    claims[name] = value;
    const auto result =
        check_logout_token({json(claims), JwsAlgorithm::rs256, type}, "https://id.example", "gate", kNow);
    const auto* f = std::get_if<ClaimFault>(&result);
    return f == nullptr
               ? "ok " + std::get<LogoutClaims>(result).subject + std::get<LogoutClaims>(result).session
               : std::string(to_text(*f));
  };
  EXPECT_EQ(check("iss", good.at("iss")), "ok s-1");
  EXPECT_EQ(check("sid", R"("x")"), "ok s-1x");
  EXPECT_EQ(check("sub", ""), "missing_who");
  EXPECT_EQ(check("iss", R"("https://evil.example")"), "wrong_issuer");
  EXPECT_EQ(check("aud", R"("other")"), "wrong_audience");
  EXPECT_EQ(check("aud", R"(["other","gate"])"), "ok s-1") << "several, without an azp";
  EXPECT_EQ(check("aud", R"(["other","third"])"), "wrong_audience");
  EXPECT_EQ(check("azp", R"("other")"), "wrong_azp");
  EXPECT_EQ(check("exp", ""), "missing_exp");
  EXPECT_EQ(check("exp", number(kNowS - 60)), "token_expired");
  EXPECT_EQ(check("iat", ""), "missing_iat");
  EXPECT_EQ(check("iat", number(kNowS - 331)), "stale_token");
  EXPECT_EQ(check("iat", number(kNowS + 60)), "not_yet_valid");
  EXPECT_EQ(check("jti", ""), "missing_jti");
  EXPECT_EQ(check("nonce", R"("n1")"), "has_nonce") << "an ID token is no logout token";
  EXPECT_EQ(check("events", ""), "missing_event");
  EXPECT_EQ(check("events", R"({"http://schemas.openid.net/event/backchannel-logout":1})"), "missing_event");
  EXPECT_EQ(check("events", R"({"other":{}})"), "missing_event");
  EXPECT_EQ(check("jti", R"("j1")", "at+jwt"), "malformed_claims");
  EXPECT_EQ(check("jti", R"("j1")", ""), "ok s-1");
}

}  // namespace
}  // namespace nightlatch
