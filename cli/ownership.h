// Who may touch the store's files: root makes them, and the gate and the portal, which run as the user
// `nightlatch`, write them through their group. Main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace nightlatch::cli {

inline constexpr const char* kSystemUser = "nightlatch";

[[nodiscard]] std::string folder_of(const std::string& store);

// Makes the system's user and group when they are absent and this is root. Says what it made, or nothing.
[[nodiscard]] Result<std::string> ensure_system_user();

// Before a new store: the folder exists, and the gate can make SQLite's files in it. Refuses to open somebody
// else's folder to a group: one that holds other files is left as it is.
[[nodiscard]] Status prepare_folder(const std::string& store);

// Gives the store, the audit log, SQLite's files beside them and the portal's certificate to the group: 0660,
// keys 0640, the office CA's key to nobody. Does what it may: without root or the group it changes nothing.
void share_store(const std::string& store);

// For doctor: one line for each file that is not as share_store() would have it.
[[nodiscard]] std::vector<std::string> badly_shared(const std::string& store);

}  // namespace nightlatch::cli
