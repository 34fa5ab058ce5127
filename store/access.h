// Resources, policies and settings: what is protected, for whom, and on which terms.
// Each change is one transaction; every function runs on the Database's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

[[nodiscard]] Result<ResourceId> add_resource(Database& db, std::string_view name,
                                              const std::vector<Target>& targets);
[[nodiscard]] Status set_resource_targets(Database& db, std::string_view name,
                                          const std::vector<Target>& targets);
// Refused while a policy, or a token in use, names it.
[[nodiscard]] Status remove_resource(Database& db, std::string_view name);

struct NewPolicy {
  std::string name;
  bool deny = false;
  bool anyone = false;
  std::vector<std::string> users, groups, resources;  // names; each must exist
  Terms terms;
  std::string before;                                 // the policy to stand in front of; empty: last
  std::vector<std::string> tokens{}, certificates{};  // machines': each must exist; never beside persons
};
// For persons or for machines, never for both: a token or a certificate stands for no person.
[[nodiscard]] Result<PolicyId> add_policy(Database& db, const NewPolicy& policy);
[[nodiscard]] Status move_policy(Database& db, std::string_view name,
                                 std::string_view before);  // "": to the end
[[nodiscard]] Status remove_policy(Database& db, std::string_view name);

// Settings. Each key is known, has a default and a check; "" for a key without a value.
struct SettingRow {
  std::string key;
  std::string value;
  bool is_default = true;
  std::string summary;  // one line for help
};
[[nodiscard]] Result<std::vector<SettingRow>> list_settings(Database& db);
[[nodiscard]] Result<std::string> get_setting(Database& db, std::string_view key);
[[nodiscard]] Status set_setting(Database& db, std::string_view key, std::string_view value);
[[nodiscard]] Status unset_setting(Database& db, std::string_view key);

}  // namespace nightlatch
