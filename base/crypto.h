// The few primitives that more than one folder needs, from OpenSSL. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nightlatch {

using Digest = std::array<unsigned char, 32>;

void random_bytes(std::span<unsigned char> out);  // ends the process if there is no randomness to be had
[[nodiscard]] std::string random_token(std::size_t bytes);  // base64url
// n symbols of Crockford's alphabet without I, L, O, U: for codes that people read aloud. 5 bits each.
[[nodiscard]] std::string random_code(std::size_t symbols);
[[nodiscard]] Digest sha256(std::string_view data);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view data);
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);
void wipe(std::string& secret);  // overwrites, then clears

}  // namespace nightlatch
