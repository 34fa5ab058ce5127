// The command line in this process, on a store of its own in a temporary folder, with what it printed.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"
#include "store/audit.h"
#include "store/database.h"
#include "store/office_store.h"

namespace nightlatch::cli {

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nightlatch-cli-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    store_ = folder_ + "/store/office.db";
  }
  ~CliTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Ran run(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Io io{.in = in, .out = out, .err = err, .manage_system = false, .default_store = store_};
    const int status = cli::run(io, arguments);
    return {status, out.str(), err.str()};
  }
  // Must succeed.
  Ran ok(const std::vector<std::string>& arguments, const std::string& input = "") {
    Ran ran = run(arguments, input);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran;
  }

  // An office as the design's first run makes it.
  void office() {
    ok({"init", "--portal", "gate.office.example"});
    ok({"user", "add", "alice", "--no-password", "--group", "finance"});
    ok({"user", "add", "bob", "--no-password"});
    ok({"resource", "add", "payroll", "--to", "10.88.0.2:5432/tcp"});
    ok({"device", "add", "laptop", "--mac", "02:00:00:00:00:01", "--user", "alice"});
    ok({"device", "add", "far", "--address", "10.9.0.7"});
    ok({"policy", "add", "payroll", "--resource", "payroll", "--user", "alice", "--session", "8h"});
  }

  // Everything in the store as text, so that a change anywhere shows.
  std::string dump() {
    Result<Database> db = open_store(store_, Database::Access::read);
    EXPECT_TRUE(db.ok());
    std::string text;
    auto tables = db->prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    std::vector<std::string> names;
    while (*tables->step()) names.push_back(tables->text(0));
    for (const std::string& name : names) {
      auto columns = db->prepare(
          "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') FROM pragma_table_info('" +
          name + "')");
      if (!*columns->step() || columns->null(0)) continue;
      auto rows = db->prepare("SELECT " + columns->text(0) + " FROM \"" + name + "\" ORDER BY 1");
      EXPECT_TRUE(rows.ok()) << name;
      while (*rows->step()) text += name + ": " + rows->text(0) + "\n";
    }
    return text;
  }
  std::int64_t audit_rows() {
    Result<Database> log = open_audit(store_, Database::Access::read);
    if (!log) return 0;
    return static_cast<std::int64_t>(read_audit(*log, {})->size());
  }

  std::string folder_;
  std::string store_;
};

}  // namespace nightlatch::cli
