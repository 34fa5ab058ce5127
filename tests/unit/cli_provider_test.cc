// provider: what it keeps, what it never shows, and what it refuses.
#include <gmock/gmock.h>

#include "auth/secret_box.h"
#include "cli_testing.h"
#include "store/passkeys.h"
#include "store/people.h"
#include "store/providers.h"
#include "store/sessions.h"

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

TEST_F(CliProvider, AnAdminSaysWhatIsInside) {
  const auto inside = [&] {
    std::vector<std::string> all;
    const auto shown = ok({"provider", "show", "corp", "--json"}).json();
    for (const auto& host : shown["hosts"]) {
      if (host["inside"] == true)
        all.push_back(host["host"].get<std::string>() + ":" + std::to_string(host["port"].get<int>()));
    }
    return all;
  };
  using Hosts = std::vector<std::string>;
  ok(kAdd, "hush hush\n");
  EXPECT_EQ(inside(), Hosts());
  ok({"provider", "inside", "corp"});
  EXPECT_EQ(inside(), Hosts({"id.example:443"}));
  ok({"provider", "inside", "corp", "--host", "Login.example:8443", "--host", "[fd00::9]"});
  EXPECT_EQ(inside(), Hosts({"fd00::9:443", "id.example:443", "login.example:8443"}))
      << "one more does not end the others";
  for (const char* wrong : {"", "a b", "a/b", "https://a", "a:0", "a:x", "a?b", "u@a"}) {
    EXPECT_EQ(run({"provider", "inside", "corp", "--host", wrong}).status, 2) << wrong;
  }
  EXPECT_EQ(run({"provider", "inside", "corp", "--host", "a", "--none"}).status, 2);
  EXPECT_EQ(inside().size(), 3U);
  ok({"provider", "inside", "corp", "--none"});
  EXPECT_EQ(inside(), Hosts());
  ok({"provider", "add", "sso", "--issuer", "https://10.88.0.2:8443/x", "--client-id", "g", "--public",
      "--inside"});
  EXPECT_EQ(ok({"provider", "show", "sso", "--json"}).json()["hosts"][0]["inside"], true);
}

// Whoever is not signed in could not get to where one signs in.
TEST_F(CliProvider, DoctorSaysWhatCannotBeReached) {
  const auto says = [&] {
    std::vector<std::string> all;
    const auto checks = nlohmann::json::parse(run({"doctor", "--json"}).out);
    for (const auto& check : checks) {
      if (check["check"] == "providers")
        all.push_back(check["state"].get<std::string>() + " " + check["says"].get<std::string>());
    }
    return all;
  };
  EXPECT_TRUE(says().empty()) << "there is none";
  ok({"provider", "add", "sso", "--issuer", "https://10.9.0.2:8443", "--client-id", "g", "--public"});
  EXPECT_THAT(says(), ::testing::ElementsAre(::testing::StartsWith("ok ")));
  ok({"resource", "add", "net", "--to", "10.9.0.0/16:8443/tcp"});
  EXPECT_THAT(says(),
              ::testing::ElementsAre(
                  "warn 10.9.0.2 (10.9.0.2:8443) is within the resource net: whoever is not signed in "
                  "cannot reach it"));
  ok({"provider", "inside", "sso"});
  EXPECT_THAT(says(), ::testing::ElementsAre(::testing::StartsWith("ok ")));
  ok({"resource", "add", "one", "--to", "10.9.0.2:8443/tcp"});
  EXPECT_THAT(says(),
              ::testing::ElementsAre(HasSubstr("the resource one is about 10.9.0.2 (10.9.0.2:8443) itself")));
  ok({"resource", "remove", "one"});
  ok({"resource", "remove", "net"});
  ok({"provider", "inside", "sso", "--none"});
  ok({"set", "unprotected", "deny"});
  EXPECT_THAT(says(), ::testing::ElementsAre(HasSubstr("is a private address, and unprotected = deny")));
  ok(kAdd, "hush hush\n");
  EXPECT_THAT(says(), ::testing::Contains("warn the gate's resolver has found no address of id.example"));
  ok({"provider", "disable", "sso"});
  ok({"provider", "disable", "corp"});
  EXPECT_TRUE(says().empty()) << "nobody is sent there";
}

// While the gate is down, the kernel's own rules let nobody further than it would.
TEST_F(CliProvider, TheGuardLetsNobodyToAPlaceThatIsNotOpen) {
  ok({"set", "unprotected", "deny"});
  ok({"provider", "add", "sso", "--issuer", "https://10.9.0.2", "--client-id", "g", "--public"});
  ok({"provider", "add", "far", "--issuer", "https://203.0.113.9:8443", "--client-id", "g", "--public"});
  const auto opens = [&](const std::string& place) {
    return ok({"rules", "show"}).out.find("-A NIGHTLATCH-REFUSE -d " + place + " -j RETURN") !=
           std::string::npos;
  };
  EXPECT_TRUE(opens("203.0.113.9 -p tcp -m tcp --dport 8443"));
  EXPECT_FALSE(opens("10.9.0.2 -p tcp -m tcp --dport 443"));
  ok({"provider", "inside", "sso"});
  EXPECT_TRUE(opens("10.9.0.2 -p tcp -m tcp --dport 443"));
}

TEST_F(CliProvider, SaysWhatElseLetsThatPersonIn) {
  ok(kAdd, "hush hush\n");
  ok({"provider", "link", "corp", "00u1", "alice"});
  EXPECT_THAT(ok({"provider", "unlink", "corp", "00u1"}).err, Not(HasSubstr("can still sign in")));
  ok({"provider", "link", "corp", "00u1", "alice"});
  ok({"provider", "link", "corp", "00u2", "alice"});
  auto db = open_store(store_, Database::Access::write);
  const UserId alice = find_user(*db, "alice")->id;
  NewPasskey key;
  key.user = alice;
  key.name = "blue";
  key.credential_id = "0123456789abcdef";
  key.public_key = "key";
  ASSERT_TRUE(add_passkey(*db, key, wall_now()).ok());
  EXPECT_THAT(
      ok({"user", "passwd", "alice", "--password-file", "-"}, "a long new password\n").err,
      HasSubstr("alice can still sign in with 1 passkey, corp; to change that: nightlatch user factor alice "
                "--remove all"));
  ASSERT_TRUE(record_sign_in(*db,
                             {alice, find_device(*db, "laptop")->id, wall_now(), "pwd", {}, "local", "x"},
                             wall_now())
                  .ok());
  EXPECT_THAT(
      ok({"user", "passwd", "alice", "--password-file", "-"}, "a long new password\n").err,
      HasSubstr(
          "1 session goes on; to change that: nightlatch user factor alice --remove all, nightlatch session "
          "end --user alice"));
  EXPECT_THAT(ok({"provider", "unlink", "corp", "00u1"}).err,
              HasSubstr("alice can still sign in with a password, 1 passkey, corp; to change"));
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
