// A real store in a folder of its own, gone afterwards.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "store/office_store.h"

namespace nightlatch {

class TemporaryStore : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nl-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto made = create_store(path());
    ASSERT_TRUE(made.ok()) << made.error().message;
    db_.emplace(std::move(*made));
  }
  void TearDown() override {
    db_.reset();
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }
  [[nodiscard]] std::string path() const { return (folder_ / "office.db").string(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  Database& db() { return *db_; }
  void close() { db_.reset(); }

 private:
  std::filesystem::path folder_;
  std::optional<Database> db_;
};

}  // namespace nightlatch
