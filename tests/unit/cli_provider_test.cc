// provider: what it keeps, what it never shows, and what it refuses.
#include <gmock/gmock.h>

#include "auth/secret_box.h"
#include "cli_testing.h"
#include "store/providers.h"

namespace nightlatch::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CliProvider : public CliTest {
 protected:
  void SetUp() override { office(); }
  const std::vector<std::string> kAdd{
      "provider",    "add",  "corp",          "--issuer", "https://id.example",
      "--client-id", "gate", "--secret-file", "-"};
};

TEST_F(CliProvider, TheSecretIsSealedAndNeverShown) {
  const Ran added = ok(kAdd, "hush hush\n");
  EXPECT_THAT(added.err, HasSubstr("https://gate.office.example/oidc/corp/callback"));
  for (const Ran& shown : {added, ok({"provider", "list"}), ok({"provider", "list", "--json"}),
                           ok({"provider", "show", "corp"}), ok({"log", "--json"})}) {
    EXPECT_THAT(shown.out + shown.err, Not(HasSubstr("hush")));
  }
  EXPECT_THAT(dump(), Not(HasSubstr("hush")));
  auto db = open_store(store_, Database::Access::write);
  const Provider p = *find_provider(*db, "corp");
  EXPECT_EQ(*SecretBox::open(*db)->unseal(**sealed_secret(*db, p.id), secret_purpose(p.id)), "hush hush");
  ok({"provider", "secret", "corp", "--secret-file", "-"}, "another\n");
  EXPECT_EQ(*SecretBox::open(*db)->unseal(**sealed_secret(*db, p.id), secret_purpose(p.id)), "another");
  ASSERT_TRUE(rotate_key(*db).ok());
  EXPECT_EQ(*SecretBox::open(*db)->unseal(**sealed_secret(*db, p.id), secret_purpose(p.id)), "another");
}

TEST_F(CliProvider, ShowsWhatItIsAndWhoIsWho) {
  ok(kAdd, "hush hush\n");
  ok({"provider", "link", "corp", "00u1", "alice"});
  const auto json = ok({"provider", "show", "CORP", "--json"}).json();
  EXPECT_EQ(json["issuer"], "https://id.example");
  EXPECT_EQ(json["has_secret"], true);
  EXPECT_EQ(json["identities"][0]["subject"], "00u1");
  EXPECT_EQ(json["identities"][0]["user"], "alice");
  EXPECT_EQ(ok({"completion", "names", "provider"}).out, "corp\n");
  ok({"provider", "unlink", "corp", "00u1"});
  EXPECT_TRUE(ok({"provider", "show", "corp", "--json"}).json()["identities"].empty());
  ok({"provider", "disable", "corp"});
  EXPECT_EQ(ok({"provider", "list", "--json"}).json()[0]["state"], "disabled");
  ok({"provider", "enable", "corp"});
  ok({"provider", "remove", "corp"});
  EXPECT_TRUE(ok({"provider", "list", "--json"}).json().empty());
}

TEST_F(CliProvider, WhatIsWrongChangesNothing) {
  ok(kAdd, "hush hush\n");
  const std::string before = dump();
  const auto with = [&](const std::string& option, const std::string& value) {
    std::vector<std::string> words{"provider",    "add",  "new",     "--issuer", "https://new.example",
                                   "--client-id", "gate", "--public"};
    for (std::size_t i = 3; i + 1 < words.size(); i += 2) {
      if (words[i] != option) continue;
      words[i + 1] = value;
      return words;
    }
    words.push_back(option);
    if (!value.empty()) words.push_back(value);
    return words;
  };
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--issuer", "http://new.example"},
                                                        {"--issuer", "https://id.example"},
                                                        {"--issuer", "https://new.example?x=1"},
                                                        {"--issuer", "new.example"},
                                                        {"--client-id", "a b"},
                                                        {"--algorithm", "HS256"},
                                                        {"--algorithm", "none"},
                                                        {"--ca", "/nowhere"},
                                                        {"--secret-file", "-"},
                                                        {"--groups-claim", "a b"},
                                                        {"--mfa-acr", ""}}) {
    EXPECT_EQ(run(with(option, value), "x\n").status, 2) << option << " " << value;
  }
  EXPECT_EQ(run(kAdd, "hush hush\n").status, 2) << "there is one already";
  EXPECT_EQ(run({"provider", "add", "new", "--issuer", "https://new.example", "--client-id", "g"}).status, 2);
  EXPECT_EQ(run({"provider", "add", "a@b", "--issuer", "https://new.example", "--client-id", "g", "--public"})
                .status,
            2);
  EXPECT_EQ(run({"provider", "link", "corp", "s", "nobody"}).status, 3);
  EXPECT_EQ(run({"provider", "unlink", "corp", "s"}).status, 3);
  EXPECT_EQ(run({"provider", "show", "crop"}).status, 3);
  EXPECT_EQ(run({"user", "join", "alice", "staff@corp"}).status, 2);
  EXPECT_EQ(dump(), before);
}

}  // namespace
}  // namespace nightlatch::cli
