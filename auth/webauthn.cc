#include "auth/webauthn.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "auth/cbor.h"
#include "base/crypto.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestClientData = 4096;
constexpr std::size_t kLongestAttestation = 16384;
constexpr std::size_t kLongestAuthenticatorData = 4096;
constexpr std::size_t kLongestSignature = 1024;

// Flags of the authenticator data (section 6.1).
constexpr unsigned kUserPresent = 0x01;
constexpr unsigned kUserVerified = 0x04;
constexpr unsigned kBackupEligible = 0x08;
constexpr unsigned kBackedUp = 0x10;
constexpr unsigned kAttestedData = 0x40;
constexpr unsigned kExtensions = 0x80;
constexpr std::size_t kHeadLength = 37;  // the hash, the flags, the counter

// COSE key parameters (RFC 9052 section 7.1, RFC 9053 section 7.1, RFC 8230 section 4).
struct CoseKey {
  std::int64_t type = 0, algorithm = 0, curve = 0;
  std::string_view minus_1, minus_2, minus_3;
};
constexpr std::int64_t kOctetKeyPair = 1;
constexpr std::int64_t kTwoCoordinates = 2;
constexpr std::int64_t kRsa = 3;
constexpr std::int64_t kP256 = 1;
constexpr std::int64_t kEd25519 = 6;

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// One pair of a COSE key. False when it is not what its label asks for, or the label was there before (RFC
// 9052 section 14: others might go by the other one).
bool read_parameter(CborReader& in, CoseKey& key, std::set<std::int64_t>& before) {
  const auto label = in.integer();
  if (!label || !before.insert(*label).second) return false;
  const auto number = [&](std::int64_t& to) {
    const auto value = in.integer();
    to = value.value_or(0);
    return value.has_value();
  };
  const auto string = [&](std::string_view& to) {
    const auto value = in.bytes();
    to = value.value_or("");
    return value.has_value();
  };
  switch (*label) {
    case 1:
      return number(key.type);
    case 3:
      return number(key.algorithm);
    case -1:  // a curve's number, or a modulus
      return key.type == kRsa ? string(key.minus_1) : number(key.curve);
    case -2:
      return string(key.minus_2);
    case -3:
      return string(key.minus_3);
    default:
      return in.skip();
  }
}

std::optional<CoseKey> read_cose_key(CborReader& in) {
  const auto pairs = in.map();
  if (!pairs || *pairs > 16) return std::nullopt;
  CoseKey key;
  std::set<std::int64_t> labels;
  for (std::size_t i = 0; i < *pairs; ++i) {
    if (!read_parameter(in, key, labels)) return std::nullopt;
  }
  return key;
}

std::optional<PasskeyKey> supported(const CoseKey& key) {
  const auto is = [&](CoseAlgorithm algorithm, std::int64_t type, std::int64_t curve) {
    return key.algorithm == static_cast<std::int64_t>(algorithm) && key.type == type && key.curve == curve;
  };
  if (is(CoseAlgorithm::es256, kTwoCoordinates, kP256) && key.minus_2.size() == 32 &&
      key.minus_3.size() == 32) {
    return PasskeyKey{CoseAlgorithm::es256, std::string(key.minus_2) + std::string(key.minus_3)};
  }
  if (is(CoseAlgorithm::eddsa, kOctetKeyPair, kEd25519) && key.minus_2.size() == 32) {
    return PasskeyKey{CoseAlgorithm::eddsa, std::string(key.minus_2)};
  }
  if (is(CoseAlgorithm::rs256, kRsa, 0) && key.minus_1.size() == 256 && key.minus_2.size() == 3) {
    return PasskeyKey{CoseAlgorithm::rs256, std::string(key.minus_1) + std::string(key.minus_2)};
  }
  return std::nullopt;
}

// libfido2's form of a key; nothing when it is not a key at all (a point that is not on the curve).
using FidoKey = std::unique_ptr<void, void (*)(void*)>;
FidoKey fido_key(const PasskeyKey& key) {
  const std::string& b = key.bytes;
  switch (key.algorithm) {
    case CoseAlgorithm::es256: {
      FidoKey made(es256_pk_new(), [](void* p) {
        auto* k = static_cast<es256_pk_t*>(p);
        es256_pk_free(&k);
      });
      if (made && es256_pk_from_ptr(static_cast<es256_pk_t*>(made.get()), b.data(), b.size()) == FIDO_OK) {
        return made;
      }
      break;
    }
    case CoseAlgorithm::eddsa: {
      FidoKey made(eddsa_pk_new(), [](void* p) {
        auto* k = static_cast<eddsa_pk_t*>(p);
        eddsa_pk_free(&k);
      });
      if (made && eddsa_pk_from_ptr(static_cast<eddsa_pk_t*>(made.get()), b.data(), b.size()) == FIDO_OK) {
        return made;
      }
      break;
    }
    case CoseAlgorithm::rs256: {
      FidoKey made(rs256_pk_new(), [](void* p) {
        auto* k = static_cast<rs256_pk_t*>(p);
        rs256_pk_free(&k);
      });
      if (made && rs256_pk_from_ptr(static_cast<rs256_pk_t*>(made.get()), b.data(), b.size()) == FIDO_OK) {
        return made;
      }
      break;
    }
  }
  return {nullptr, [](void*) {}};
}

// Presence, verification and the name's hash are checked once more on the way.
bool signature_holds(const Ceremony& asked, const PasskeyKey& key, const Assertion& sent) {
  fido_init(0);
  const FidoKey pk = fido_key(key);
  struct Free {
    void operator()(fido_assert_t* a) const { fido_assert_free(&a); }
  };
  const std::unique_ptr<fido_assert_t, Free> assertion(fido_assert_new());
  fido_assert_t* a = assertion.get();
  const Digest hash = sha256(sent.client_data_json);
  return pk && a != nullptr && fido_assert_set_count(a, 1) == FIDO_OK &&
         fido_assert_set_rp(a, asked.rp_id.c_str()) == FIDO_OK &&
         fido_assert_set_clientdata_hash(a, hash.data(), hash.size()) == FIDO_OK &&
         fido_assert_set_up(a, FIDO_OPT_TRUE) == FIDO_OK &&
         fido_assert_set_uv(a, asked.user_verification ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) == FIDO_OK &&
         fido_assert_set_authdata_raw(a, 0, raw(sent.authenticator_data), sent.authenticator_data.size()) ==
             FIDO_OK &&
         fido_assert_set_sig(a, 0, raw(sent.signature), sent.signature.size()) == FIDO_OK &&
         fido_assert_verify(a, 0, static_cast<int>(key.algorithm), pk.get()) == FIDO_OK;
}

// What both ceremonies ask of the client data (sections 7.1 and 7.2, steps on C).
std::optional<PasskeyFault> fault_of(const Ceremony& asked, std::string_view type, std::string_view json) {
  const auto client = parse_client_data(json);
  if (!client) return PasskeyFault::malformed;
  if (client->type != type) return PasskeyFault::wrong_type;
  if (asked.challenge.empty() || !equal_constant_time(client->challenge, asked.challenge)) {
    return PasskeyFault::wrong_challenge;
  }
  if (client->origin != asked.origin) return PasskeyFault::wrong_origin;
  if (client->cross_origin) return PasskeyFault::cross_origin;
  return std::nullopt;
}

// And of the authenticator data.
std::optional<PasskeyFault> fault_of(const Ceremony& asked, const AuthenticatorData& data) {
  const Digest hash = sha256(asked.rp_id);
  const std::string expected(hash.begin(), hash.end());
  if (!equal_constant_time(data.rp_id_hash, expected)) return PasskeyFault::wrong_rp;
  if (!data.user_present) return PasskeyFault::user_not_present;
  if (asked.user_verification && !data.user_verified) return PasskeyFault::user_not_verified;
  if (data.backed_up && !data.backup_eligible) return PasskeyFault::wrong_backup_flags;
  return std::nullopt;
}
}  // namespace

std::string_view to_text(PasskeyFault fault) {
  switch (fault) {
    case PasskeyFault::malformed:
      return "malformed";
    case PasskeyFault::wrong_type:
      return "wrong_type";
    case PasskeyFault::wrong_challenge:
      return "wrong_challenge";
    case PasskeyFault::wrong_origin:
      return "wrong_origin";
    case PasskeyFault::cross_origin:
      return "cross_origin";
    case PasskeyFault::wrong_rp:
      return "wrong_rp";
    case PasskeyFault::user_not_present:
      return "user_not_present";
    case PasskeyFault::user_not_verified:
      return "user_not_verified";
    case PasskeyFault::wrong_backup_flags:
      return "wrong_backup_flags";
    case PasskeyFault::unsupported_key:
      return "unsupported_key";
    case PasskeyFault::wrong_signature:
      return "wrong_signature";
  }
  return "malformed";
}

std::optional<ClientData> parse_client_data(std::string_view json) {
  using Json = nlohmann::json;
  // The library takes a NUL for the end, and would not see what follows.
  if (json.size() > kLongestClientData || json.find('\0') != std::string_view::npos) return std::nullopt;
  std::set<std::string> seen;
  bool twice = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1) {
      twice = twice || !seen.insert(value.get<std::string>()).second;
    }
    return true;
  };
  const Json all = Json::parse(json, watch, false);
  if (!all.is_object() || twice) return std::nullopt;
  const auto text = [&](const char* key) -> std::optional<std::string> {
    const auto found = all.find(key);
    if (found == all.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
  };
  auto type = text("type");
  auto challenge = text("challenge");
  auto origin = text("origin");
  if (!type || !challenge || !origin) return std::nullopt;
  ClientData out{std::move(*type), std::move(*challenge), std::move(*origin), all.contains("topOrigin")};
  if (const auto cross = all.find("crossOrigin"); cross != all.end()) {
    if (!cross->is_boolean()) return std::nullopt;
    out.cross_origin = out.cross_origin || cross->get<bool>();
  }
  return out;
}

std::optional<AuthenticatorData> parse_authenticator_data(std::string_view bytes) {
  if (bytes.size() < kHeadLength || bytes.size() > kLongestAuthenticatorData) return std::nullopt;
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  const unsigned flags = at(32);
  AuthenticatorData out;
  out.rp_id_hash = bytes.substr(0, 32);
  out.user_present = (flags & kUserPresent) != 0;
  out.user_verified = (flags & kUserVerified) != 0;
  out.backup_eligible = (flags & kBackupEligible) != 0;
  out.backed_up = (flags & kBackedUp) != 0;
  out.sign_count = at(33) << 24 | at(34) << 16 | at(35) << 8 | at(36);
  std::string_view rest = bytes.substr(kHeadLength);
  if ((flags & kAttestedData) != 0) {
    constexpr std::size_t front = 18;  // the AAGUID, and the length of what follows
    if (rest.size() < front) return std::nullopt;
    const std::size_t length = at(kHeadLength + 16) << 8 | at(kHeadLength + 17);
    if (length == 0 || length > kLongestCredentialId || rest.size() - front < length) return std::nullopt;
    AttestedKey attested{rest.substr(front, length), std::nullopt};
    CborReader in(rest.substr(front + length));
    const auto key = read_cose_key(in);
    if (!key) return std::nullopt;
    attested.key = supported(*key);
    out.attested = std::move(attested);
    rest = in.left();
  }
  if ((flags & kExtensions) != 0) {
    CborReader in(rest);
    if (rest.empty() || static_cast<unsigned char>(rest[0]) >> 5 != 5 || !in.skip()) return std::nullopt;
    rest = in.left();
  }
  if (!rest.empty()) return std::nullopt;
  return out;
}

std::optional<std::string_view> authenticator_data_in(std::string_view attestation_object) {
  if (attestation_object.size() > kLongestAttestation) return std::nullopt;
  CborReader in(attestation_object);
  const auto pairs = in.map();
  if (!pairs || *pairs > 8) return std::nullopt;
  std::optional<std::string_view> found;
  bool format = false, statement = false;
  for (std::size_t i = 0; i < *pairs; ++i) {
    const auto key = in.text();
    if (!key) return std::nullopt;
    if (*key == "authData" && !found) {
      found = in.bytes();
      if (!found) return std::nullopt;
    } else if (*key == "fmt" && !format) {
      if (!in.text()) return std::nullopt;
      format = true;
    } else if (*key == "attStmt" && !statement) {
      if (!in.skip()) return std::nullopt;
      statement = true;
    } else {
      return std::nullopt;  // twice, or none of the three
    }
  }
  if (!format || !statement || !in.left().empty()) return std::nullopt;
  return found;
}

std::variant<NewCredential, PasskeyFault> check_registration(const Ceremony& asked,
                                                             std::string_view client_data_json,
                                                             std::string_view attestation_object) {
  if (const auto fault = fault_of(asked, "webauthn.create", client_data_json)) return *fault;
  const auto bytes = authenticator_data_in(attestation_object);
  if (!bytes) return PasskeyFault::malformed;
  auto data = parse_authenticator_data(*bytes);
  if (!data || !data->attested) return PasskeyFault::malformed;
  if (const auto fault = fault_of(asked, *data)) return *fault;
  if (!data->attested->key) return PasskeyFault::unsupported_key;
  fido_init(0);
  if (!fido_key(*data->attested->key)) return PasskeyFault::unsupported_key;
  return NewCredential{std::string(data->attested->credential_id),
                       std::move(*data->attested->key),
                       data->sign_count,
                       data->user_verified,
                       data->backup_eligible,
                       data->backed_up};
}

std::variant<AssertionFacts, PasskeyFault> check_assertion(const Ceremony& asked, const PasskeyKey& key,
                                                           bool backup_eligible, const Assertion& sent) {
  if (const auto fault = fault_of(asked, "webauthn.get", sent.client_data_json)) return *fault;
  const auto data = parse_authenticator_data(sent.authenticator_data);
  if (!data || sent.signature.empty() || sent.signature.size() > kLongestSignature) {
    return PasskeyFault::malformed;
  }
  if (const auto fault = fault_of(asked, *data)) return *fault;
  if (data->backup_eligible != backup_eligible) return PasskeyFault::wrong_backup_flags;
  if (!signature_holds(asked, key, sent)) return PasskeyFault::wrong_signature;
  return AssertionFacts{data->sign_count, data->user_verified, data->backed_up};
}

}  // namespace nightlatch
