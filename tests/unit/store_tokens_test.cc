// Tokens in the store: shown once, kept as a hash, revoked for good.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "policy/parse.h"
#include "store/access.h"
#include "store/people.h"
#include "store/tokens.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class TokensTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
    ASSERT_TRUE(add_resource(db(), "wiki", {*parse_target("10.1.0.1:443/tcp", "to")}).ok());
    ASSERT_TRUE(add_resource(db(), "mail", {*parse_target("10.1.0.2:443/tcp", "to")}).ok());
  }
  Result<AddedToken> add(const std::string& name, const std::vector<std::string>& resources = {},
                         std::optional<Seconds> lifetime = {}) {
    return add_token(db(), {name, "Alice", resources, lifetime}, t0_);
  }
  const WallTime t0_ = from_ms(to_ms(wall_now()));
};

TEST_F(TokensTest, ATokenIsReadWithTheOfficeAndItsSecretIsNowhere) {
  const auto added = add("laptop", {"WIKI", "mail", "wiki"}, Seconds(90));
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ(added->secret.size(), 26U) << "a prefix and 128 bits in base64url";
  const OfficeData data = *load_office(db());
  ASSERT_EQ(data.tokens.size(), 1U);
  const Token& token = data.tokens[0];
  EXPECT_EQ(token.id, added->id);
  EXPECT_EQ(token.name, "laptop");
  EXPECT_EQ(token.secret_sha256, sha256(added->secret));
  EXPECT_EQ(token.user, UserId(1));
  EXPECT_TRUE(token.limited);
  EXPECT_EQ(token.resources.size(), 2U);
  EXPECT_EQ(token.expires, t0_ + Seconds(90));
  EXPECT_FALSE(token.revoked);
  ASSERT_TRUE(db().execute("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  std::ifstream file(path(), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(bytes.find(added->secret), std::string::npos);
  EXPECT_NE(bytes.find("laptop"), std::string::npos);
}

TEST_F(TokensTest, EverySecretIsAnother) { EXPECT_NE(add("a")->secret, add("b")->secret); }

TEST_F(TokensTest, ANameIsMadeWhereNoneIsGiven) {
  EXPECT_EQ(add("")->name, "alice-1");
  EXPECT_EQ(add("")->name, "alice-2");
  ASSERT_TRUE(revoke_token(db(), "alice-1", t0_).ok());
  EXPECT_EQ(add("")->name, "alice-1") << "a revoked one's name is free";
}

TEST_F(TokensTest, ChangesRaiseTheOfficesVersion) {
  auto before = *office_version(db());
  ASSERT_TRUE(add("laptop", {"wiki"}).ok());
  EXPECT_GT(*office_version(db()), before);
  before = *office_version(db());
  ASSERT_TRUE(revoke_token(db(), "LAPTOP", t0_).ok());
  EXPECT_GT(*office_version(db()), before);
  before = *office_version(db());
  ASSERT_TRUE(db().execute("INSERT INTO token_use VALUES (1, 5000)").ok());
  EXPECT_EQ(*office_version(db()), before) << "a use is no change of the configuration";
  EXPECT_EQ(list_tokens(db())->at(0).last_used, from_ms(5000));
}

TEST_F(TokensTest, RevokedIsRevokedAndStaysListed) {
  const auto added = add("laptop");
  ASSERT_TRUE(add("phone").ok());
  const auto revoked = revoke_token(db(), "laptop", t0_ + Seconds(5));
  ASSERT_TRUE(revoked.ok()) << revoked.error().message;
  EXPECT_EQ(revoked->user, "alice");
  EXPECT_EQ(revoked->revoked, t0_ + Seconds(5));
  EXPECT_TRUE(load_office(db())->tokens[0].revoked);
  EXPECT_FALSE(load_office(db())->tokens[1].revoked);
  EXPECT_EQ(revoke_token(db(), "laptop", t0_).error().kind, ErrorKind::not_found);
  const std::string id = std::to_string(static_cast<std::int64_t>(added->id));
  EXPECT_EQ(revoke_token(db(), id, t0_).error().kind, ErrorKind::conflict);
  EXPECT_EQ(list_tokens(db())->at(0).revoked, t0_ + Seconds(5)) << "the first time counts";
  EXPECT_TRUE(revoke_token(db(), "2", t0_).ok()) << "by its id";
}

TEST_F(TokensTest, BadOnesChangeNothing) {
  ASSERT_TRUE(add("laptop").ok());
  const auto before = *office_version(db());
  EXPECT_EQ(add("Laptop").error().kind, ErrorKind::conflict);
  EXPECT_EQ(add("a b").error().kind, ErrorKind::usage);
  EXPECT_EQ(add("17").error().kind, ErrorKind::usage);
  EXPECT_EQ(add("phone", {"wiki", "nothing"}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(add_token(db(), {"phone", "mallory", {}, {}}, t0_).error().kind, ErrorKind::not_found);
  for (const char* name : {"", "phone", "0", "-1", "99999999999999999999", "1x", "laptop'--"}) {
    EXPECT_EQ(revoke_token(db(), name, t0_).error().kind, ErrorKind::not_found) << name;
  }
  EXPECT_EQ(*office_version(db()), before);
  EXPECT_EQ(list_tokens(db())->size(), 1U);
}

// A limit must never widen: not when the resource that it names goes.
TEST_F(TokensTest, ALimitOutlivesItsResources) {
  ASSERT_TRUE(add("laptop", {"wiki"}).ok());
  const auto refused = remove_resource(db(), "wiki");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("laptop"), std::string::npos);
  ASSERT_TRUE(db().execute("DELETE FROM resource").ok()) << "by hand";
  const Token token = load_office(db())->tokens[0];
  EXPECT_TRUE(token.limited);
  EXPECT_TRUE(token.resources.empty());
}

TEST_F(TokensTest, ARevokedTokenHoldsNoResourceAndAUserTakesTheirTokensAlong) {
  ASSERT_TRUE(add("laptop", {"wiki"}).ok());
  ASSERT_TRUE(revoke_token(db(), "laptop", t0_).ok());
  EXPECT_TRUE(remove_resource(db(), "wiki").ok());
  ASSERT_TRUE(add("phone", {"mail"}).ok());
  ASSERT_TRUE(remove_user(db(), "alice").ok());
  EXPECT_TRUE(list_tokens(db())->empty());
  EXPECT_TRUE(check_integrity(db())->empty());
}

}  // namespace
}  // namespace nightlatch
