// The second factors that a person types: a one-time code (auth/otp.h) or a recovery code. Both are used up
// in the store before they count, so that each is good once, whoever sends it and however often at a time. On
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
                                         WallTime now, std::string_view spared_browser = {});

// Whether a user may change the own factors: just after signing in, and after showing the factor that there
// is, both in this very browser.
enum class FactorChange : std::uint8_t {
  allowed,
  by_admin,       // the setting `factors.enrol` says so
  sign_in_first,  // the last sign-in in this browser is too long ago
  factor_first,   // a factor is to be shown first
};
inline constexpr Millis kMomentAgo{10 * 60 * 1000};
[[nodiscard]] Result<FactorChange> may_change_factors(Database& db, UserId user,
                                                      const std::optional<Presence>& shown, WallTime now);

// Seals the secret and makes it the user's. `last_step`: of the code that confirmed it, or 0.
[[nodiscard]] Status keep_otp_secret(Database& db, UserId user, std::string_view secret,
                                     std::int64_t last_step, WallTime now);

}  // namespace nightlatch
