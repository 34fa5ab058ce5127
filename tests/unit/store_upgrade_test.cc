// A store that an older nightlatch made, with an office in it, opened by this one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/browsers.h"
#include "store/people.h"
#include "store/schema.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class UpgradeTest : public TemporaryStore {
 protected:
  // The tables as the first version had them; Alice and Bob have signed in, each on a device of their own.
  void SetUp() override {
    TemporaryStore::SetUp();
    auto made = Database::open(old_path(), Database::Access::create, Millis(0));
    ASSERT_TRUE(made.ok());
    run(*made, "PRAGMA journal_mode = WAL");
    run(*made, kMigrations[0]);
    run(*made, R"sql(
INSERT INTO meta VALUES (1, 7, 1000, 1, 1000);
INSERT INTO user (id, name, created_ms) VALUES (1, 'alice', 1000), (2, 'bob', 1000);
INSERT INTO device (id, name, mac, shared, created_ms) VALUES
  (1, 'laptop', '02:00:00:00:00:01', 0, 1000), (2, 'terminal', '02:00:00:00:00:02', 1, 1000);
INSERT INTO sign_in VALUES (1, 1, 1, 900, 1000, 'pwd otp', 1, 'local', '10.0.0.1', 1),
                           (2, 2, 2, 950, 1000, 'pwd', 0, 'local', '10.0.0.2', 1);
INSERT INTO presence VALUES (1, 1, 1, 900, 800, 1), (2, 2, 2, 950, NULL, 1);
INSERT INTO browser VALUES (x'00112233', 1, 1, 1000);
)sql");
    run(*made, fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 1", kApplicationId));
    run(*made, "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  static void run(Database& db, const std::string& sql) {
    const Status done = db.execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  [[nodiscard]] std::string old_path() const { return (folder() / "old.db").string(); }
};

TEST_F(UpgradeTest, EverythingThatCountedStillCounts) {
  EXPECT_EQ(open_store(old_path(), Database::Access::read).error().kind, ErrorKind::invalid)
      << "a reader changes nothing";
  auto db = open_store(old_path(), Database::Access::write);
  ASSERT_TRUE(db.ok()) << db.error().message;
  EXPECT_EQ(**db->integer("PRAGMA user_version"), kSchemaVersion);
  EXPECT_TRUE(check_integrity(*db)->empty());
  const auto alice = presence_on(*db, DeviceId(1));
  ASSERT_TRUE(alice.ok() && alice->has_value());
  EXPECT_EQ((*alice)->user, UserId(1));
  EXPECT_EQ((*alice)->signed_in, from_ms(900));
  EXPECT_EQ((*alice)->second_factor, from_ms(800));
  EXPECT_EQ((*alice)->sign_in_id, 1);
  const auto cookie = find_browser(*db, std::string("\x00\x11\x22\x33", 4));
  ASSERT_TRUE(cookie->has_value()) << "no cookie is lost";
  EXPECT_FALSE((*cookie)->shown.has_value()) << "and none is taken to have shown anything";
  EXPECT_EQ(list_presence(*db)->size(), 2U);
  EXPECT_TRUE(presence_on(*db, DeviceId(2), UserId(2))->has_value());
  EXPECT_EQ(**db->integer("SELECT count(*) FROM sign_in"), 2);
}

TEST_F(UpgradeTest, TheBackupIsTheOldStore) {
  ASSERT_TRUE(open_store(old_path(), Database::Access::write).ok());
  auto backup = Database::open(fmt::format("{}.before-v{}", old_path(), kSchemaVersion),
                               Database::Access::read, Millis(0));
  ASSERT_TRUE(backup.ok());
  EXPECT_EQ(**backup->integer("PRAGMA user_version"), 1);
  EXPECT_EQ(**backup->integer("SELECT count(*) FROM presence"), 2);
}

TEST_F(UpgradeTest, TheTablesAreThoseOfANewStore) {
  auto old = open_store(old_path(), Database::Access::write);
  ASSERT_TRUE(old.ok());
  const auto schema = [](Database& db) {
    std::string all;
    auto rows = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    while (*rows->step()) all += rows->text(0) + " " + rows->text(1) + " " + rows->text(2) + "\n";
    return all;
  };
  EXPECT_EQ(schema(*old), schema(db()));
}

TEST_F(UpgradeTest, AHandOverStillEndsTheFirstSessionAndItsCookie) {
  auto db = open_store(old_path(), Database::Access::write);
  ASSERT_TRUE(db.ok());
  const WallTime now = from_ms(2000);
  const auto bob = record_sign_in(*db, {UserId(2), DeviceId(1), now, "pwd", std::nullopt, "local", "x"}, now);
  ASSERT_TRUE(bob.ok()) << bob.error().message;
  EXPECT_EQ(bob->handed_over_from, UserId(1));
  EXPECT_FALSE(presence_on(*db, DeviceId(1), UserId(1))->has_value());
  EXPECT_FALSE(find_browser(*db, std::string("\x00\x11\x22\x33", 4))->has_value());
}

}  // namespace
}  // namespace nightlatch
