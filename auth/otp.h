// One-time passwords by time (TOTP, RFC 6238): six digits, SHA-1, steps of 30 s, which is what authenticator
// apps take for granted. A code is good in its own step and in the ones next to it, for clocks that differ
// (section 5.2), and once: the caller uses the step up in the store. Pure but for make_otp_secret(); any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace nightlatch {

inline constexpr int kOtpDigits = 6;
inline constexpr std::int64_t kOtpStepSeconds = 30;

[[nodiscard]] std::string make_otp_secret();  // 20 random bytes (RFC 4226 section 4, R6); wipe it

// The code of one moment, of as many digits (6 to 8). `failure` when the library refuses the secret.
[[nodiscard]] Result<std::string> otp_code(std::string_view secret, WallTime at, int digits = kOtpDigits);

// The step that `code` belongs to, if it is near `now` and later than `last_step`; spaces in the code do not
// matter. Takes the same time for a wrong code as for a right one.
[[nodiscard]] std::optional<std::int64_t> otp_step(std::string_view secret, std::string_view code,
                                                   WallTime now, std::int64_t last_step);

// The secret as people type it, in base 32 (RFC 4648 section 6) without padding; wipe it.
[[nodiscard]] std::string base32(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base32(std::string_view text);  // spaces and case do not matter

// What an authenticator app's camera reads: otpauth://totp/ISSUER:NAME?secret=...; wipe it.
[[nodiscard]] std::string otp_uri(std::string_view secret, std::string_view issuer, std::string_view user);

}  // namespace nightlatch
