// The store as a file: what is refused and left untouched, locks, upgrades, and the audit log's chain.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "store/audit.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

using FileTest = TemporaryStore;

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_refused_untouched(const std::string& path) {
  const std::string before = bytes_of(path);
  for (const auto access : {Database::Access::read, Database::Access::write}) {
    const auto opened = open_store(path, access);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::invalid) << opened.error().message;
  }
  EXPECT_EQ(bytes_of(path), before);
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
}

TEST_F(FileTest, AMissingStoreIsNotMade) {
  const std::string absent = (folder() / "absent.db").string();
  EXPECT_EQ(open_store(absent, Database::Access::write).error().kind, ErrorKind::invalid);
  EXPECT_FALSE(std::filesystem::exists(absent));
}

TEST_F(FileTest, ForeignAndDamagedFilesAreLeftUntouched) {
  const std::string text = (folder() / "notes.txt").string();
  std::ofstream(text) << std::string(4096, 'x');
  expect_refused_untouched(text);

  const std::string empty = (folder() / "empty.db").string();
  std::ofstream(empty).flush();
  expect_refused_untouched(empty);

  const std::string foreign = (folder() / "foreign.db").string();
  {
    auto other = Database::open(foreign, Database::Access::create, Millis(0));
    ASSERT_TRUE(other->execute("CREATE TABLE meta (x)").ok());
  }
  expect_refused_untouched(foreign);
  EXPECT_EQ(create_store(foreign).error().kind, ErrorKind::conflict);
}

TEST_F(FileTest, AStoreOfANewerVersionIsRefused) {
  ASSERT_TRUE(db().execute("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)").ok());
  close();
  const auto opened = open_store(path(), Database::Access::write);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("newer"), std::string::npos);
}

TEST_F(FileTest, ForeignersLockFailsTheWriterAfterABoundedWaitAndNeverTheReader) {
  auto admin = Database::open(path(), Database::Access::write, Millis(0));
  ASSERT_TRUE(admin->execute("BEGIN IMMEDIATE; UPDATE meta SET clock_ms = clock_ms").ok());
  auto writer = open_store(path(), Database::Access::write, Millis(100));
  const BootTime start = BootClock::now();
  const auto added = add_user(*writer, "alice", std::nullopt, {});
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().kind, ErrorKind::busy);
  EXPECT_LT(BootClock::now() - start, Millis(5000));
  auto reader = open_store(path(), Database::Access::read, Millis(0));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(load_office(*reader).ok());
  EXPECT_TRUE(load_office(*reader)->users.empty());
}

TEST_F(FileTest, AReaderSeesACommitOfAnotherConnectionByDataVersion) {
  auto reader = open_store(path(), Database::Access::read, Millis(0));
  const auto before = *reader->data_version();
  EXPECT_EQ(*reader->data_version(), before);
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  EXPECT_NE(*reader->data_version(), before);
  EXPECT_FALSE(reader->run("DELETE FROM user").ok()) << "a reader cannot write";
}

TEST_F(FileTest, WhatWasAcknowledgedSurvivesASuddenEnd) {
  const pid_t child = fork();
  if (child == 0) {
    auto mine = open_store(path(), Database::Access::write);
    if (mine && add_user(*mine, "alice", std::nullopt, {})) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(find_user(db(), "alice").ok());
  EXPECT_TRUE(check_integrity(db())->empty());
}

// Closing any descriptor of the file would drop the first connection's lock, and the other process, leaving,
// would then take the write-ahead log away from under it.
TEST_F(FileTest, OpeningAgainDoesNotLoseTheLocksOfConnectionsThatAreOpen) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  {
    auto again = open_store(path(), Database::Access::read, Millis(0));
  }
  const pid_t child = fork();
  if (child == 0) {
    // A process of its own, with locks of its own.
    execlp("sqlite3", "sqlite3", path().c_str(), "UPDATE user SET name = 'alicia'", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(path() + "-wal")) << "it is still in use";
  EXPECT_TRUE(find_user(db(), "alicia").ok()) << "and another process's commit is seen";
}

TEST_F(FileTest, ABackupIsAWholeStoreAndNeverOverwrites) {
  ASSERT_TRUE(add_user(db(), "alice", std::nullopt, {}).ok());
  const std::string copy = (folder() / "copy.db").string();
  ASSERT_TRUE(db().backup_to(copy).ok());
  auto opened = open_store(copy, Database::Access::read);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_TRUE(find_user(*opened, "alice").ok());
  EXPECT_FALSE(db().backup_to(copy).ok());
}

AuditEvent event(const std::string& user, WallTime at = wall_now()) {
  AuditEvent e;
  e.at = at;
  e.event = "sign_in";
  e.user = user;
  return e;
}

TEST_F(FileTest, TheAuditChainShowsAChangedAMissingAndACutOffRow) {
  const auto fresh = [&](const char* name) {
    const std::string store = (folder() / name).string();
    auto audit = open_audit(store, Database::Access::write);
    EXPECT_TRUE(append_audit(*audit, {event("alice"), event("bob")}).ok());
    EXPECT_TRUE(append_audit(*audit, {event("carol"), event("dave")}).ok());
    EXPECT_FALSE(verify_audit(*audit)->has_value());
    return std::move(*audit);
  };
  auto changed = fresh("a.db");
  ASSERT_TRUE(changed.run("UPDATE audit SET event = replace(event, 'bob', 'eve') WHERE id = 2").ok());
  EXPECT_TRUE(verify_audit(changed)->has_value());
  auto missing = fresh("b.db");
  ASSERT_TRUE(missing.run("DELETE FROM audit WHERE id = 2").ok());
  EXPECT_TRUE(verify_audit(missing)->has_value());
  auto cut = fresh("c.db");
  ASSERT_TRUE(cut.run("DELETE FROM audit WHERE id = 4").ok());
  EXPECT_TRUE(verify_audit(cut)->has_value());
}

TEST_F(FileTest, RetentionKeepsTheChainVerifiable) {
  auto audit = open_audit(path(), Database::Access::write);
  const WallTime now = wall_now();
  ASSERT_TRUE(append_audit(*audit, {event("old", now - Seconds(9000)), event("young", now)}).ok());
  EXPECT_EQ(*prune_audit(*audit, now, Seconds(3600)), 1);
  EXPECT_EQ(*prune_audit(*audit, now, Seconds(3600)), 0);
  EXPECT_FALSE(verify_audit(*audit)->has_value());
  ASSERT_TRUE(append_audit(*audit, {event("next", now)}).ok());
  EXPECT_FALSE(verify_audit(*audit)->has_value());
  EXPECT_EQ(*prune_audit(*audit, now + Seconds(99999), Seconds(3600)), 2)
      << "everything, and the chain goes on";
  ASSERT_TRUE(append_audit(*audit, {event("last", now)}).ok());
  EXPECT_FALSE(verify_audit(*audit)->has_value());
  AuditFilter filter;
  filter.user = "LAST";
  EXPECT_EQ(read_audit(*audit, filter)->size(), 1U);
}

TEST_F(FileTest, AuditWritersInSeveralThreadsMakeOneChain) {
  {
    AuditWriter one(path()), two(path());
    std::thread other([&] {
      for (int i = 0; i < 300; ++i) two.write(event("two\n\x1b[31m"));
    });
    for (int i = 0; i < 300; ++i) one.write(event("one"));
    other.join();
    one.flush();
    two.flush();
    EXPECT_EQ(one.dropped() + two.dropped(), 0U);
  }
  auto audit = open_audit(path(), Database::Access::read);
  ASSERT_TRUE(audit.ok());
  EXPECT_EQ(read_audit(*audit, {})->size(), 600U);
  EXPECT_FALSE(verify_audit(*audit)->has_value());
}

TEST_F(FileTest, ATransactionInAnotherIsAPartOfIt) {
  const auto users = [&] { return list_users(db())->size(); };
  {
    auto outer = Transaction::begin(db());
    ASSERT_TRUE(add_user(db(), "kept", std::nullopt, {}).ok());  // has a transaction of its own
    {
      auto inner = Transaction::begin(db());
      ASSERT_TRUE(add_user(db(), "dropped", std::nullopt, {}).ok());
    }
    EXPECT_EQ(users(), 1U);
    ASSERT_TRUE(outer->commit().ok());
  }
  EXPECT_EQ(users(), 1U);
  {
    auto outer = Transaction::begin(db());
    ASSERT_TRUE(add_user(db(), "gone", std::nullopt, {}).ok());
  }
  EXPECT_EQ(users(), 1U) << "the outer one has not committed";
  EXPECT_FALSE(db().in_transaction());
}

}  // namespace
}  // namespace nightlatch
