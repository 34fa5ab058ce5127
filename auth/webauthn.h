// What a browser says about a passkey, checked: the registration of a new one, and the assertion by one that
// is known (W3C Web Authentication Level 3, sections 7.1 and 7.2). Pure: bytes in, verdict out; every input
// is an enemy's and bounded. Signatures are libfido2's business. Who the passkey belongs to, its counter and
// the challenge's one use are the caller's (auth/passkey.h, web/site_passkeys.cc). Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace nightlatch {

// Algorithms by their COSE numbers (RFC 9053). RS256 with 2048 bits, which is what authenticators make.
enum class CoseAlgorithm : std::int32_t { es256 = -7, eddsa = -8, rs256 = -257 };

struct PasskeyKey {
  CoseAlgorithm algorithm = CoseAlgorithm::es256;
  std::string bytes;  // es256: x, y; eddsa: the key; rs256: modulus, exponent (256 + 3 bytes)
};

// Why an answer is refused; to_text() is the word for the log.
enum class PasskeyFault : std::uint8_t {
  malformed,
  wrong_type,  // the answer to another ceremony
  wrong_challenge,
  wrong_origin,
  cross_origin,  // made in a frame of another site's page
  wrong_rp,      // for another relying party's name
  user_not_present,
  user_not_verified,
  wrong_backup_flags,  // they contradict each other, or what was registered (section 6.1.3)
  unsupported_key,     // an algorithm, curve or size that is not offered
  wrong_signature,
};
[[nodiscard]] std::string_view to_text(PasskeyFault fault);

struct Ceremony {         // what was asked for
  std::string challenge;  // base64url
  std::string origin;     // "https://gate.office.example", or with a port that is not 443
  std::string rp_id;      // "gate.office.example"
  bool user_verification = false;
};

struct NewCredential {
  std::string id;
  PasskeyKey key;
  std::uint32_t sign_count = 0;
  bool user_verified = false, backup_eligible = false, backed_up = false;
};
inline constexpr std::size_t kLongestCredentialId = 1023;  // section 4, "Credential ID"
// Attestation is neither asked for nor looked at: whoever registers has just proven who they are.
[[nodiscard]] std::variant<NewCredential, PasskeyFault> check_registration(
    const Ceremony& asked, std::string_view client_data_json, std::string_view attestation_object);

struct Assertion {  // the fields of AuthenticatorAssertionResponse, as bytes
  std::string credential_id;
  std::string client_data_json;
  std::string authenticator_data;
  std::string signature;
  std::string user_handle;  // may be empty where the user is known
};
struct AssertionFacts {
  std::uint32_t sign_count = 0;
  bool user_verified = false, backed_up = false;
};
// `backup_eligible`: as registered; it never changes.
[[nodiscard]] std::variant<AssertionFacts, PasskeyFault> check_assertion(const Ceremony& asked,
                                                                         const PasskeyKey& key,
                                                                         bool backup_eligible,
                                                                         const Assertion& sent);

// The two formats that come from outside, for the checks above and their fuzzers.
struct ClientData {  // section 5.8.1
  std::string type, challenge, origin;
  bool cross_origin = false;  // or it names another top origin
};
[[nodiscard]] std::optional<ClientData> parse_client_data(std::string_view json);

struct AttestedKey {
  std::string_view credential_id;
  std::optional<PasskeyKey> key;  // nullopt: well formed, but not one of ours
};
struct AuthenticatorData {      // section 6.1
  std::string_view rp_id_hash;  // 32 bytes
  bool user_present = false, user_verified = false, backup_eligible = false, backed_up = false;
  std::uint32_t sign_count = 0;
  std::optional<AttestedKey> attested;
};
[[nodiscard]] std::optional<AuthenticatorData> parse_authenticator_data(std::string_view bytes);
// The authenticator data in an attestation object (section 6.5.4).
[[nodiscard]] std::optional<std::string_view> authenticator_data_in(std::string_view attestation_object);

}  // namespace nightlatch
