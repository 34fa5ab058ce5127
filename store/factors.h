// What users prove a second factor with: one-time password seeds and recovery codes; passkeys have a file of
// their own (store/passkeys.h). The seed is here as it was sealed (auth/secret_box.h), a recovery code as its
// SHA-256. Each change is one transaction and durable when it returns; every function runs on the Database's
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct Factors {  // of one user
  std::optional<WallTime> otp_since;
  std::int64_t recovery_codes = 0;  // not used yet
  std::int64_t passkeys = 0;        // store/passkeys.h

  [[nodiscard]] bool any() const { return otp_since.has_value() || recovery_codes > 0 || passkeys > 0; }
};
[[nodiscard]] Result<Factors> find_factors(Database& db, UserId user);

struct OtpRow {
  std::string sealed;
  std::int64_t last_step = 0;
};
[[nodiscard]] Result<std::optional<OtpRow>> find_otp(Database& db, UserId user);
// Replaces the user's, and forgets where a second factor was shown if there was one to replace. `seal` is
// called inside the transaction. `last_step`: the step whose code confirmed
// it.
[[nodiscard]] Status set_otp(Database& db, UserId user, const std::function<Result<std::string>()>& seal,
                             std::int64_t last_step, WallTime now);
// Uses up the time step and all before it. False when that has been done already, by whoever was faster: the
// code is then not good.
[[nodiscard]] Result<bool> use_otp_step(Database& db, UserId user, std::int64_t step);

// The user's codes are these from now on. If there were others, it is forgotten where a second factor was
// shown, but for the browser that asks for it (store/browsers.h).
[[nodiscard]] Status set_recovery_codes(Database& db, UserId user, const std::vector<Digest>& codes,
                                        WallTime now, std::string_view spared = {});
// False when there is no such code, or it was used before.
[[nodiscard]] Result<bool> use_recovery_code(Database& db, UserId user, const Digest& code, WallTime now);

enum class FactorKind : std::uint8_t { otp, recovery };
// The time of the user's second factor on every device is forgotten with it. False when there was none of
// this kind.
[[nodiscard]] Result<bool> remove_factor(Database& db, UserId user, FactorKind kind);

}  // namespace nightlatch
