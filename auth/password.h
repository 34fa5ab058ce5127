// Passwords as argon2id (RFC 9106), encoded with their parameters. Slow by intent: never on an event loop's
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nightlatch {

// Refuses fewer than 8 or more than 1024 bytes, and bytes that are not UTF-8 text.
[[nodiscard]] Result<std::string> hash_password(std::string_view password);
[[nodiscard]] bool verify_password(const std::string& encoded, std::string_view password);
// An encoded hash that nothing verifies against: for names that do not exist, to spend the same time.
[[nodiscard]] const std::string& decoy_hash();

}  // namespace nightlatch
