// Signatures of providers: the examples of the specifications, what nightlatch will not take, and that
// nothing but the signed bytes passes.
#include <gtest/gtest.h>

#include "auth/json_check.h"
#include "auth/jws.h"
#include "jose_maker.h"
#include "jose_vectors.h"

namespace nightlatch {
namespace {

using jose::header;
using jose::set_of;
using jose::SigningKey;

std::vector<JwsAlgorithm> all_algorithms() {
  std::vector<JwsAlgorithm> all;
  for (const char* name : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}) {
    all.push_back(*parse_jws_algorithm(name));
    EXPECT_EQ(to_text(all.back()), name);
  }
  return all;
}
const std::vector<JwsAlgorithm>& all() {
  static const std::vector<JwsAlgorithm> list = all_algorithms();
  return list;
}

JwkSet keys(const std::vector<std::string>& jwks) {
  auto set = JwkSet::parse(set_of(jwks));
  EXPECT_TRUE(set.ok());
  return set ? *std::move(set) : JwkSet();
}
// "ok PAYLOAD", or the fault.
std::string verdict(const JwkSet& set, std::string_view token,
                    const std::vector<JwsAlgorithm>& allowed = all()) {
  const auto result = set.verify(token, allowed);
  if (const auto* jws = std::get_if<Jws>(&result)) return "ok " + jws->payload;
  return std::string(to_text(std::get<JwsFault>(result)));
}

const SigningKey& rsa() {
  static const SigningKey key = SigningKey::rsa(2048);
  return key;
}
const SigningKey& p256() {
  static const SigningKey key = SigningKey::ec("P-256", 32);
  return key;
}

TEST(Jws, TheExamplesOfRfc7515) {
  const std::string payload = "ok " + std::string(vectors::kPayload);
  EXPECT_EQ(verdict(keys({std::string(vectors::kA2Key)}), vectors::kA2), payload);
  EXPECT_EQ(verdict(keys({std::string(vectors::kA3Key)}), vectors::kA3), payload);
  EXPECT_EQ(verdict(keys({std::string(vectors::kA4Key)}), vectors::kA4), "ok Payload");
  EXPECT_EQ(verdict(keys({std::string(vectors::kA2Key)}), vectors::kA1), "alg_symmetric");
  EXPECT_EQ(verdict(keys({std::string(vectors::kA2Key)}), vectors::kA5), "alg_none");
}

TEST(Jws, TheExamplesOfRfc7520) {
  const std::string payload =
      "ok It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you "
      "don't keep "
      "your feet, there\u2019s no knowing where you might be swept off to.";
  EXPECT_EQ(verdict(keys({std::string(vectors::kCookbook41Key)}), vectors::kCookbook41), payload);
  EXPECT_EQ(verdict(keys({std::string(vectors::kCookbook42Key)}), vectors::kCookbook42), payload);
  EXPECT_EQ(verdict(keys({std::string(vectors::kCookbook43Key)}), vectors::kCookbook43), payload);
  // Section 4.4, of the same payload: a secret that both sides have proves nothing about who signed.
  const std::string same(vectors::kCookbook41);
  const std::string by_secret =
      "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9" +
      same.substr(same.find('.'), same.rfind('.') - same.find('.')) +
      ".s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0";
  EXPECT_EQ(verdict(keys({std::string(vectors::kCookbook41Key)}), by_secret), "alg_symmetric");
}

TEST(Jws, EveryAlgorithmHoldsAndIsPinned) {
  const SigningKey p384 = SigningKey::ec("P-384", 48);
  const SigningKey p521 = SigningKey::ec("P-521", 66);
  const JwkSet set = keys({rsa().jwk(R"("kid":"r",)"), p256().jwk(R"("kid":"e",)"), p384.jwk(R"("kid":"f",)"),
                           p521.jwk(R"("kid":"g",)")});
  ASSERT_EQ(set.size(), 4U);
  for (const JwsAlgorithm algorithm : all()) {
    const std::string name(to_text(algorithm));
    const SigningKey& key = name == "ES256"   ? p256()
                            : name == "ES384" ? p384
                            : name == "ES512" ? p521
                                              : rsa();
    const std::string kid = name == "ES256" ? "e" : name == "ES384" ? "f" : name == "ES512" ? "g" : "r";
    const std::string token = key.sign(name, header(name, kid), "{}");
    EXPECT_EQ(verdict(set, token), "ok {}") << name;
    std::vector<JwsAlgorithm> others = all();
    std::erase(others, algorithm);
    EXPECT_EQ(verdict(set, token, others), "alg_not_allowed") << name;
    EXPECT_EQ(verdict(set, token, {}), "alg_not_allowed") << name;
    // Signed with one algorithm and labelled with another.
    const std::string other = name.ends_with("256") ? name.substr(0, 2) + "384" : name.substr(0, 2) + "256";
    EXPECT_NE(verdict(set, key.sign(name, header(other, kid), "{}")).substr(0, 2), "ok")
        << name << " as " << other;
    // Any bit of the signature, and any of the payload.
    for (const std::size_t at :
         {token.size() - 2, token.size() - 40, token.rfind('.') + 1, token.rfind('.') - 1}) {
      std::string changed = token;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      EXPECT_EQ(verdict(set, changed), "wrong_signature") << name << " at " << at;
    }
  }
}

TEST(Jws, AnotherKeysSignatureIsNone) {
  const JwkSet set = keys({rsa().jwk(R"("kid":"1",)"), p256().jwk(R"("kid":"2",)")});
  const SigningKey other = SigningKey::rsa(2048);
  EXPECT_EQ(verdict(set, other.sign("RS256", header("RS256", "1"), "{}")), "wrong_signature");
  EXPECT_EQ(verdict(set, other.sign("PS256", header("PS256", "1"), "{}")), "wrong_signature");
  EXPECT_EQ(verdict(set, SigningKey::ec("P-256", 32).sign("ES256", header("ES256", "2"), "{}")),
            "wrong_signature");
  EXPECT_EQ(verdict(set, other.sign("RS256", header("RS256", "3"), "{}")), "unknown_key");
  EXPECT_EQ(verdict(set, rsa().sign("RS256", header("RS256", "2"), "{}")), "unfit_key");
  EXPECT_EQ(verdict(set, p256().sign("ES256", header("ES384", "2"), "{}")), "unfit_key");
}

TEST(Jws, TheSecretOfHs256IsNotThePublicKey) {
  const std::string jwk = rsa().jwk(R"("kid":"1",)");
  const std::string input = jose::encode(header("HS256", "1")) + "." + jose::encode("{}");
  const Digest mac = hmac_sha256(jwk, input);
  const std::string token = input + "." + base64url(mac);
  EXPECT_EQ(verdict(keys({jwk}), token), "alg_symmetric");
}

TEST(Jws, CriticalHeadersAreRefusedWhateverTheySay) {
  const JwkSet set = keys({rsa().jwk(R"("kid":"1",)")});
  for (const char* more :
       {R"(,"crit":["b64"],"b64":false)", R"(,"crit":["exp"],"exp":1)", R"(,"crit":[])", R"(,"crit":null)"}) {
    EXPECT_EQ(verdict(set, rsa().sign("RS256", header("RS256", "1", more), "{}")), "unknown_crit") << more;
  }
}

TEST(Jws, WeakAndUnfitKeys) {
  const SigningKey weak = SigningKey::rsa(1024);
  EXPECT_EQ(verdict(keys({weak.jwk(R"("kid":"1",)")}), weak.sign("RS256", header("RS256", "1"), "{}")),
            "weak_key");
  EXPECT_EQ(verdict(keys({weak.jwk()}), weak.sign("RS256", header("RS256"), "{}")), "weak_key");
  const std::string token = rsa().sign("RS256", header("RS256", "1"), "{}");
  for (const char* more :
       {R"("kid":"1","use":"enc",)", R"("kid":"1","key_ops":["encrypt"],)", R"("kid":"1","alg":"RS512",)",
        R"("kid":"1","use":7,)", R"("kid":"1","key_ops":"verify",)"}) {
    EXPECT_EQ(verdict(keys({rsa().jwk(more)}), token), "unfit_key") << more;
  }
  for (const char* more :
       {R"("kid":"1","use":"sig",)", R"("kid":"1","key_ops":["verify"],)", R"("kid":"1","alg":"RS256",)"}) {
    EXPECT_EQ(verdict(keys({rsa().jwk(more)}), token), "ok {}") << more;
  }
}

TEST(Jws, WithoutAKeyIdOnlyOneKeyMayFit) {
  const SigningKey second = SigningKey::rsa(2048);
  const std::string token = rsa().sign("RS256", header("RS256"), "{}");
  EXPECT_EQ(verdict(keys({rsa().jwk(), p256().jwk()}), token), "ok {}");
  EXPECT_EQ(verdict(keys({rsa().jwk(), second.jwk()}), token), "unknown_key");
  const std::string named = rsa().sign("RS256", header("RS256", "1"), "{}");
  EXPECT_EQ(verdict(keys({rsa().jwk(R"("kid":"1",)"), second.jwk(R"("kid":"1",)")}), named), "unknown_key");
  EXPECT_EQ(verdict(keys({}), token), "unknown_key");
}

TEST(Jws, WhatIsNoToken) {
  const JwkSet set = keys({rsa().jwk(R"("kid":"1",)")});
  const std::string token = rsa().sign("RS256", header("RS256", "1"), "{}");
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("..."), token + ".", token + "=",
        "x" + token, token.substr(0, token.rfind('.')), std::string(token).append(".").append(token),
        std::string(kLargestJws + 1, 'a'), rsa().sign("RS256", R"({"alg":"RS256","alg":"none"})", "{}"),
        rsa().sign("RS256", R"(["RS256"])", "{}"), rsa().sign("RS256", R"({"alg":["RS256"]})", "{}"),
        rsa().sign("RS256", R"({"alg":"RS256","kid":1})", "{}"), rsa().sign("RS256", "{}", "{}")}) {
    EXPECT_EQ(verdict(set, bad), "malformed") << bad.substr(0, 60);
  }
  EXPECT_EQ(verdict(set, token.substr(0, token.rfind('.') + 1)), "wrong_signature");
  EXPECT_EQ(verdict(set, jose::encode(R"({"alg":"NONE"})") + ".e30."), "alg_not_allowed");
}

TEST(Jws, KeySetsAreBoundedAndReadInOneWay) {
  for (const char* bad : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]} x)", R"({"keys":[],"keys":[]})"}) {
    EXPECT_FALSE(JwkSet::parse(bad).ok()) << bad;
  }
  EXPECT_FALSE(JwkSet::parse(set_of(std::vector<std::string>(kMostJwks + 1, rsa().jwk()))).ok());
  EXPECT_FALSE(JwkSet::parse(std::string(kLargestJwkSet + 1, ' ') + "{}").ok());
  // What is no key for this is passed over: symmetric ones, other curves, a point off its curve, an even
  // exponent.
  const JwkSet set =
      keys({R"({"kty":"oct","k":"AAAA"})", R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})",
            R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})", R"({"kty":"RSA","n":"AAAA","e":"AQAA"})",
            R"({"kty":"RSA"})", "7", "null", p256().jwk()});
  EXPECT_EQ(set.size(), 1U);
}

TEST(Json, OneObjectReadInOneWay) {
  for (const char* good : {"{}", R"({"a":1,"b":[{"a":1}]})", " {\"a\":\"\\u00e9\"} "}) {
    EXPECT_TRUE(is_strict_json_object(good)) << good;
  }
  for (const char* bad : {"", "1", "\"a\"", "[]", "[{}]", "{", "{}{}", "{} x", R"({"a":1,"a":2})",
                          R"({"b":{"a":1,"a":2}})", R"({"a":1,"\u0061":2})", "{\"a\":\"\xff\"}", "{'a':1}",
                          "{\"a\":NaN}", "{\"a\":1e999}", "{\"a\":1,}"}) {
    EXPECT_FALSE(is_strict_json_object(bad)) << bad;
  }
  const auto deep = [](std::size_t n) {
    return R"({"a":)" + std::string(n, '[') + std::string(n, ']') + "}";
  };
  EXPECT_TRUE(is_strict_json_object(deep(kDeepestJson - 1)));
  EXPECT_FALSE(is_strict_json_object(deep(kDeepestJson)));
  EXPECT_FALSE(is_strict_json_object(std::string(100'000, '[')));
}

}  // namespace
}  // namespace nightlatch
