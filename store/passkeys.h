// Users' passkeys: their public keys, the names that their users gave them, and the counters by which a
// copied one is found out. Each change is one transaction and durable when it returns; every function runs on
// the Database's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

inline constexpr std::int64_t kMostPasskeys = 20;  // of one user

struct NewPasskey {
  UserId user{};
  std::string name;            // printable, at most 64 bytes; "laptop 2" where "laptop" is taken
  std::string credential_id;   // 1 to 1023 bytes
  std::int64_t algorithm = 0;  // its COSE number
  std::string public_key;
  std::int64_t sign_count = 0;
  bool user_verified = false, backup_eligible = false, backed_up = false;
  std::string rp_id{};  // the portal's name that it was made for; empty: made before that was kept
};
// Returns the name that it got. `conflict` when the credential is known already, or the user has as many as
// may be.
[[nodiscard]] Result<std::string> add_passkey(Database& db, const NewPasskey& passkey, WallTime now);

struct PasskeyRow {
  std::int64_t id = 0;
  NewPasskey passkey;
  std::string user_name;
  bool user_enabled = false;
  WallTime created{};
  std::optional<WallTime> last_used;
};
// In the order in which they were added.
[[nodiscard]] Result<std::vector<PasskeyRow>> list_passkeys(Database& db, UserId user);
[[nodiscard]] Result<std::optional<PasskeyRow>> find_passkey(Database& db, std::string_view credential_id);
// Whether browsers may have it for a portal of this name.
[[nodiscard]] inline bool usable_at(const NewPasskey& passkey, std::string_view rp_id) {
  return passkey.rp_id.empty() || passkey.rp_id == rp_id;
}
[[nodiscard]] Result<bool> any_passkey(Database& db, const std::string& rp_id);  // usable there, whoever's

// Notes a use. False, and nothing is noted, when the counter has not grown since the last one, unless the
// authenticator does not count and both are 0 (W3C Web Authentication section 7.2, "signature counter").
[[nodiscard]] Result<bool> use_passkey(Database& db, std::int64_t id, std::uint32_t sign_count,
                                       bool backed_up, WallTime now);

// By its name, or all of them. Sessions that began with a passkey of this user end with it, and the time of
// the user's second factor on every device is forgotten: whoever took it away may have lost it to somebody.
struct RemovedPasskeys {
  std::int64_t passkeys = 0;
  std::int64_t sessions = 0;  // that ended with them
};
[[nodiscard]] Result<RemovedPasskeys> remove_passkeys(Database& db, UserId user,
                                                      const std::optional<std::string>& name);

// What authenticators know the user by: 32 random bytes, made when they are first needed.
[[nodiscard]] Result<std::string> make_user_handle(Database& db, UserId user);
[[nodiscard]] Result<std::optional<std::string>> find_user_handle(Database& db, UserId user);

// Whether the sign-in of this id was made with a passkey.
[[nodiscard]] Result<bool> signed_in_with_passkey(Database& db, std::int64_t sign_in_id);

}  // namespace nightlatch
