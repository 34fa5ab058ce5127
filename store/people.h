// Users, groups and devices. Each change is one transaction; every function runs on the Database's thread.
// Names are checked (base/text.h); an absent one gives not_found with the nearest name, a second one gives
// conflict.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct UserRow {
  UserId id{};
  std::string name;
  bool enabled = true;
  bool has_password = false;
  std::vector<std::string> groups;
  WallTime created{};
};
struct DeviceRow {
  DeviceId id{};
  std::string name;
  std::optional<Mac> mac;
  std::vector<IpAddress> addresses;  // off-link only
  DeviceState state = DeviceState::active;
  bool shared = false;
  std::string owner;      // user name, or empty
  std::string signed_in;  // user name, or empty; on a shared device "alice, bob"
  WallTime created{};
};

// `password_hash` is an encoded argon2id string (auth/password.h) or nothing: such a user cannot sign in
// locally.
[[nodiscard]] Result<UserId> add_user(Database& db, std::string_view name,
                                      const std::optional<std::string>& password_hash,
                                      const std::vector<std::string>& groups);
[[nodiscard]] Result<std::vector<UserRow>> list_users(Database& db);
[[nodiscard]] Result<UserRow> find_user(Database& db, std::string_view name);  // any case
[[nodiscard]] Status set_password(Database& db, std::string_view name, const std::string& password_hash);
// Disabling ends the user's sessions on every device; enabling does not bring them back.
[[nodiscard]] Status set_user_enabled(Database& db, std::string_view name, bool enabled);
// Refused while a policy names the user: says which.
[[nodiscard]] Status remove_user(Database& db, std::string_view name);
// A group comes into being with its first member; leaving the last policy-free group removes it.
[[nodiscard]] Status join_group(Database& db, std::string_view user, std::string_view group);
[[nodiscard]] Status leave_group(Database& db, std::string_view user, std::string_view group);
[[nodiscard]] Result<std::vector<std::string>> list_groups(Database& db);

struct Credential {
  UserId id{};
  std::string name;  // as stored
  std::string password_hash;
  bool enabled = true;
};
// nullopt for a name that is unknown or has no password: the caller must spend the same time on it.
[[nodiscard]] Result<std::optional<Credential>> find_credential(Database& db, std::string_view name);

struct NewDevice {
  std::string name;  // empty: one is made from the MAC or address
  std::optional<Mac> mac;
  std::vector<IpAddress> addresses;
  DeviceState state = DeviceState::active;
  UserId owner{};
  bool shared = false;
  bool unseen = false;  // neither MAC nor address: they are those that it first proves itself from
};
[[nodiscard]] Result<DeviceId> add_device(Database& db, const NewDevice& device);
// The same inside a transaction of the caller's.
[[nodiscard]] Result<DeviceId> insert_device(Database& db, const NewDevice& device);
[[nodiscard]] Result<std::vector<DeviceRow>> list_devices(Database& db);
[[nodiscard]] Result<DeviceRow> find_device(Database& db, std::string_view name);
[[nodiscard]] Status rename_device(Database& db, std::string_view name, std::string_view new_name);
[[nodiscard]] Status assign_device(Database& db, std::string_view name, std::string_view user);
// No longer shared: every session on it ends, because the address alone will say who is there.
[[nodiscard]] Status set_device_shared(Database& db, std::string_view name, bool shared);
// approve = active, revoke = revoked. Revoking ends the device's sessions.
[[nodiscard]] Status set_device_state(Database& db, std::string_view name, DeviceState state);
[[nodiscard]] Status remove_device(Database& db, std::string_view name);

// A user's own devices: those that they enrolled, or that were assigned to them.
struct OwnDeviceRow {
  DeviceId id{};
  std::string name;
  DeviceState state = DeviceState::active;
  std::optional<WallTime> last_sign_in;  // of this user there
  bool marked = false;  // as shared, or by a revoked certificate: an administrator's word, which goes with it
};
[[nodiscard]] Result<std::vector<OwnDeviceRow>> devices_of(Database& db, UserId owner);
// Its name; nullopt, and nothing is changed, when it is not theirs, or an administrator has revoked or
// marked it.
[[nodiscard]] Result<std::optional<std::string>> remove_own_device(Database& db, DeviceId device,
                                                                   UserId owner);

}  // namespace nightlatch
