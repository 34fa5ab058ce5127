// What browsers say about passkeys: the vectors of the specification, and every part of a good answer got
// wrong.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "auth/cbor.h"
#include "auth/webauthn.h"
#include "passkey_maker.h"
#include "webauthn_vectors.h"

namespace nightlatch {
namespace {

std::string unhex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}
std::string url_text(std::string_view hex) {
  const std::string bytes = unhex(hex);
  const std::vector<unsigned char> raw(bytes.begin(), bytes.end());
  return base64url(raw);
}
template <typename T>
std::string fault(const std::variant<T, PasskeyFault>& checked) {
  return std::holds_alternative<T>(checked) ? "" : std::string(to_text(std::get<PasskeyFault>(checked)));
}

// With any bit of it turned over, it is refused.
void each_bit_counts(const Ceremony& ceremony, const NewCredential& made, const Assertion& good) {
  for (std::string Assertion::* field :
       {&Assertion::client_data_json, &Assertion::authenticator_data, &Assertion::signature}) {
    for (std::size_t bit = 0; bit < (good.*field).size() * 8; ++bit) {
      Assertion bad = good;
      char& c = (bad.*field)[bit / 8];
      c = static_cast<char>(c ^ (1 << bit % 8));
      ASSERT_NE(fault(check_assertion(ceremony, made.key, made.backup_eligible, bad)), "") << bit;
    }
  }
}

// What each of the specification's credentials is to us; "" is accepted.
const std::map<std::string_view, std::string_view> kExpected{
    {"none-es256", ""},
    {"packed-self-es256", ""},
    {"none-es256-crossOrigin", "cross_origin"},
    {"none-es256-topOrigin", "cross_origin"},
    {"none-es256-long-credential-id", ""},
    {"packed-es256", ""},
    {"packed-es384", "unsupported_key"},
    {"packed-es512", "unsupported_key"},
    {"packed-rs256", "unsupported_key"},  // of 3482 bits, which no authenticator makes
    {"packed-eddsa", ""},
    {"packed-ed448", "unsupported_key"},
    {"tpm-es256", ""},
    {"android-key-es256", ""},
    {"apple-es256", ""},
    {"fido-u2f-es256", ""},
};

TEST(WebauthnVectors, AreAcceptedOrRefusedForTheReasonThatIsTheirs) {
  EXPECT_EQ(kExpected.size(), kWebauthnVectors.size());
  for (const WebauthnVector& v : kWebauthnVectors) {
    SCOPED_TRACE(v.name);
    const std::string_view expected = kExpected.at(v.name);
    Ceremony asked{url_text(v.create_challenge), "https://example.org", "example.org", false};
    const auto made = check_registration(asked, unhex(v.create_client_data), unhex(v.attestation_object));
    ASSERT_EQ(fault(made), expected);
    if (!expected.empty()) continue;
    const auto& credential = std::get<NewCredential>(made);
    EXPECT_EQ(credential.id, unhex(v.credential_id));
    asked.challenge = url_text(v.get_challenge);
    Assertion sent{credential.id, unhex(v.get_client_data), unhex(v.authenticator_data), unhex(v.signature),
                   ""};
    EXPECT_EQ(fault(check_assertion(asked, credential.key, credential.backup_eligible, sent)), "");
    sent.signature.back() = static_cast<char>(sent.signature.back() ^ 1);
    EXPECT_NE(fault(check_assertion(asked, credential.key, credential.backup_eligible, sent)), "");
  }
}

TEST(WebauthnVectors, OfAGoodAssertionNoBitMayBeAnother) {
  for (const WebauthnVector& v : kWebauthnVectors) {
    if (v.name != "none-es256" && v.name != "packed-eddsa") continue;
    Ceremony asked{url_text(v.create_challenge), "https://example.org", "example.org", false};
    const auto made = std::get<NewCredential>(
        check_registration(asked, unhex(v.create_client_data), unhex(v.attestation_object)));
    asked.challenge = url_text(v.get_challenge);
    const Assertion good{made.id, unhex(v.get_client_data), unhex(v.authenticator_data), unhex(v.signature),
                         ""};
    ASSERT_EQ(fault(check_assertion(asked, made.key, made.backup_eligible, good)), "");
    each_bit_counts(asked, made, good);
  }
}

constexpr std::string_view kChallenge = "AMMPtDVxxGTStncdq417YDwBFi8vpIa-pw8oOuVW4TA";
Ceremony asked(bool verified = false) {
  return {std::string(kChallenge), "https://gate.test", "gate.test", verified};
}
NewCredential registered(const PasskeyMaker& maker) {
  const auto made = check_registration(asked(), maker.client_data("webauthn.create", kChallenge),
                                       maker.attestation_object());
  EXPECT_EQ(fault(made), "");
  return std::holds_alternative<NewCredential>(made) ? std::get<NewCredential>(made) : NewCredential{};
}

TEST(Webauthn, EveryAlgorithmThatIsOfferedRegistersAndSigns) {
  for (const CoseAlgorithm algorithm : {CoseAlgorithm::es256, CoseAlgorithm::eddsa, CoseAlgorithm::rs256}) {
    PasskeyMaker maker(algorithm);
    const NewCredential made = registered(maker);
    EXPECT_EQ(made.key.algorithm, algorithm);
    EXPECT_EQ(fault(check_assertion(asked(true), made.key, false, maker.assertion(kChallenge))), "");
    PasskeyMaker other(algorithm);
    EXPECT_EQ(fault(check_assertion(asked(true), made.key, false, other.assertion(kChallenge))),
              "wrong_signature");
  }
}

TEST(Webauthn, EachBitOfAnRsaAssertionCounts) {
  PasskeyMaker maker(CoseAlgorithm::rs256);
  const NewCredential made = registered(maker);
  const Assertion good = maker.assertion(kChallenge);
  ASSERT_EQ(fault(check_assertion(asked(), made.key, false, good)), "");
  each_bit_counts(asked(), made, good);
}

TEST(Webauthn, RsaKeysOfAnotherSizeAreRefused) {
  for (const unsigned bits : {1024U, 3072U}) {
    PasskeyMaker maker(CoseAlgorithm::rs256, bits);
    EXPECT_EQ(fault(check_registration(asked(), maker.client_data("webauthn.create", kChallenge),
                                       maker.attestation_object())),
              "unsupported_key");
  }
}

TEST(Webauthn, APointThatIsNotOnTheCurveIsNoKey) {
  PasskeyMaker maker;
  std::string object = maker.attestation_object();
  object.back() = static_cast<char>(object.back() ^ 1);
  EXPECT_EQ(fault(check_registration(asked(), maker.client_data("webauthn.create", kChallenge), object)),
            "unsupported_key");
}

TEST(Webauthn, AKeyHasEachOfItsPartsOnce) {
  PasskeyMaker maker(CoseAlgorithm::eddsa);
  std::string data = maker.authenticator_data(true);
  const std::string point = data.substr(data.size() - 32);
  const std::size_t at = data.size() - 32 - 10;  // where the key's map begins: 4 pairs, the last its point
  ASSERT_EQ(data[at], '\xa4');
  EXPECT_TRUE(parse_authenticator_data(data).has_value());
  data[at] = '\xa5';
  EXPECT_TRUE(parse_authenticator_data(data + "\x22\x58\x20" + point).has_value());
  EXPECT_FALSE(parse_authenticator_data(data + "\x21\x58\x20" + point).has_value()) << "x, twice";
}

// Each of these is signed by the right key: only what it says is wrong.
TEST(Webauthn, WhatIsSignedButWrongIsRefusedForItsOwnReason) {
  struct Case {
    std::string_view reason;
    void (*spoil)(PasskeyMaker&);
  };
  const Case cases[] = {
      {"wrong_origin", [](PasskeyMaker& m) { m.origin = "https://gate.test.evil.example"; }},
      {"wrong_origin", [](PasskeyMaker& m) { m.origin = "http://gate.test"; }},
      {"wrong_origin", [](PasskeyMaker& m) { m.origin = "https://gate.test:8443"; }},
      {"wrong_origin", [](PasskeyMaker& m) { m.origin = "https://GATE.test"; }},
      {"wrong_rp", [](PasskeyMaker& m) { m.rp_id = "test"; }},
      {"user_not_present", [](PasskeyMaker& m) { m.flags = PasskeyMaker::kVerified; }},
      {"user_not_verified", [](PasskeyMaker& m) { m.flags = PasskeyMaker::kPresent; }},
      {"wrong_backup_flags", [](PasskeyMaker& m) { m.flags |= PasskeyMaker::kBackedUp; }},
      {"wrong_backup_flags", [](PasskeyMaker& m) { m.flags |= PasskeyMaker::kEligible; }},
      {"cross_origin", [](PasskeyMaker& m) { m.more_client_data = ",\"crossOrigin\":true"; }},
      {"cross_origin",
       [](PasskeyMaker& m) { m.more_client_data = ",\"topOrigin\":\"https://evil.example\""; }},
      {"malformed", [](PasskeyMaker& m) { m.more_client_data = ",\"crossOrigin\":\"false\""; }},
      {"malformed", [](PasskeyMaker& m) { m.more_client_data = ",\"type\":\"webauthn.get\""; }},
      {"malformed",
       [](PasskeyMaker& m) { m.more_client_data = ",\"x\":\"" + std::string(5000, 'x') + "\""; }},
      {"malformed", [](PasskeyMaker& m) { m.more_client_data = ",\"x\":" + std::string(2000, '['); }},
  };
  for (const Case& c : cases) {
    PasskeyMaker maker;
    const NewCredential made = registered(maker);
    c.spoil(maker);
    EXPECT_EQ(fault(check_assertion(asked(true), made.key, false, maker.assertion(kChallenge))), c.reason);
  }
}

TEST(Webauthn, ClientDataEndsWhereItsBytesEnd) {
  const std::string client = PasskeyMaker().client_data("webauthn.get", kChallenge);
  EXPECT_TRUE(parse_client_data(client).has_value());
  EXPECT_FALSE(parse_client_data(client + std::string(1, '\0')).has_value());
  EXPECT_FALSE(parse_client_data(client + std::string(1, '\0') + "{}").has_value());
  EXPECT_FALSE(parse_client_data(client + "x").has_value());
}

TEST(Webauthn, AnAnswerToAnotherQuestionIsRefused) {
  PasskeyMaker maker;
  const NewCredential made = registered(maker);
  const auto check = [&](const Assertion& sent) {
    return fault(check_assertion(asked(), made.key, false, sent));
  };
  EXPECT_EQ(check(maker.assertion("AMMPtDVxxGTStncdq417YDwBFi8vpIa-pw8oOuVW4TB")), "wrong_challenge");
  EXPECT_EQ(check(maker.assertion("")), "wrong_challenge");
  Ceremony none = asked();
  none.challenge.clear();
  EXPECT_EQ(fault(check_assertion(none, made.key, false, maker.assertion(""))), "wrong_challenge")
      << "nothing was asked";
  Assertion other = maker.assertion(kChallenge);
  other.client_data_json = maker.client_data("webauthn.create", kChallenge);
  EXPECT_EQ(check(other), "wrong_type");
  EXPECT_EQ(fault(check_registration(asked(), maker.client_data("webauthn.get", kChallenge),
                                     maker.attestation_object())),
            "wrong_type");
}

TEST(Webauthn, ARegistrationIsJudgedLikeAnAssertion) {
  struct Case {
    std::string_view reason;
    void (*spoil)(PasskeyMaker&);
  };
  const Case cases[] = {
      {"wrong_origin", [](PasskeyMaker& m) { m.origin = "https://evil.example"; }},
      {"wrong_rp", [](PasskeyMaker& m) { m.rp_id = "evil.example"; }},
      {"user_not_present", [](PasskeyMaker& m) { m.flags = 0; }},
      {"wrong_backup_flags", [](PasskeyMaker& m) { m.flags |= PasskeyMaker::kBackedUp; }},
      {"malformed", [](PasskeyMaker& m) { m.id = std::string(1024, 'x'); }},
      {"malformed", [](PasskeyMaker& m) { m.id.clear(); }},
  };
  for (const Case& c : cases) {
    PasskeyMaker maker;
    c.spoil(maker);
    EXPECT_EQ(fault(check_registration(asked(), maker.client_data("webauthn.create", kChallenge),
                                       maker.attestation_object())),
              c.reason);
  }
}

TEST(Webauthn, WhatIsCutOrTooLongIsMalformed) {
  const PasskeyMaker maker;
  const std::string client = maker.client_data("webauthn.create", kChallenge);
  const std::string object = maker.attestation_object();
  for (std::size_t n = 0; n < object.size(); ++n) {
    ASSERT_EQ(fault(check_registration(asked(), client, std::string_view(object).substr(0, n))), "malformed");
  }
  EXPECT_EQ(fault(check_registration(asked(), client, object + "x")), "malformed");
  const std::string data = maker.authenticator_data(false);
  EXPECT_TRUE(parse_authenticator_data(data).has_value());
  EXPECT_FALSE(parse_authenticator_data(data + "x").has_value());
  EXPECT_FALSE(parse_authenticator_data(maker.authenticator_data(true) + std::string(9000, 'x')).has_value());
}

// Extensions that nobody asked for are read over, if they are well formed.
TEST(Webauthn, ExtensionsAreReadOver) {
  PasskeyMaker maker;
  maker.flags |= 0x80U;
  const std::string data = maker.authenticator_data(true);
  const auto with = [&](const std::string& extensions) {
    return parse_authenticator_data(data + extensions).has_value();
  };
  EXPECT_TRUE(
      with("\xa1\x6b"
           "credProtect\x02"));
  EXPECT_FALSE(with("")) << "the flag says that there are some";
  EXPECT_FALSE(with("\x02")) << "no map";
  EXPECT_FALSE(with("\xa1\x61x\x9b\xff\xff\xff\xff\xff\xff\xff\xff")) << "a list longer than what is left";
  EXPECT_FALSE(with("\xa1\x61x\x9f\xff")) << "of indefinite length";
  EXPECT_FALSE(with("\xa1\x61x" + std::string(100, '\x81') + "\x01")) << "too deep";
}

TEST(Cbor, ReadsWhatIsThereAndNothingElse) {
  CborReader in(
      std::string_view("\xa2\x18\x2a\x39\x01\x00\x61x\x43"
                       "abc",
                       12));
  EXPECT_EQ(in.map(), 2U);
  EXPECT_EQ(in.integer(), 42);
  EXPECT_EQ(in.integer(), -257);
  EXPECT_EQ(in.text(), "x");
  EXPECT_EQ(in.bytes(), "abc");
  EXPECT_TRUE(in.left().empty());
  EXPECT_FALSE(in.integer().has_value());
  CborReader big("\x1b\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_FALSE(big.integer().has_value()) << "does not fit";
  CborReader wrong("\x61x\x01");
  EXPECT_FALSE(wrong.bytes().has_value());
  EXPECT_TRUE(wrong.left().empty()) << "spent";
}

}  // namespace
}  // namespace nightlatch
