// The office's file: making it, opening it, and bringing an older one up to date.
// Fails closed: a file that is damaged, foreign, or made by a newer nightlatch is refused and left untouched,
// and a missing one is never made here but by create_store().
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

inline constexpr std::int64_t kApplicationId = 0x4e4c4348;  // "NLCH", PRAGMA application_id
inline constexpr std::int64_t kSchemaVersion = 11;          // PRAGMA user_version
inline constexpr Millis kBusyTimeout{3000};
inline constexpr const char* kDefaultStore = "/var/lib/nightlatch/office.db";

// Makes a new store, and its folder when that is absent. Refuses when anything is at `path`.
[[nodiscard]] Result<Database> create_store(const std::string& path);
// For commands that change something, and for `serve`: migrates, after a backup beside the store
// (office.db.before-vN). Readers get an error that says to run a writing command when the store is older.
[[nodiscard]] Result<Database> open_store(const std::string& path, Database::Access access,
                                          Millis busy_timeout = kBusyTimeout);

// PRAGMA integrity_check and foreign_key_check: empty when all is well, otherwise what is wrong.
[[nodiscard]] Result<std::vector<std::string>> check_integrity(Database& db);

// The configuration as it is now, in one read transaction.
[[nodiscard]] Result<OfficeData> load_office(Database& db);
// Grows with every change to the configuration, whoever made it (triggers keep it).
[[nodiscard]] Result<std::int64_t> office_version(Database& db);

}  // namespace nightlatch
