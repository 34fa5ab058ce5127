// What the commands do when all is well: the words that they print, their JSON, and what they leave behind.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "cli_testing.h"
#include "store/people.h"
#include "store/sessions.h"

namespace nightlatch::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class CliCommands : public CliTest {
 protected:
  void sign_in(const std::string& user, const std::string& device, Seconds ago) {
    Result<Database> db = open_store(store_, Database::Access::write);
    ASSERT_TRUE(db.ok());
    const WallTime now = wall_now();
    const auto recorded = record_sign_in(*db,
                                         {.user = find_user(*db, user)->id,
                                          .device = find_device(*db, device)->id,
                                          .at = now - ago,
                                          .methods = "pwd",
                                          .second_factor = std::nullopt,
                                          .provider = "local",
                                          .address = "10.77.0.11"},
                                         now);
    ASSERT_TRUE(recorded.ok());
  }
};

TEST_F(CliCommands, InitMakesAnOfficeAndSaysWhatIsNext) {
  const Ran ran = ok({"init", "--portal", "GATE.office.example"});
  EXPECT_EQ(ran.out, "nightlatch user add NAME\nnightlatch resource add NAME --to ADDRESS:PORT\n");
  EXPECT_EQ(ok({"get", "portal.url"}).out, "https://gate.office.example\n");
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/store/tls/ca.pem"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/store/tls/portal.key"));
  struct stat st{};
  ASSERT_EQ(stat(store_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0007, 0U) << "nobody else reads the store";
  ASSERT_EQ(stat((folder_ + "/store/tls/ca.key").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0077, 0U) << "nobody but its owner has the authority's key";
  EXPECT_EQ(run({"init", "--portal", "x.example"}).status, 2);
}

TEST_F(CliCommands, InitTakesAnAddress) {
  ok({"init", "--portal", "[2001:DB8::1]"});
  EXPECT_EQ(ok({"get", "portal.url"}).out, "https://[2001:db8::1]\n");
}

TEST_F(CliCommands, InitWithoutAPortalUsesTheInterface) {
  ok({"init", "--lan", "lo"});
  EXPECT_EQ(ok({"get", "portal.url"}).out, "https://127.0.0.1\n");
  EXPECT_EQ(ok({"get", "lan"}).out, "lo\n");
}

TEST_F(CliCommands, UsersComeAndGo) {
  office();
  ok({"user", "add", "carol", "--password-file", "-", "--group", "staff", "--group", "finance"},
     "a long password\r\n");
  Json carol = ok({"user", "show", "carol", "--json"}).json();
  EXPECT_EQ(carol["name"], "carol");
  EXPECT_EQ(carol["has_password"], true);
  EXPECT_EQ(carol["enabled"], true);
  EXPECT_EQ(carol["groups"].size(), 2U);
  ok({"user", "disable", "carol"});
  EXPECT_EQ(ok({"user", "show", "carol", "--json"}).json()["enabled"], false);
  EXPECT_THAT(ok({"user", "list"}).out, HasSubstr("disabled"));
  ok({"user", "enable", "carol"});
  ok({"user", "leave", "carol", "staff"});
  EXPECT_EQ(ok({"user", "show", "carol", "--json"}).json()["groups"], Json({"finance"}));
  ok({"user", "join", "bob", "finance"});
  ok({"user", "passwd", "bob", "--password-file=-"}, "another long password");
  EXPECT_EQ(ok({"user", "show", "bob", "--json"}).json()["has_password"], true);
  ok({"user", "remove", "carol"});
  EXPECT_EQ(run({"user", "show", "carol"}).status, 3);
  EXPECT_EQ(ok({"user", "list", "--json"}).json().size(), 2U);
}

TEST_F(CliCommands, PasswordsComeFromFilesToo) {
  office();
  const std::string file = folder_ + "/password";
  std::ofstream(file) << "from a file, long\n";
  ok({"user", "passwd", "bob", "--password-file", file});
  Result<Database> db = open_store(store_, Database::Access::read);
  EXPECT_TRUE(find_credential(*db, "bob")->has_value());
}

TEST_F(CliCommands, DevicesComeAndGo) {
  office();
  const Json devices = ok({"device", "list", "--json"}).json();
  ASSERT_EQ(devices.size(), 2U);
  const Json laptop = ok({"device", "show", "laptop", "--json"}).json();
  EXPECT_EQ(laptop["mac"], "02:00:00:00:00:01");
  EXPECT_EQ(laptop["owner"], "alice");
  EXPECT_EQ(laptop["state"], "active");
  EXPECT_EQ(laptop["shared"], false);
  EXPECT_TRUE(laptop["signed_in"].is_null());
  ok({"device", "revoke", "laptop"});
  EXPECT_EQ(ok({"device", "show", "laptop", "--json"}).json()["state"], "revoked");
  ok({"device", "approve", "laptop"});
  ok({"device", "share", "laptop"});
  EXPECT_EQ(ok({"device", "show", "laptop", "--json"}).json()["shared"], true);
  ok({"device", "unshare", "laptop"});
  ok({"device", "assign", "--user", "bob", "laptop"});
  ok({"device", "rename", "laptop", "bobs"});
  EXPECT_EQ(ok({"device", "show", "bobs", "--json"}).json()["owner"], "bob");
  EXPECT_EQ(ok({"device", "show", "far", "--json"}).json()["addresses"], Json({"10.9.0.7"}));
  ok({"device", "remove", "bobs"});
  EXPECT_EQ(run({"device", "show", "bobs"}).status, 3);
}

TEST_F(CliCommands, ResourcesAndPoliciesKeepTheirOrder) {
  office();
  ok({"resource", "add", "wiki", "--to", "[2001:db8::3]:443", "--to=10.88.0.3:443"});
  ok({"resource", "set", "wiki", "--to", "10.88.0.0/24:8000-8010/udp"});
  EXPECT_EQ(ok({"resource", "show", "wiki", "--json"}).json()["to"], Json({"10.88.0.0/24:8000-8010/udp"}));
  ok({"policy", "add", "wiki", "--resource", "wiki", "--anyone", "--session", "12h", "--mfa=1h",
      "--on-expiry", "drain=60s", "--hours", "mon-fri 07:00-19:00", "--idle", "15m", "--binding", "mac"});
  ok({"policy", "add", "no-finance", "--deny", "--group", "finance", "--resource", "wiki", "--before",
      "payroll"});
  const Json list = ok({"policy", "list", "--json"}).json();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0]["name"], "no-finance");
  EXPECT_EQ(list[0]["deny"], true);
  EXPECT_TRUE(list[0]["session_s"].is_null());
  const Json wiki = ok({"policy", "show", "wiki", "--json"}).json();
  EXPECT_EQ(wiki["position"], 3);
  EXPECT_EQ(wiki["session_s"], 43200);
  EXPECT_EQ(wiki["mfa_s"], 3600);
  EXPECT_EQ(wiki["on_expiry"], "drain=1m");
  EXPECT_EQ(wiki["idle_s"], 900);
  EXPECT_EQ(wiki["binding"], "mac");
  EXPECT_EQ(wiki["anyone"], true);
  EXPECT_THAT(wiki["hours"].get<std::string>(), HasSubstr("07:00-19:00"));
  ok({"policy", "move", "no-finance"});
  EXPECT_EQ(ok({"policy", "show", "no-finance", "--json"}).json()["position"], 3);
  ok({"policy", "move", "wiki", "--before=payroll"});
  EXPECT_EQ(ok({"policy", "show", "wiki", "--json"}).json()["position"], 1);
  EXPECT_EQ(run({"resource", "remove", "wiki"}).status, 2);
  ok({"policy", "remove", "wiki"});
  ok({"policy", "remove", "no-finance"});
  ok({"resource", "remove", "wiki"});
}

TEST_F(CliCommands, SettingsSayWhereTheyComeFrom) {
  office();
  EXPECT_EQ(ok({"get", "mode", "--json"}).json()["origin"], "default");
  ok({"set", "mode", "observe"});
  EXPECT_EQ(ok({"get", "mode", "--json"}).json()["origin"], "set");
  EXPECT_EQ(ok({"get", "mode"}).out, "observe\n");
  ok({"unset", "mode"});
  EXPECT_EQ(ok({"get", "mode"}).out, "enforce\n");
  ok({"set", "session.max=4h"});
  EXPECT_EQ(ok({"get", "session.max"}).out, "4h\n");
  EXPECT_GT(ok({"get", "--json"}).json().size(), 5U);
}

TEST_F(CliCommands, SessionsAreListedAndEnded) {
  office();
  EXPECT_EQ(ok({"session", "list", "--json"}).json(), Json::array());
  sign_in("alice", "laptop", Seconds(3600));
  sign_in("bob", "far", Seconds(60));
  const Json rows = ok({"session", "list", "--json"}).json();
  ASSERT_EQ(rows.size(), 2U);
  const Json& alice = rows[0]["user"] == "alice" ? rows[0] : rows[1];
  const Json& bob = rows[0]["user"] == "alice" ? rows[1] : rows[0];
  EXPECT_EQ(alice["verdict"], "allow");
  EXPECT_EQ(alice["device"], "laptop");
  EXPECT_EQ(alice["resource"], "payroll");
  EXPECT_EQ(alice["policy"], "payroll");
  EXPECT_EQ(alice["binding"], "mac");
  EXPECT_EQ(alice["session_s"], 28800);
  EXPECT_NEAR(alice["age_s"].get<int>(), 3600, 5);
  EXPECT_TRUE(alice["until"].is_string());
  EXPECT_EQ(bob["verdict"], "deny");
  EXPECT_EQ(bob["reason"], "no_policy");
  EXPECT_EQ(bob["binding"], "address");
  EXPECT_EQ(ok({"session", "list", "--json", "--user", "bob"}).json().size(), 1U);
  EXPECT_EQ(ok({"session", "list", "--json", "--device", "laptop"}).json().size(), 1U);
  EXPECT_EQ(ok({"device", "show", "laptop", "--json"}).json()["signed_in"], "alice");
  EXPECT_THAT(ok({"session", "end", "--user", "alice"}).err, HasSubstr("ended 1 session\n"));
  EXPECT_EQ(ok({"session", "list", "--json"}).json().size(), 1U);
  EXPECT_THAT(ok({"session", "end", "--device", "laptop"}).err, HasSubstr("ended 0 sessions"));
  EXPECT_THAT(ok({"session", "end", "--all"}).err, HasSubstr("ended 1 session\n"));
  EXPECT_THAT(ok({"session", "list"}).err, HasSubstr("nobody is signed in"));
}

TEST_F(CliCommands, OnASharedDeviceSeveralAreSignedIn) {
  office();
  ok({"device", "share", "far"});
  sign_in("alice", "far", Seconds(60));
  sign_in("bob", "far", Seconds(60));
  const Json rows = ok({"session", "list", "--json"}).json();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["user"], "alice");
  EXPECT_EQ(rows[0]["verdict"], "allow");
  EXPECT_EQ(rows[0]["binding"], "credential");
  EXPECT_EQ(rows[1]["user"], "bob");
  EXPECT_EQ(rows[1]["reason"], "no_policy");
  EXPECT_EQ(ok({"device", "show", "far", "--json"}).json()["signed_in"], "alice, bob");
  EXPECT_THAT(ok({"session", "end", "--user", "alice", "--device", "far"}).err,
              HasSubstr("ended 1 session\n"));
  EXPECT_EQ(ok({"session", "list", "--json"}).json().size(), 1U);
  ok({"device", "unshare", "far"});
  EXPECT_EQ(ok({"session", "list", "--json"}).json(), Json::array());
}

TEST_F(CliCommands, TokensAreShownOnceAndListedWithoutTheirSecret) {
  office();
  const Ran first = ok({"token", "add", "--user", "alice"});
  EXPECT_THAT(first.out, ::testing::MatchesRegex("nlt_[A-Za-z0-9_-]{22}\n"));
  EXPECT_THAT(first.err, HasSubstr("alice-1"));
  const Json second = ok({"token", "add", "--user", "ALICE", "--name", "laptop", "--resource", "payroll",
                          "--for=90d", "--json"})
                          .json();
  EXPECT_EQ(second["name"], "laptop");
  EXPECT_EQ(second["id"], 2);
  EXPECT_TRUE(second["secret"].get<std::string>().starts_with("nlt_"));
  EXPECT_TRUE(second["expires"].is_string());
  const Ran listed = ok({"token", "list", "--json"});
  EXPECT_THAT(listed.out, Not(HasSubstr("nlt_")));
  EXPECT_THAT(dump(), Not(HasSubstr(first.out.substr(0, 26))));
  EXPECT_THAT(ok({"log", "--json"}).out, Not(HasSubstr("nlt_")));
  EXPECT_THAT(ok({"log"}).out, HasSubstr("token add --user alice (token alice-1)"));
  Json rows = listed.json();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["user"], "alice");
  EXPECT_TRUE(rows[0]["resources"].is_null()) << "every one";
  EXPECT_TRUE(rows[0]["expires"].is_null());
  EXPECT_TRUE(rows[0]["last_used"].is_null());
  EXPECT_EQ(rows[1]["user"], "alice");
  EXPECT_EQ(rows[1]["resources"], Json({"payroll"}));
  EXPECT_EQ(rows[1]["state"], "active");
  EXPECT_EQ(ok({"completion", "names", "token"}).out, "alice-1\nlaptop\n");
  EXPECT_THAT(ok({"token", "revoke", "laptop"}).err, HasSubstr("revoked token laptop of alice"));
  ok({"token", "revoke", "1"});
  rows = ok({"token", "list", "--json"}).json();
  EXPECT_EQ(rows[1]["state"], "revoked");
  EXPECT_TRUE(rows[1]["revoked"].is_string());
  EXPECT_EQ(ok({"completion", "names", "token"}).out, "");
}

TEST_F(CliCommands, ExplainSaysTheVerdictAndWhy) {
  office();
  const std::vector<std::string> question{"explain", "--device",       "laptop",
                                          "--to",    "10.88.0.2:5432", "--json"};
  Ran ran = run(question);
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.json()["verdict"], "sign_in");
  EXPECT_EQ(ran.json()["reason"], "no_sign_in");
  EXPECT_TRUE(ran.json()["user"].is_null());
  sign_in("alice", "laptop", Seconds(60));
  ran = run(question);
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.json()["verdict"], "allow");
  EXPECT_EQ(ran.json()["policy"], "payroll");
  EXPECT_EQ(ran.json()["user"], "alice");
  EXPECT_EQ(ran.json()["resource"], "payroll");
  EXPECT_EQ(ran.json()["destination"], "10.88.0.2:5432/tcp");

  const std::string later = format_rfc3339(wall_now() + Seconds(9 * 3600));
  ran = run({"explain", "--device", "laptop", "--to", "10.88.0.2:5432/tcp", "--at", later, "--json"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.json()["reason"], "expired");

  // Another user at the same device has nothing of hers.
  ran = run({"explain", "--device", "laptop", "--user", "bob", "--to", "10.88.0.2:5432", "--json"});
  EXPECT_EQ(ran.json()["verdict"], "deny");
  EXPECT_EQ(ran.json()["reason"], "no_policy");
  ok({"policy", "add", "all", "--resource", "payroll", "--anyone", "--session", "0"});
  ran = run({"explain", "--device", "laptop", "--user", "bob", "--to", "10.88.0.2:5432", "--json"});
  EXPECT_EQ(ran.json()["verdict"], "sign_in");
  EXPECT_EQ(ran.json()["reason"], "no_sign_in");
  EXPECT_EQ(ran.json()["policy"], "all");
  EXPECT_TRUE(ran.json()["age_s"].is_null());
  // For her the first one decides, and the new one is shadowed.
  ran = run(question);
  EXPECT_EQ(ran.json()["shadowed"], Json({"all"}));
  EXPECT_THAT(ok({"explain", "--device", "laptop", "--to", "10.88.0.2:5432"}).out,
              HasSubstr("policy all: shadowed"));

  // Nothing is said about destinations in no resource, but that they are in none.
  EXPECT_EQ(ok({"explain", "--from", "192.0.2.9", "--to", "192.0.2.1:80", "--json"}).json()["reason"],
            "unprotected");
  ran = run({"explain", "--device", "laptop", "--to", "10.88.0.2:5432/udp", "--json"});
  EXPECT_EQ(ran.json()["reason"], "unprotected");
  ok({"set", "unprotected", "deny"});
  EXPECT_EQ(run({"explain", "--from", "192.0.2.9", "--to", "192.0.2.1:80"}).status, 4);
  // Off-link a device is known by its address.
  ran = run({"explain", "--from", "10.9.0.7", "--to", "10.88.0.2:5432", "--json"});
  EXPECT_EQ(ran.json()["device"], "far");
  EXPECT_EQ(ran.json()["binding"], "address");
}

TEST_F(CliCommands, AClockSetBackIsSaid) {
  office();
  sign_in("alice", "laptop", Seconds(60));
  Result<Database> db = open_store(store_, Database::Access::write);
  ASSERT_TRUE(advance_clock(*db, wall_now() + Seconds(3600)).ok());
  const Ran ran = run({"explain", "--device", "laptop", "--to", "10.88.0.2:5432", "--json"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.json()["reason"], "clock_set_back");
  EXPECT_THAT(run({"doctor"}).out, HasSubstr("fail  clock"));
}

TEST_F(CliCommands, EveryChangeIsInTheAuditLogWithoutSecrets) {
  office();
  const std::int64_t before = audit_rows();
  ok({"user", "passwd", "bob", "--password-file", "-"}, "the secret itself\n");
  ok({"set", "mode", "observe"});
  ok({"user", "list"});
  EXPECT_EQ(audit_rows(), before + 2);
  const Json rows = ok({"log", "--json"}).json();
  EXPECT_EQ(rows.back()["event"], "admin");
  EXPECT_EQ(rows.back()["detail"], "set mode observe");
  EXPECT_FALSE(rows.back()["user"].get<std::string>().empty());
  EXPECT_THAT(ok({"log", "--json"}).out, Not(HasSubstr("the secret itself")));
  EXPECT_EQ(ok({"log", "--json", "--limit", "1"}).json().size(), 1U);
  EXPECT_EQ(ok({"log", "--json", "--user", "nobody-at-all"}).json().size(), 0U);
  EXPECT_THAT(ok({"log", "--since", "1h"}).out, HasSubstr("set mode observe"));
  EXPECT_EQ(ok({"log", "--since", "2100-01-01T00:00:00Z"}).out, "");
}

TEST_F(CliCommands, TheLogIsSafeOnATerminal) {
  office();
  Result<Database> log = open_audit(store_, Database::Access::write);
  AuditEvent event;
  event.at = wall_now();
  event.event = "sign_in.refused";
  event.user = "\x1b]0;owned\x07";
  event.detail = "one\ntwo\xff";
  ASSERT_TRUE(append_audit(*log, {event}).ok());
  const Ran ran = ok({"log", "--limit", "1"});
  EXPECT_THAT(ran.out, HasSubstr("\\x1b]0;owned\\x07"));
  EXPECT_THAT(ran.out, HasSubstr("one\\x0atwo\\xff"));
  EXPECT_EQ(ok({"log", "--limit", "1", "--json"}).json().size(), 1U);
}

TEST_F(CliCommands, ExplainAsIfACredentialWereSent) {
  office();
  ok({"device", "share", "far"});
  const auto ask = [&](const std::string& option, const std::string& user) {
    return run({"explain", "--device", "far", option, user, "--to", "10.88.0.2:5432", "--json"}).json();
  };
  EXPECT_EQ(ask("--user", "alice")["reason"], "shared_device");
  EXPECT_EQ(ask("--credential", "alice")["reason"], "no_sign_in");
  EXPECT_EQ(ask("--credential", "alice")["user"], "alice");
  EXPECT_EQ(ask("--credential", "bob")["reason"], "no_policy");
  sign_in("alice", "far", Seconds(60));
  sign_in("bob", "far", Seconds(60));
  const Json allowed = ask("--credential", "alice");
  EXPECT_EQ(allowed["verdict"], "allow");
  EXPECT_EQ(allowed["binding"], "credential");
  EXPECT_EQ(allowed["signed_in"], true);
  EXPECT_NEAR(allowed["age_s"].get<int>(), 60, 5);
  // On an ordinary device: whoever is there now.
  sign_in("alice", "laptop", Seconds(60));
  const Json other =
      run({"explain", "--device", "laptop", "--credential", "alice", "--to", "10.88.0.2:5432", "--json"})
          .json();
  EXPECT_EQ(other["verdict"], "allow");
  ok({"user", "disable", "alice"});
  EXPECT_EQ(ask("--credential", "alice")["reason"], "bad_credential");
}

TEST_F(CliCommands, BackupIsWholeAndNeverOverwrites) {
  office();
  const std::string copy = folder_ + "/copy.db";
  ok({"backup", copy});
  EXPECT_EQ(Json::parse(ok({"user", "list", "--json", "--store", copy}).out).size(), 2U);
  struct stat st{};
  ASSERT_EQ(stat(copy.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0077, 0U) << "a backup holds password hashes";
  EXPECT_EQ(run({"backup", copy}).status, 2);
  EXPECT_EQ(run({"backup", folder_ + "/absent/copy.db"}).status, 1);
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/link");
  EXPECT_EQ(run({"backup", folder_ + "/link"}).status, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/elsewhere"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_THAT(entry.path().string(), Not(HasSubstr(".part")));
  }
}

TEST_F(CliCommands, DoctorFindsABrokenChainAndOpenFiles) {
  office();
  Ran ran = run({"doctor", "--json"});
  const auto state = [](const Ran& r, const std::string& check) {
    for (const Json& row : r.json()) {
      if (row["check"] == check) return row["state"].get<std::string>();
    }
    return std::string("absent");
  };
  EXPECT_EQ(state(ran, "store"), "ok");
  EXPECT_EQ(state(ran, "audit log"), "ok");
  EXPECT_EQ(state(ran, "clock"), "ok");
  EXPECT_EQ(state(ran, "certificate"), "ok");
  {
    Result<Database> log = open_audit(store_, Database::Access::write);
    EXPECT_EQ(run({"log"}).status, 0);
    Result<Database> raw = Database::open(audit_path(store_), Database::Access::write, Millis(1000));
    (void)raw->execute("DROP TRIGGER IF EXISTS audit_is_history");
    ASSERT_TRUE(raw->execute("DELETE FROM audit WHERE id = 2").ok());
  }
  std::filesystem::permissions(store_, std::filesystem::perms(0666));
  ran = run({"doctor", "--json"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(state(ran, "audit log"), "fail");
  EXPECT_EQ(state(ran, "files"), "fail");
}

TEST_F(CliCommands, AStoreHeldByAnotherWriterIsSaidAndUnchanged) {
  office();
  const std::string before = dump();
  Result<Database> other = open_store(store_, Database::Access::write);
  Result<Transaction> held = Transaction::begin(*other);
  ASSERT_TRUE(held.ok());
  const Ran ran = run({"user", "add", "carol", "--no-password"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(dump(), before);
  ok({"user", "list"});  // reading goes on
}

TEST_F(CliCommands, OutputThatCannotBeWrittenIsAFailure) {
  office();
  std::istringstream in;
  std::ofstream full("/dev/full");
  std::ostringstream err;
  Io io{.in = in, .out = full, .err = err, .manage_system = false, .default_store = store_};
  EXPECT_EQ(cli::run(io, {"user", "list"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("could not be written"));
}

TEST_F(CliCommands, ColourOnlyWhereItIsWanted) {
  office();
  EXPECT_THAT(ok({"user", "list"}).out, Not(HasSubstr("\033")));
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Io io{.in = in, .out = out, .err = err, .colour = true, .manage_system = false, .default_store = store_};
  EXPECT_EQ(cli::run(io, {"user", "list"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("\033[32menabled\033[0m"));
  out.str("");
  EXPECT_EQ(cli::run(io, {"user", "list", "--json"}), 0);
  EXPECT_THAT(out.str(), Not(HasSubstr("\033")));
}

TEST_F(CliCommands, CompletionKnowsTheNames) {
  office();
  EXPECT_EQ(ok({"completion", "names", "user"}).out, "alice\nbob\n");
  EXPECT_EQ(ok({"completion", "names", "group"}).out, "finance\n");
  EXPECT_EQ(ok({"completion", "names", "policy"}).out, "payroll\n");
  EXPECT_THAT(ok({"completion", "names", "setting"}).out, HasSubstr("session.max\n"));
}

TEST_F(CliCommands, RulesShowIsWhatInstallWouldRun) {
  office();
  const Ran shown = ok({"rules", "show"});
  EXPECT_EQ(ok({"rules", "install", "--dry-run"}).out, shown.out);
  EXPECT_THAT(shown.out, HasSubstr("TPROXY"));
  EXPECT_THAT(ok({"rules", "remove", "--dry-run"}).out, HasSubstr("NIGHTLATCH"));
}

TEST_F(CliCommands, TheProgramAloneShowsHelpAndFails) {
  const Ran ran = run({});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("Examples:"));
  EXPECT_THAT(ok({"--help"}).out, HasSubstr("Examples:"));
  EXPECT_EQ(ok({"help", "user", "add"}).out, ok({"user", "add", "--help"}).out);
  EXPECT_THAT(ok({"--version"}).out, HasSubstr("nightlatch "));
  EXPECT_EQ(ok({"version", "--json"}).json()["schema"], kSchemaVersion);
}

}  // namespace
}  // namespace nightlatch::cli
