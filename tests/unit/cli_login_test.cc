// `nightlatch login`, as far as it goes without a portal: which one is meant, and what it says when it cannot
// begin. The rest is in tests/lab/test_login.py.
#include <gmock/gmock.h>

#include <fstream>

#include "cli/output.h"
#include "cli/portal_trust.h"
#include "cli_testing.h"

namespace nightlatch::cli {
namespace {

using ::testing::HasSubstr;

class CliLogin : public CliTest {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
    unsetenv("NIGHTLATCH_PORTAL");                  // NOLINT(concurrency-mt-unsafe)
  }
  void TearDown() override { unsetenv("XDG_CONFIG_HOME"); }  // NOLINT(concurrency-mt-unsafe)
};

TEST_F(CliLogin, APortalIsNamedInManyWays) {
  for (const char* text : {"gate.office.example", "GATE.office.example/", "https://gate.office.example",
                           "http://gate.office.example/", " https://gate.office.example \n"}) {
    const auto portal = parse_portal(text);
    ASSERT_TRUE(portal.ok()) << text;
    EXPECT_EQ(portal->url, "https://gate.office.example") << text;
    EXPECT_EQ(portal->hold, "");
  }
  EXPECT_EQ(parse_portal("https://gate.office.example/k/7qf4zo")->hold, "7QF4Z0");
  EXPECT_EQ(parse_portal("[fd00::1]:8443")->url, "https://[fd00::1]:8443");
  for (const char* text :
       {"", "/", "https://", "ftp://gate", "gate/../x", "gate/l/7QF4ZX2A", "gate/k/", "gate/k/a/b",
        "gate/k/%0a", "user@gate", "gate:99999", "gate?x", "a b", "gate\nx"}) {
    EXPECT_FALSE(parse_portal(text).ok()) << text;
  }
}

TEST_F(CliLogin, TheArgumentThenTheEnvironmentThenTheLastOne) {
  EXPECT_FALSE(which_portal("").ok());
  remember_portal({"https://last.example", "7QF4ZX"});
  EXPECT_EQ(which_portal("")->url, "https://last.example");
  EXPECT_EQ(which_portal("")->hold, "") << "a hold is over some time";
  setenv("NIGHTLATCH_PORTAL", "named.example", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(which_portal("")->url, "https://named.example");
  EXPECT_EQ(which_portal("given.example")->url, "https://given.example");
  unsetenv("NIGHTLATCH_PORTAL");  // NOLINT(concurrency-mt-unsafe)
  std::ofstream(folder_ + "/nightlatch/portal") << "not an address at all\n";
  EXPECT_FALSE(which_portal("").ok());
}

TEST_F(CliLogin, WhatItCannotBeginItSaysHowTo) {
  Ran ran = run({"login"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("nightlatch login https://"));
  ran = run({"login", "a b"});
  EXPECT_EQ(ran.status, 2);
  ran = run({"login", "gate.example", "--ca", "x", "--pin"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("--ca"));
  ran = run({"login", "gate.example", "--ca", folder_ + "/none"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("cannot be read"));
  ran = run({"login", "gate.example", "--resource", "a", "--resource", "b"});
  EXPECT_EQ(ran.status, 2);
  ran = run({"login", "https://gate.example/k/7QF4ZX", "--resource", "a"});
  EXPECT_EQ(ran.status, 2);
  ran = run({"login", "gate.example", "--user", "no such name"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
}

TEST_F(CliLogin, AnAuthorityThatIsGivenIsKeptAndThePasswordNotAskedFromNobody) {
  const Ran ran = run({"login", "https://127.0.0.1:1", "--user", "alice", "--ca",
                       SOURCE_DIR "/tests/fuzz/corpus/pem/one.pem"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("--password-file"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/nightlatch/portals/127.0.0.1:1.pem"));
  const Ran nobody =
      run({"login", "https://127.0.0.1:1", "--user", "alice", "--password-file", "-"}, "secret\n");
  EXPECT_EQ(nobody.status, 1) << "nothing listens there";
  EXPECT_EQ(nobody.err.find("secret"), std::string::npos);
}

TEST_F(CliLogin, AnAnswerThatNestsTooDeepIsNone) {
  EXPECT_TRUE(parse_json(R"({"a": [[["]]]{{{"]]], "b": {"c": 1}})").ok());
  EXPECT_FALSE(parse_json(R"({"a": )" + std::string(200'000, '[')).ok());
  EXPECT_FALSE(parse_json_list(std::string(200'000, '[') + std::string(200'000, ']')).ok());
  EXPECT_EQ(parse_json_list(R"([{"a": 1}, {"a": 2}])")->size(), 2U);
  EXPECT_FALSE(parse_json_list(R"([1])").ok());
  EXPECT_FALSE(parse_json_list(R"({})").ok());
}

}  // namespace
}  // namespace nightlatch::cli
