// The primitives: known answers for the hashes; for randomness, its shape and that it does not repeat.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {
namespace {

TEST(Crypto, Sha256KnownAnswers) {  // FIPS 180-4
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Crypto, HmacKnownAnswers) {  // RFC 4231, cases 1 and 2
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Crypto, EqualInConstantTime) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "secret2"));
}

TEST(Crypto, CodesAreReadableAndDoNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string code = random_code(8);
    ASSERT_EQ(code.size(), 8U);
    for (const char c : code)
      ASSERT_NE(std::string_view("0123456789ABCDEFGHJKMNPQRSTVWXYZ").find(c), std::string_view::npos) << code;
    seen.insert(code);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Crypto, TokensHaveTheirLength) {
  EXPECT_EQ(random_token(32).size(), 43U);
  EXPECT_NE(random_token(32), random_token(32));
  EXPECT_EQ(random_token(0), "");
}

TEST(Crypto, WipeClears) {
  std::string secret = "password";
  wipe(secret);
  EXPECT_TRUE(secret.empty());
}

}  // namespace
}  // namespace nightlatch
