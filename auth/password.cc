#include "auth/password.h"

#include <argon2.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

namespace {
// OWASP's first choice for argon2id; the parameters travel in the encoded hash, so that they can grow later.
constexpr std::uint32_t kMemoryKib = 19456;
constexpr std::uint32_t kPasses = 2;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kShortest = 8;
constexpr std::size_t kLongest = 1024;

Result<std::string> encode(std::string_view password) {
  std::array<unsigned char, kSaltBytes> salt{};
  random_bytes(salt);
  std::vector<char> encoded(
      argon2_encodedlen(kPasses, kMemoryKib, kLanes, kSaltBytes, kHashBytes, Argon2_id));
  const int status =
      argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(), salt.data(),
                            salt.size(), kHashBytes, encoded.data(), encoded.size());
  if (status != ARGON2_OK) return Error::failure(fmt::format("argon2: {}", argon2_error_message(status)));
  return std::string(encoded.data());
}
}  // namespace

Result<std::string> hash_password(std::string_view password) {
  if (password.size() < kShortest) {
    return Error::usage(fmt::format("the password has {} bytes, fewer than {}", password.size(), kShortest),
                        "choose a longer one: a few words are easy to remember");
  }
  if (password.size() > kLongest) {
    return Error::usage(fmt::format("the password has {} bytes, more than {}", password.size(), kLongest));
  }
  if (printable(password) != password) {
    return Error::usage("the password holds control characters or is not UTF-8 text");
  }
  return encode(password);
}

bool verify_password(const std::string& encoded, std::string_view password) {
  if (password.size() > kLongest) password = {};  // as slow as any other wrong one
  return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

const std::string& decoy_hash() {
  static const std::string decoy = [] {
    auto made = encode(random_token(32));
    return made ? *made : std::string();
  }();
  return decoy;
}

}  // namespace nightlatch
