// JSON Web Signatures (RFC 7515) as identity providers make them, over public keys from their JWK sets (RFC
// 7517). The only file that knows cjose, which is told nothing but what has passed here: an algorithm that
// was allowed beforehand, a key that fits it, no `crit`. Pure: values in, values out; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

struct _cjose_jwk_int;  // NOLINT(bugprone-reserved-identifier): cjose's name

namespace nightlatch {

// Asymmetric ones only (RFC 7518 section 3.1): with HS* whoever verifies could sign, and `none` is no
// signature.
enum class JwsAlgorithm : std::uint8_t { rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, es512 };
[[nodiscard]] std::string_view to_text(JwsAlgorithm algorithm);  // "RS256"
[[nodiscard]] std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view text);
[[nodiscard]] std::size_t hash_bits(JwsAlgorithm algorithm);  // 256, 384 or 512

inline constexpr std::size_t kLargestJws = std::size_t{16} * 1024;  // bytes
inline constexpr std::size_t kLargestJwkSet = std::size_t{256} * 1024;
inline constexpr std::size_t kMostJwks = 64;
inline constexpr std::size_t kLeastRsaBits = 2048;
inline constexpr std::size_t kMostRsaBits = 8192;  // larger ones take long to verify with

// Why a signature is not accepted.
enum class JwsFault : std::uint8_t {
  malformed,        // not three parts of base64url with a JSON object in front, or too large
  alg_none,         // unsigned
  alg_symmetric,    // HS*
  alg_not_allowed,  // any other that is not among the allowed ones
  critical,         // there is a `crit` (RFC 7515 section 4.1.11): none is understood here
  unknown_key,      // no key of that `kid`; or no `kid`, and not exactly one key that fits
  unfit_key,        // the key is of another type, curve, use or algorithm
  weak_key,         // RSA of less than kLeastRsaBits
  bad_signature,
};
[[nodiscard]] std::string_view to_text(JwsFault fault);  // "alg_none", ...: for the audit log

struct Jws {  // a verified one
  std::string payload;
  JwsAlgorithm algorithm = JwsAlgorithm::rs256;
  std::string type;  // the header's `typ`, or empty
};

class JwkSet {
 public:
  // Keys that are not for verifying with these algorithms are passed over (RFC 7517 section 5).
  [[nodiscard]] static Result<JwkSet> parse(std::string_view text);

  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  // Checks `compact` (RFC 7515 section 7.1) by the key that it names, or by the only one that fits.
  [[nodiscard]] std::variant<Jws, JwsFault> verify(std::string_view compact,
                                                   const std::vector<JwsAlgorithm>& allowed) const;

 private:
  struct Key {
    std::string id;
    std::string curve;         // "P-256"; empty: RSA
    std::string algorithm;     // its `alg`, or empty: any that fits
    bool for_signing = false;  // by `use` and `key_ops`
    bool weak = false;
    std::shared_ptr<_cjose_jwk_int> jwk;  // nullptr when it is weak
    [[nodiscard]] bool fits(JwsAlgorithm wanted) const;
  };
  struct Chosen {
    const Key* key = nullptr;
    JwsFault fault = JwsFault::unknown_key;  // when there is none
  };
  static std::optional<Key> read_key(const std::string& text);
  [[nodiscard]] Chosen choose(const std::optional<std::string>& id, JwsAlgorithm algorithm) const;

  std::vector<Key> keys_;
};

}  // namespace nightlatch
