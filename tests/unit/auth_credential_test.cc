// A name and an application password: whom they prove, and whom they do not.
#include <gtest/gtest.h>

#include "auth/credential.h"

namespace nightlatch {
namespace {

const WallTime kNow = from_ms(1'795'000'000'000);

class CredentialTest : public testing::Test {
 protected:
  CredentialTest() {
    data.users = {{UserId(1), "Alice", true, {}}, {UserId(2), "bob", true, {}}};
    data.tokens = {Token{.id = TokenId(7), .name = "t", .secret_sha256 = sha256("nlt_a"), .user = UserId(1)}};
  }
  CheckedCredential check(std::string_view name, std::string_view secret) {
    const Office office(data);
    return check_credential(office, name, secret, kNow);
  }
  OfficeData data;
};

TEST_F(CredentialTest, TheNameInAnyCaseAndTheExactSecret) {
  for (const char* name : {"Alice", "alice", "ALICE"}) {
    const auto found = check(name, "nlt_a");
    EXPECT_TRUE(found.good) << name;
    EXPECT_EQ(found.token, TokenId(7));
    EXPECT_EQ(found.user, UserId(1));
  }
}

TEST_F(CredentialTest, AnythingElseProvesNothing) {
  const std::string nul("nlt_a\0", 6);
  for (const std::string_view secret :
       {std::string_view("nlt_b"), std::string_view("NLT_A"), std::string_view(""), std::string_view("nlt_"),
        std::string_view("nlt_a "), std::string_view(nul)}) {
    const auto found = check("alice", secret);
    EXPECT_FALSE(found.good);
    EXPECT_EQ(found.token, TokenId::none);
    EXPECT_EQ(found.user, UserId::none);
  }
  for (const char* name : {"bob", "", "alice ", " alice", "t", "alic"}) {
    const auto found = check(name, "nlt_a");
    EXPECT_FALSE(found.good) << name;
    EXPECT_EQ(found.token, TokenId::none) << name;
  }
}

TEST_F(CredentialTest, NotInForceIsKnownButNotGood) {
  data.tokens[0].revoked = true;
  EXPECT_FALSE(check("alice", "nlt_a").good);
  EXPECT_EQ(check("alice", "nlt_a").token, TokenId(7)) << "the log can say whose it was";
  data.tokens[0].revoked = false;
  data.tokens[0].expires = kNow;
  EXPECT_FALSE(check("alice", "nlt_a").good);
  data.tokens[0].expires = kNow + Millis(1);
  EXPECT_TRUE(check("alice", "nlt_a").good);
  data.users[0].enabled = false;
  EXPECT_FALSE(check("alice", "nlt_a").good);
}

TEST_F(CredentialTest, ATokenOfNobodyProvesNothing) {
  data.users.clear();
  EXPECT_EQ(check("alice", "nlt_a").token, TokenId::none);
  EXPECT_EQ(check("", "nlt_a").token, TokenId::none);
}

}  // namespace
}  // namespace nightlatch
