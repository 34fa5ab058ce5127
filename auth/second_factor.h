// The second factors that a person types: a one-time code (auth/otp.h) or a recovery code. Both are used up
// in the store before they count, so that each is good once, whoever sends it and however often at a time. On
// the Database's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

enum class CodeResult : std::uint8_t {
  wrong,
  used_before,  // it would have been right, but this step, or a later one, has been used
  otp,          // right, and used up now
  recovery,     // likewise
};
[[nodiscard]] Result<CodeResult> use_code(Database& db, UserId user, std::string_view typed, WallTime now);

inline constexpr std::size_t kRecoveryCodes = 10;
// "7K4T-9Q2M-0V3C-XBNE": 80 random bits each. Wipe them.
[[nodiscard]] std::vector<std::string> make_recovery_codes();
// The user's codes are these from now on; only their hashes are kept.
[[nodiscard]] Status keep_recovery_codes(Database& db, UserId user, const std::vector<std::string>& codes,
                                         WallTime now, DeviceId spared = DeviceId::none);

// Seals the secret and makes it the user's. `last_step`: of the code that confirmed it, or 0.
[[nodiscard]] Status keep_otp_secret(Database& db, UserId user, std::string_view secret,
                                     std::int64_t last_step, WallTime now);

}  // namespace nightlatch
