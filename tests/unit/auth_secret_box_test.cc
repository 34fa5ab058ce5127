#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "auth/secret_box.h"
#include "store/people.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class SecretBoxTest : public TemporaryStore {
 protected:
  [[nodiscard]] std::string file() const { return key_path(path()); }
  SecretBox box() {
    auto opened = SecretBox::open(db());
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  // A sealed secret in the store, as an authenticator's seed would be.
  void keep(const std::string& secret) {
    const auto user = add_user(db(), "alice", std::nullopt, {});
    ASSERT_TRUE(user.ok());
    id_ = static_cast<std::int64_t>(*user);
    auto insert = db().prepare("INSERT INTO otp VALUES (?, ?, 0, 0)");
    insert->bind(1, id_).bind_blob(2, box().seal(secret, purpose()));
    ASSERT_TRUE(insert->run().ok());
  }
  std::string kept() {
    auto query = db().prepare("SELECT secret FROM otp");
    EXPECT_TRUE(*query->step());
    return query->text(0);
  }
  [[nodiscard]] std::string purpose() const { return "otp/" + std::to_string(id_); }
  std::int64_t id_ = 0;
};

TEST_F(SecretBoxTest, WhatWasSealedComesBackAndTwiceLooksDifferent) {
  const SecretBox b = box();
  const std::string secret("twenty bytes\0of seed", 20);
  const std::string sealed = b.seal(secret, "otp/1");
  EXPECT_EQ(sealed.find("seed"), std::string::npos);
  EXPECT_NE(sealed, b.seal(secret, "otp/1"));
  EXPECT_EQ(*box().unseal(sealed, "otp/1"), secret) << "another box from the same file opens it";
}

TEST_F(SecretBoxTest, AChangedOrMovedSecretIsRefused) {
  const SecretBox b = box();
  const std::string sealed = b.seal("secret", "otp/1");
  EXPECT_FALSE(b.unseal(sealed, "otp/2").ok()) << "moved to another row";
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(b.unseal(changed, "otp/1").ok()) << "byte " << i;
    EXPECT_FALSE(b.unseal(sealed.substr(0, i), "otp/1").ok()) << "cut at " << i;
  }
  EXPECT_FALSE(b.unseal(sealed + "x", "otp/1").ok());
}

TEST_F(SecretBoxTest, TheKeyFileIsMadeOnceAndIsNotForEverybody) {
  EXPECT_FALSE(std::filesystem::exists(file()));
  const std::string sealed = box().seal("secret", "otp/1");
  struct stat st{};
  ASSERT_EQ(stat(file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0007, 0U);
  EXPECT_EQ(*box().unseal(sealed, "otp/1"), "secret");
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    EXPECT_EQ(entry.path().string().find(".making"), std::string::npos);
  }
}

TEST_F(SecretBoxTest, ALostOrDamagedKeyFileIsNotReplaced) {
  keep("seed");
  const std::string away = file() + ".away";
  std::filesystem::rename(file(), away);
  const auto lost = SecretBox::open(db());
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().kind, ErrorKind::invalid);
  EXPECT_FALSE(std::filesystem::exists(file()));
  for (const char* text : {"", "# nothing\n", "1\n", "1 AAAA\n", "x AAAA\n", "0 AAAA\n"}) {
    std::ofstream(file()) << text;
    const auto damaged = SecretBox::open(db());
    ASSERT_FALSE(damaged.ok()) << text;
    EXPECT_EQ(damaged.error().kind, ErrorKind::invalid);
  }
  std::filesystem::rename(away, file());
  EXPECT_EQ(*box().unseal(kept(), purpose()), "seed");
}

TEST_F(SecretBoxTest, ARotationSealsAnewAndTakesTheOldKeyAway) {
  keep("seed");
  const std::string before = kept();
  const auto rotated = rotate_key(db());
  ASSERT_TRUE(rotated.ok()) << rotated.error().message;
  EXPECT_EQ(*rotated, 1);
  EXPECT_EQ(*box().unseal(kept(), purpose()), "seed");
  EXPECT_FALSE(box().unseal(before, purpose()).ok()) << "the old key is not in the file any more";
  std::filesystem::rename(file() + ".old", file());
  EXPECT_EQ(*box().unseal(before, purpose()), "seed") << "but a backup from before can be read";
}

TEST_F(SecretBoxTest, RotationsAtTheSameTimeWaitForEachOther) {
  keep("seed");
  const std::string before = kept();
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto own = open_store(path(), Database::Access::write, Millis(30'000));
      EXPECT_TRUE(own.ok() && rotate_key(*own).ok());
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(*box().unseal(kept(), purpose()), "seed");
  EXPECT_EQ(*check_sealed(db()), 1);
  std::filesystem::rename(file() + ".old", file());
  EXPECT_EQ(*box().unseal(before, purpose()), "seed") << "the first key is still in the old ones";
}

// The power fails after the new key is in the file, before anything is sealed with it.
TEST_F(SecretBoxTest, ABrokenOffRotationLosesNothing) {
  keep("seed");
  ASSERT_TRUE(
      db().execute("CREATE TRIGGER stop BEFORE UPDATE ON otp BEGIN SELECT RAISE(ABORT, 'no'); END").ok());
  EXPECT_FALSE(rotate_key(db()).ok());
  EXPECT_EQ(*box().unseal(kept(), purpose()), "seed");
  ASSERT_TRUE(db().execute("DROP TRIGGER stop").ok());
  ASSERT_TRUE(rotate_key(db()).ok());
  EXPECT_EQ(*box().unseal(kept(), purpose()), "seed");
}

}  // namespace
}  // namespace nightlatch
