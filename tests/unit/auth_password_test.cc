#include <gtest/gtest.h>

#include "auth/password.h"

namespace nightlatch {
namespace {

TEST(Password, IsArgon2idWithTheParametersAskedFor) {
  const auto hash = hash_password("correct horse battery");
  ASSERT_TRUE(hash.ok());
  EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << *hash;
  EXPECT_TRUE(verify_password(*hash, "correct horse battery"));
  EXPECT_FALSE(verify_password(*hash, "correct horse batterz"));
  EXPECT_FALSE(verify_password(*hash, ""));
  EXPECT_FALSE(verify_password(*hash, std::string(100'000, 'a')));
  EXPECT_NE(*hash, *hash_password("correct horse battery")) << "salted";
}

TEST(Password, RefusesWhatCannotBeOne) {
  for (const std::string& bad : {std::string("short"), std::string(1025, 'a'), std::string("eight\0by", 8),
                                 std::string("line\nend"), std::string("latin\xe9-1 text")}) {
    const auto hash = hash_password(bad);
    ASSERT_FALSE(hash.ok());
    EXPECT_EQ(hash.error().kind, ErrorKind::usage);
    EXPECT_EQ(hash.error().message.find(bad), std::string::npos) << "never repeated";
  }
  EXPECT_TRUE(hash_password("pass wörter").ok());
}

TEST(Password, NothingVerifiesAgainstTheDecoy) {
  EXPECT_TRUE(decoy_hash().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_FALSE(verify_password(decoy_hash(), ""));
  EXPECT_FALSE(verify_password(decoy_hash(), "correct horse battery"));
  EXPECT_FALSE(verify_password("not a hash", "correct horse battery"));
  EXPECT_FALSE(verify_password("", ""));
}

}  // namespace
}  // namespace nightlatch
