// What bad input gets: a status of 2 or 3, the argument's name, what would be right, and a store that is
// unchanged.
#include <gmock/gmock.h>

#include <fstream>

#include "cli_testing.h"

namespace nightlatch::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using Words = std::vector<std::string>;

struct Bad {
  Words words;
  int status;
  std::string names;  // what the message must hold
  std::string right;  // what must be said about doing it right; empty: nothing needs to be
};

Words policy(const Words& more) {
  Words words{"policy", "add", "p", "--resource", "payroll", "--user", "alice"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
Words to(const std::string& target) { return {"resource", "add", "r", "--to", target}; }
Words explain(const std::string& target) { return {"explain", "--device", "laptop", "--to", target}; }

class CliBadInput : public CliTest {
 protected:
  void check(const std::vector<Bad>& table) {
    office();
    const std::string before = dump();
    const std::int64_t logged = audit_rows();
    for (const Bad& bad : table) {
      std::string line;
      for (const std::string& w : bad.words) line += w + " ";
      SCOPED_TRACE(line.substr(0, 200));
      const Ran ran = run(bad.words);
      EXPECT_EQ(ran.status, bad.status) << ran.err;
      EXPECT_EQ(ran.out, "");
      EXPECT_TRUE(ran.err.starts_with("nightlatch: ")) << ran.err;
      EXPECT_THAT(ran.err, HasSubstr(bad.names));
      const auto hint = ran.err.find("\n  ");
      if (!bad.right.empty()) {
        ASSERT_NE(hint, std::string::npos) << ran.err;
        EXPECT_THAT(ran.err.substr(hint), HasSubstr(bad.right));
      }
      for (const char c : ran.err) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << ran.err;
      EXPECT_LT(ran.err.size(), 3000U);
    }
    EXPECT_EQ(dump(), before);
    EXPECT_EQ(audit_rows(), logged);
  }
};

// The yardstick of all the others: a change to any table shows in the dump, not only in the version.
TEST_F(CliBadInput, TheDumpShowsEveryChange) {
  office();
  const auto rows = [&] {
    std::string text = dump();
    const auto from = text.find("meta: ");
    EXPECT_NE(from, std::string::npos);
    return text.erase(from, text.find('\n', from) + 1 - from);
  };
  std::string last = rows();
  for (const Words& words : std::vector<Words>{{"set", "mode", "observe"},
                                               {"user", "join", "bob", "staff"},
                                               {"user", "disable", "bob"},
                                               {"device", "share", "far"},
                                               {"device", "rename", "far", "near"},
                                               {"token", "add", "--user", "alice", "--resource", "payroll"},
                                               {"token", "revoke", "alice-1"},
                                               {"resource", "set", "payroll", "--to", "10.88.0.9:1"},
                                               {"policy", "add", "p", "--resource", "payroll", "--anyone"},
                                               {"policy", "move", "p", "--before", "payroll"}}) {
    ok(words);
    const std::string now = rows();
    EXPECT_NE(now, last) << words[0] << " " << words[1];
    last = now;
  }
}

TEST_F(CliBadInput, Durations) {
  std::vector<Bad> table;
  for (const char* d : {"8", "-1h", "", " ", "8 h", "h", "1.5h", "8x", "1h1h", "30m1h",
                        "99999999999999999999h", "20y", "1000000d", "+1h", "0x8h", "8h\n", "8h "}) {
    table.push_back({policy({std::string("--session=") + d}), 2, "--session", "90s"});
    table.push_back({policy({std::string("--mfa=") + d}), 2, "--mfa", "90s"});
    table.push_back({policy({std::string("--idle=") + d}), 2, "--idle", "90s"});
    table.push_back({policy({std::string("--on-expiry=keep=") + d}), 2, "--on-expiry", ""});
    if (*d != '\0') table.push_back({{"set", "session.max", "--", d}, 2, "session.max", ""});
    table.push_back({{"log", std::string("--since=") + d}, 2, "--since", "2h"});
  }
  table.push_back({policy({"--session", "-1h"}), 2, "--session: '-1h'", "8h"});
  table.push_back({policy({"--mfa", "0"}), 2, "--mfa", ""});
  table.push_back({policy({"--idle", "0s"}), 2, "--idle", ""});
  check(table);
}

TEST_F(CliBadInput, Destinations) {
  std::vector<Bad> table;
  for (const char* t : {"10.0.0.1:0",
                        "10.0.0.1:65536",
                        "10.0.0.1:99999999999999",
                        "10.0.0.1:-1",
                        "10.0.0.1:80-79",
                        "10.0.0.1:0-80",
                        "10.0.0.1:80-65536",
                        "10.0.0.1:",
                        "10.0.0.1",
                        "10.0.0.1/33:80",
                        "10.0.0.1/24:80",
                        "10.0.0.0/-1:80",
                        "10.0.0.0/:80",
                        "10.0.0.0/8/8:80",
                        "10.0.0:80",
                        "10.0.0.256:80",
                        "010.0.0.1:80",
                        "0x0a.0.0.1:80",
                        "1:80",
                        "2001:db8::1:80",
                        "[2001:db8::1]",
                        "[2001:db8::1/129]:80",
                        "[2001:db8::1/32]:80",
                        "[fe80::1%eth0]:80",
                        "[10.0.0.1]:80x",
                        "10.0.0.1:80/sctp",
                        "10.0.0.1:80/",
                        "10.0.0.1:80/tcp/udp",
                        "10.0.0.1:80 ",
                        " 10.0.0.1:80",
                        "",
                        "10.0.0.1:http",
                        "10.0.0.1:80\n10.0.0.2:80",
                        "\x1b[31m:80",
                        "wiki.lan/24:443"}) {
    table.push_back({to(t), 2, "--to", ""});
    table.push_back({{"resource", "set", "payroll", "--to", t}, 2, "--to", ""});
  }
  table.push_back({to(std::string(300, '1') + ":80"), 2, "--to", ""});
  table.push_back({{"resource", "add", "r"}, 2, "--to", "for example"});
  table.push_back({{"resource", "set", "payroll"}, 2, "--to", "for example"});
  table.push_back({{"resource", "add", "r", "--to", "10.0.0.1:1", "--to", "10.0.0.1:1/tcp"}, 2, "twice", ""});
  for (const char* t : {"10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:80/sctp", ":80", "", "[::1]",
                        "::1:80", "10.0.0.1:80/tcp/udp", "10.0.0.1:x"}) {
    table.push_back({explain(t), 2, "--to", "for example"});
  }
  table.back().right = "1 to 65535";
  table[table.size() - 9].right = "1 to 65535";
  table[table.size() - 8].right = "1 to 65535";
  check(table);
}

TEST_F(CliBadInput, Names) {
  std::vector<Bad> table;
  const Words names{"",
                    "a b",
                    "a\nb",
                    "a\tb",
                    "\x1b[31mred",
                    "a\x7f",
                    std::string(300, 'n'),
                    "-a",
                    ".hidden",
                    "a/b",
                    "a,b",
                    "a'b",
                    "a\"b",
                    "ümlaut",
                    "\xff\xfe",
                    "a\xe2\x80\xae"
                    "b",
                    "a:b",
                    "a;b",
                    "$(reboot)"};
  for (const std::string& n : names) {
    table.push_back({{"user", "add", "--no-password", "--", n}, 2, "NAME", "letter"});
    table.push_back({{"user", "add", "carol", "--no-password", "--group=" + n}, 2, "--group", "letter"});
    table.push_back({{"device", "add", "--mac", "02:00:00:00:00:09", "--", n}, 2, "NAME", "letter"});
    table.push_back({{"device", "rename", "--", "laptop", n}, 2, "NEW-NAME", "letter"});
    table.push_back({{"resource", "add", "--to", "10.0.0.1:80", "--", n}, 2, "NAME", "letter"});
    table.push_back({{"policy", "add", "--resource", "payroll", "--anyone", "--", n}, 2, "NAME", "letter"});
    table.push_back({{"policy", "add", "p", "--anyone", "--resource=" + n}, 2, "--resource", "letter"});
    table.push_back({policy({"--before=" + n}), 2, "--before", "letter"});
  }
  for (const Words& words :
       std::vector<Words>{{"user", "add", "--no-password"}, {"resource", "add", "--to", "10.0.0.1:80"}}) {
    Words nul = words;
    nul.emplace_back("a\0b", 3);
    table.push_back({nul, 2, "NUL", "leave it out"});
  }
  check(table);
}

TEST_F(CliBadInput, AbsentNames) {
  check({
      {{"policy", "add", "p", "--resource", "payrol", "--anyone"}, 3, "payrol", "payroll"},
      {{"policy", "add", "p", "--resource", "zzz", "--anyone"}, 3, "zzz", ""},
      {policy({"--user", "alic"}), 3, "alic", "alice"},
      {policy({"--group", "finanec"}), 3, "finanec", "finance"},
      {policy({"--before", "payrol"}), 3, "payrol", "payroll"},
      {{"policy", "move", "payroll", "--before", "zzz"}, 3, "zzz", ""},
      {{"policy", "move", "zzz"}, 3, "zzz", ""},
      {{"policy", "remove", "payrol"}, 3, "payrol", "payroll"},
      {{"policy", "show", "payrol"}, 3, "payrol", "payroll"},
      {{"resource", "remove", "zzz"}, 3, "zzz", ""},
      {{"resource", "show", "payrol"}, 3, "payrol", "payroll"},
      {{"resource", "set", "zzz", "--to", "10.0.0.1:80"}, 3, "zzz", ""},
      {{"user", "show", "alic"}, 3, "alic", "alice"},
      {{"user", "disable", "zzz"}, 3, "zzz", ""},
      {{"user", "enable", "zzz"}, 3, "zzz", ""},
      {{"user", "remove", "zzz"}, 3, "zzz", ""},
      {{"user", "join", "zzz", "staff"}, 3, "zzz", ""},
      {{"user", "leave", "alice", "zzz"}, 3, "zzz", ""},
      {{"user", "passwd", "zzz", "--password-file", "-"}, 3, "zzz", ""},
      {{"device", "show", "lapto"}, 3, "lapto", "laptop"},
      {{"device", "revoke", "zzz"}, 3, "zzz", ""},
      {{"device", "approve", "zzz"}, 3, "zzz", ""},
      {{"device", "remove", "zzz"}, 3, "zzz", ""},
      {{"device", "share", "zzz"}, 3, "zzz", ""},
      {{"device", "rename", "zzz", "yyy"}, 3, "zzz", ""},
      {{"device", "assign", "laptop", "--user", "zzz"}, 3, "zzz", ""},
      {{"device", "add", "d", "--mac", "02:00:00:00:00:09", "--user", "zzz"}, 3, "zzz", ""},
      {{"session", "end", "--user", "zzz"}, 3, "zzz", ""},
      {{"session", "end", "--device", "zzz"}, 3, "zzz", ""},
      {{"session", "list", "--user", "zzz"}, 3, "zzz", ""},
      {{"explain", "--device", "zzz", "--to", "10.88.0.2:5432"}, 3, "zzz", ""},
      {{"explain", "--device", "laptop", "--user", "zzz", "--to", "10.88.0.2:5432"}, 3, "zzz", ""},
      {{"get", "mod"}, 3, "mod", "mode"},
      {{"set", "mod", "observe"}, 3, "mod", "mode"},
      {{"unset", "zzz"}, 3, "zzz", ""},
  });
}

TEST_F(CliBadInput, SecondOnes) {
  check({
      {{"user", "add", "alice", "--no-password"}, 2, "alice", ""},
      {{"user", "add", "ALICE", "--no-password"}, 2, "ALICE", ""},
      {{"resource", "add", "payroll", "--to", "10.0.0.1:80"}, 2, "payroll", ""},
      {policy({"--resource", "payroll"}), 2, "twice", ""},
      {policy({"--user", "alice"}), 2, "twice", ""},
      {{"policy", "add", "payroll", "--resource", "payroll", "--anyone"}, 2, "payroll", ""},
      {{"device", "add", "laptop", "--mac", "02:00:00:00:00:09"}, 2, "laptop", ""},
      {{"device", "add", "other", "--mac", "02:00:00:00:00:01"}, 2, "02:00:00:00:00:01", ""},
      {{"device", "add", "other", "--mac", "02-00-00-00-00-01"}, 2, "02:00:00:00:00:01", ""},
      {{"device", "add", "other", "--address", "10.9.0.7"}, 2, "10.9.0.7", ""},
      {{"device", "add", "other", "--address", "::ffff:10.9.0.7"}, 2, "10.9.0.7", ""},
      {{"device", "rename", "laptop", "far"}, 2, "far", ""},
      {{"user", "remove", "alice"}, 2, "payroll", ""},
      {{"resource", "remove", "payroll"}, 2, "payroll", "policy remove"},
      {{"init", "--portal", "gate.office.example"}, 2, "--store", "left as it is"},
  });
}

TEST_F(CliBadInput, Macs) {
  std::vector<Bad> table;
  for (const char* mac :
       {"", "02:00:00:00:00", "02:00:00:00:00:01:02", "0200.0000.0001", "020000000001", "2:0:0:0:0:1",
        "02:00:00:00:00:0g", "02:00-00:00:00:01", "02:00:00:00:00:01 ", "02 00 00 00 00 01",
        "02:00:00:00:00:01\n", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01"}) {
    table.push_back({{"device", "add", "d", "--mac", mac}, 2, "--mac", ""});
  }
  for (const char* address : {"", "10.0.0.256", "10.0.0.0/24", "10.0.0.1:80", "127.0.0.1", "::1", "0.0.0.0",
                              "::", "224.0.0.1", "ff02::1", "fe80::1", "localhost", "10.0.0.1,10.0.0.2"}) {
    table.push_back({{"device", "add", "d", "--address", address}, 2, "--address", ""});
  }
  table.push_back({{"device", "add", "d"}, 2, "--mac", "for example"});
  table.push_back({{"device", "add", "d", "--mac", "02:00:00:00:00:09", "--address", "10.9.0.9"},
                   2,
                   "--address",
                   "--mac"});
  table.push_back({{"device", "assign", "laptop"}, 2, "--user", "say --user"});
  check(table);
}

TEST_F(CliBadInput, PoliciesAndSessions) {
  check({
      {{"policy", "add", "p", "--resource", "payroll"}, 2, "for whom", "--anyone"},
      {{"policy", "add", "p", "--user", "alice"}, 2, "--resource", "resource list"},
      {policy({"--anyone"}), 2, "--anyone", "one or the other"},
      {policy({"--deny", "--session", "8h"}), 2, "--session", "--deny"},
      {policy({"--deny", "--mfa", "8h"}), 2, "--mfa", "--deny"},
      {policy({"--on-expiry", "vanish"}), 2, "--on-expiry", "close"},
      {policy({"--on-expiry", "drain"}), 2, "--on-expiry", ""},
      {policy({"--on-expiry", "drain=0"}), 2, "--on-expiry", ""},
      {policy({"--binding", "string"}), 2, "--binding", "certificate"},
      {policy({"--hours", "mon-fri"}), 2, "--hours", ""},
      {policy({"--hours", "mon-fri 7-19"}), 2, "--hours", ""},
      {policy({"--hours", "mon-fri 19:00-07:00x"}), 2, "--hours", ""},
      {policy({"--hours", "xyz 07:00-19:00"}), 2, "--hours", ""},
      {policy({"--hours", "mon 25:00-26:00"}), 2, "--hours", ""},
      {policy({"--hours", ""}), 2, "--hours", ""},
      {{"session", "end"}, 2, "missing", "--all"},
      {{"session", "end", "--all", "--user", "alice"}, 2, "--all", "one or the other"},
      {{"explain", "--to", "10.0.0.1:80"}, 2, "missing", "--from"},
      {{"explain", "--device", "laptop"}, 2, "--to", "HOST:PORT"},
      {{"explain", "--device", "laptop", "--from", "10.0.0.1", "--to", "10.0.0.1:80"},
       2,
       "--device",
       "one or the other"},
      {{"explain", "--from", "laptop", "--to", "10.0.0.1:80"}, 2, "--from", "--device"},
      {{"explain", "--device", "laptop", "--to", "10.0.0.1:80", "--at", "tomorrow"}, 2, "--at", "RFC 3339"},
      {{"explain", "--device", "laptop", "--to", "10.0.0.1:80", "--at", "2026-02-30T00:00:00Z"},
       2,
       "--at",
       "RFC 3339"},
      {{"log", "--verdict", "perhaps"}, 2, "--verdict", "step_up"},
      {{"log", "--limit", "-1"}, 2, "--limit", "0 shows all"},
      {{"log", "--limit", "many"}, 2, "--limit", "0 shows all"},
      {{"log", "--since", "2026-13-01T00:00:00Z"}, 2, "--since", "for example"},
      {{"log", "--user", ""}, 2, "--user", "leave the option out"},
      {{"set", "mode"}, 2, "mode", "unset mode"},
      {{"set", "mode", "maybe"}, 2, "mode", ""},
      {{"set", "mode=maybe"}, 2, "mode", ""},
      {{"set", "enrol", "yes"}, 2, "enrol", ""},
      {{"set", "lan", "br 0"}, 2, "lan", ""},
      {{"set", "portal.url", "http://x"}, 2, "portal.url", "https://"},
      {{"set", "portal.http", "10.0.0.1"}, 2, "portal.http", ""},
      {{"set", "mode", "observe", "now"}, 2, "'now'", "usage"},
      {{"serve", "--role", "both"}, 2, "--role", "gate or portal"},
      {{"serve", "--workers", "0"}, 2, "--workers", ""},
      {{"serve", "--workers", "1000000"}, 2, "--workers", ""},
      {{"serve", "--workers", "2x"}, 2, "--workers", ""},
      {{"serve", "--user="}, 2, "--user", ""},
      {{"help", "frob"}, 2, "frob", ""},
      {{"help", "user", "ad"}, 2, "user ad", "add"},
      {{"completion", "names", "colours"}, 2, "KIND", "policy"},
      {{"backup", folder_}, 2, "FILE", ""},
      {{"backup", store_}, 2, "FILE", "left as it is"},
  });
}

TEST_F(CliBadInput, Tokens) {
  const auto add = [](const Words& more) {
    Words words{"token", "add", "--user", "alice"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  std::vector<Bad> table{
      {{"token", "add"}, 2, "--user is missing", "say --user"},
      {{"token", "add", "--user", "mallory"}, 3, "mallory", ""},
      {{"token", "add", "--user", "alic"}, 3, "alic", "alice"},
      {{"token", "add", "--user="}, 2, "--user", "letter"},
      {{"token", "add", "--user", "a b"}, 2, "--user", "letter"},
      {add({"--resource", "payrol"}), 3, "payrol", "payroll"},
      {add({"--resource", "payroll", "--resource", "zzz"}), 3, "zzz", ""},
      {add({"--resource", "payroll", "--resource", "PAYROLL"}), 2, "twice", ""},
      {add({"--resource="}), 2, "--resource", "letter"},
      {add({"--for", "0"}), 2, "--for", "90d"},
      {add({"extra"}), 2, "extra", ""},
      {{"token", "revoke"}, 2, "NAME", ""},
      {{"token", "revoke", "laptop"}, 3, "laptop", "token list"},
      {{"token", "revoke", "7"}, 3, "'7'", "token list"},
      {{"token", "revoke", ""}, 3, "''", "token list"},
      {{"token", "revoke", "99999999999999999999"}, 3, "9999", "token list"},
      {{"token", "revoke", "\x1b[31m"}, 3, "\\x1b", "token list"},
      {{"token", "revok", "x"}, 2, "revok", "revoke"},
      {{"explain", "--device", "laptop", "--credential", "zzz", "--to", "10.88.0.2:5432"}, 3, "zzz", ""},
      {{"explain", "--device", "laptop", "--credential", "alice", "--user", "alice", "--to", "10.0.0.1:1"},
       2,
       "--credential",
       "one or the other"},
  };
  for (const char* name : {"", "a b", "-a", "a/b", "\x1b[31m", "\xff"}) {
    table.push_back({add({std::string("--name=") + name}), 2, "--name", "letter"});
  }
  table.push_back({add({"--name", "17"}), 2, "17", "letter"});
  for (const char* d : {"8", "-1h", "", "1.5h", "99999999999999999999h", "20y", "8h\n"}) {
    table.push_back({add({std::string("--for=") + d}), 2, "--for", "90s"});
  }
  check(table);
}

TEST_F(CliBadInput, ATokensNameIsTakenAndAResourceItNamesIsKept) {
  office();
  ok({"token", "add", "--user", "alice", "--name", "laptop", "--resource", "payroll"});
  ok({"resource", "add", "wiki", "--to", "10.88.0.3:443"});
  ok({"token", "add", "--user", "bob", "--name", "phone", "--resource", "wiki"});
  ok({"token", "revoke", "laptop"});
  const std::string before = dump();
  EXPECT_EQ(run({"token", "add", "--user", "bob", "--name", "PHONE"}).status, 2);
  EXPECT_EQ(run({"token", "revoke", "laptop"}).status, 3);
  EXPECT_EQ(run({"token", "revoke", "1"}).status, 2) << "a second time";
  const Ran kept = run({"resource", "remove", "wiki"});
  EXPECT_EQ(kept.status, 2);
  EXPECT_THAT(kept.err, AllOf(HasSubstr("phone"), HasSubstr("token revoke")));
  EXPECT_EQ(dump(), before);
}

TEST_F(CliBadInput, PasswordFiles) {
  office();
  const std::string before = dump();
  const std::vector<std::pair<std::string, std::string>> inputs{{"", "empty"},
                                                                {"\n", "empty"},
                                                                {"short\n", "password"},
                                                                {"two\nlines\n", "more than one line"},
                                                                {std::string("nul\0inside", 10), "NUL"},
                                                                {std::string(5000, 'p'), "4096"},
                                                                {"\xff\xfe bad utf8 bytes", "password"}};
  for (const auto& [input, says] : inputs) {
    const Ran ran = run({"user", "add", "carol", "--password-file", "-"}, input);
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(says));
    EXPECT_EQ(run({"user", "passwd", "alice", "--password-file", "-"}, input).status, 2);
  }
  EXPECT_EQ(run({"user", "add", "carol", "--password-file", folder_ + "/absent"}).status, 2);
  EXPECT_EQ(run({"user", "add", "carol", "--password-file", folder_}).status, 2);
  EXPECT_EQ(
      run({"user", "add", "carol", "--password-file", "-", "--no-password"}, "a good password\n").status, 2);
  const Ran none = run({"user", "add", "carol"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("--password-file"));
  // The words "--password PASSWORD" must not exist at all.
  EXPECT_THAT(run({"user", "add", "carol", "--password", "hunter2hunter2"}).err,
              HasSubstr("did you mean '--password-file'"));
  EXPECT_EQ(dump(), before);
}

TEST_F(CliBadInput, InitLooksBeforeItMakes) {
  const std::vector<Bad> table{
      {{"init"}, 2, "--lan", "for example"},
      {{"init", "--portal", ""}, 2, "--portal", "for example"},
      {{"init", "--portal", "https://gate.example"}, 2, "--portal", "without https://"},
      {{"init", "--portal", "gate.example:443"}, 2, "--portal", "without a port"},
      {{"init", "--portal", "10.0.0.256"}, 2, "--portal", ""},
      {{"init", "--portal", "-x.example"}, 2, "--portal", ""},
      {{"init", "--portal", "a..b"}, 2, "--portal", ""},
      {{"init", "--portal", "a_b"}, 2, "--portal", ""},
      {{"init", "--portal", std::string(300, 'x')}, 2, "--portal", ""},
      {{"init", "--lan", ""}, 2, "--lan", "ip link"},
      {{"init", "--lan", "a,,b"}, 2, "--lan", "ip link"},
      {{"init", "--lan", "../etc"}, 2, "--lan", "ip link"},
      {{"init", "--lan", "averyverylonginterfacename"}, 2, "--lan", "ip link"},
      {{"init", "--lan", "nosuchif0"}, 2, "--lan", "--portal"},
  };
  for (const Bad& bad : table) {
    const Ran ran = run(bad.words);
    EXPECT_EQ(ran.status, bad.status) << bad.words.back();
    EXPECT_THAT(ran.err, HasSubstr(bad.names));
    EXPECT_THAT(ran.err, HasSubstr(bad.right));
    EXPECT_FALSE(std::filesystem::exists(store_)) << bad.words.back();
  }
}

TEST_F(CliBadInput, NothingIsMadeWhereThereIsNoStore) {
  const std::vector<Words> table{{"user", "list"},
                                 {"user", "add", "carol", "--no-password"},
                                 {"get"},
                                 {"set", "mode", "observe"},
                                 {"log"},
                                 {"session", "list"},
                                 {"session", "end", "--all"},
                                 {"token", "add", "--user", "alice"},
                                 {"token", "list"},
                                 {"serve"},
                                 {"explain", "--from", "10.0.0.1", "--to", "10.0.0.1:1"},
                                 {"backup", folder_ + "/copy"},
                                 {"rules", "show"},
                                 {"resource", "add", "r", "--to", "10.0.0.1:80"}};
  for (const Words& words : table) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.status, 5) << words[0] << ": " << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("nightlatch init")) << words[0];
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/store")) << words[0];
  }
  EXPECT_EQ(run({"doctor"}).status, 1);
  EXPECT_EQ(run({"status"}).status, 6);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(CliBadInput, AForeignOrDamagedFileIsLeftUntouched) {
  std::filesystem::create_directories(folder_ + "/store");
  std::ofstream(store_) << std::string(8192, 'x');
  for (const Words& words : std::vector<Words>{
           {"user", "list"}, {"user", "add", "a", "--no-password"}, {"serve"}, {"set", "mode", "observe"}}) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.status, 5) << ran.err;
  }
  EXPECT_EQ(run({"init", "--portal", "x.example"}).status, 2);
  std::ifstream in(store_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), std::string(8192, 'x'));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ + "/store"), {}), 1);
}

}  // namespace
}  // namespace nightlatch::cli
