// Text helpers shared by every folder: names, splitting, nearest word, encodings. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightlatch {

// A name of a user, device, resource, policy or group: 1-64 characters of a-z A-Z 0-9 . _ - @ +, and it
// starts with a letter or digit. Anything else is refused with the place; `what` names the argument.
[[nodiscard]] Status check_name(std::string_view name, std::string_view what);

// Text with every control character and invalid UTF-8 byte shown as \xNN: safe on a terminal and in a log
// line.
[[nodiscard]] std::string printable(std::string_view text);

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);  // ASCII

// A code of Crockford's alphabet as it was made (base/crypto.h), from how people write it: in any case, with
// dashes or spaces, and with O, I or L for the digits they look like. Other characters stay, and match
// nothing.
[[nodiscard]] std::string normal_code(std::string_view typed);

// The candidate closest to `word`, or "" when none is near enough to be what was meant.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

[[nodiscard]] std::string hex(std::span<const unsigned char> bytes);
[[nodiscard]] std::string base64url(std::span<const unsigned char> bytes);  // no padding (RFC 4648 section 5)
// Strict: no padding, no other characters, and the bits that are left over are 0; anything else is nullopt.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace nightlatch
