#include "auth/jws.h"

#include <cjose/cjose.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "auth/json_check.h"

namespace nightlatch {

namespace {
using Json = nlohmann::json;

struct AlgorithmRow {
  JwsAlgorithm algorithm;
  std::string_view name;
  std::size_t bits;
  std::string_view curve;  // empty: RSA
};
constexpr std::array<AlgorithmRow, 9> kAlgorithms{{{JwsAlgorithm::rs256, "RS256", 256, ""},
                                                   {JwsAlgorithm::rs384, "RS384", 384, ""},
                                                   {JwsAlgorithm::rs512, "RS512", 512, ""},
                                                   {JwsAlgorithm::ps256, "PS256", 256, ""},
                                                   {JwsAlgorithm::ps384, "PS384", 384, ""},
                                                   {JwsAlgorithm::ps512, "PS512", 512, ""},
                                                   {JwsAlgorithm::es256, "ES256", 256, "P-256"},
                                                   {JwsAlgorithm::es384, "ES384", 384, "P-384"},
                                                   {JwsAlgorithm::es512, "ES512", 512, "P-521"}}};

const AlgorithmRow& row(JwsAlgorithm algorithm) { return kAlgorithms[static_cast<std::size_t>(algorithm)]; }

bool is_base64url(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::optional<std::string> decode(std::string_view text) {
  if (text.empty() || text.size() % 4 == 1 || !is_base64url(text)) return std::nullopt;
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  cjose_err error{};
  if (!cjose_base64url_decode(text.data(), text.size(), &bytes, &size, &error)) return std::nullopt;
  const std::string out(static_cast<const char*>(static_cast<const void*>(bytes)), size);
  cjose_get_dealloc()(bytes);
  return out;
}

// A member that is a string; nullopt when it is absent, and when it is anything else.
std::optional<std::string> text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::size_t bits_of(const std::string& number) {  // big-endian
  const auto first = std::find_if(number.begin(), number.end(), [](char c) { return c != 0; });
  if (first == number.end()) return 0;
  std::size_t bits = static_cast<std::size_t>(number.end() - first) * 8;
  for (auto top = static_cast<unsigned char>(*first); (top & 0x80U) == 0;
       top = static_cast<unsigned char>(top << 1U)) {
    --bits;
  }
  return bits;
}

bool among(const Json& list, std::string_view word) {
  return list.is_array() && std::any_of(list.begin(), list.end(), [&](const Json& one) {
           return one.is_string() && one.get_ref<const std::string&>() == word;
         });
}

std::shared_ptr<cjose_jwk_t> import(const Json& key) {
  const std::string text = key.dump();
  cjose_err error{};
  cjose_jwk_t* jwk = cjose_jwk_import(text.data(), text.size(), &error);
  return jwk == nullptr ? nullptr : std::shared_ptr<cjose_jwk_t>(jwk, cjose_jwk_release);
}

struct Header {
  JwsAlgorithm algorithm = JwsAlgorithm::rs256;
  std::optional<std::string> key_id;
  std::string type;
};

std::variant<Header, JwsFault> read_header(std::string_view encoded,
                                           const std::vector<JwsAlgorithm>& allowed) {
  const auto text = decode(encoded);
  if (!text || !is_strict_json_object(*text)) return JwsFault::malformed;
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return JwsFault::malformed;
  const auto name = text_of(json, "alg");
  if (!name) return JwsFault::malformed;
  if (*name == "none") return JwsFault::alg_none;
  if (name->starts_with("HS")) return JwsFault::alg_symmetric;
  if (json.contains("crit")) return JwsFault::critical;
  const auto algorithm = parse_jws_algorithm(*name);
  if (!algorithm || std::find(allowed.begin(), allowed.end(), *algorithm) == allowed.end()) {
    return JwsFault::alg_not_allowed;
  }
  if (json.contains("kid") && !json["kid"].is_string()) return JwsFault::malformed;
  return Header{*algorithm, text_of(json, "kid"), text_of(json, "typ").value_or("")};
}
}  // namespace

std::string_view to_text(JwsAlgorithm algorithm) { return row(algorithm).name; }
std::size_t hash_bits(JwsAlgorithm algorithm) { return row(algorithm).bits; }

std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view text) {
  for (const AlgorithmRow& r : kAlgorithms) {
    if (r.name == text) return r.algorithm;
  }
  return std::nullopt;
}

std::string_view to_text(JwsFault fault) {
  switch (fault) {
    case JwsFault::malformed:
      return "malformed";
    case JwsFault::alg_none:
      return "alg_none";
    case JwsFault::alg_symmetric:
      return "alg_symmetric";
    case JwsFault::alg_not_allowed:
      return "alg_not_allowed";
    case JwsFault::critical:
      return "unknown_crit";
    case JwsFault::unknown_key:
      return "unknown_key";
    case JwsFault::unfit_key:
      return "unfit_key";
    case JwsFault::weak_key:
      return "weak_key";
    case JwsFault::bad_signature:
      break;
  }
  return "wrong_signature";
}

bool JwkSet::Key::fits(JwsAlgorithm wanted) const {
  return for_signing && curve == row(wanted).curve && (algorithm.empty() || algorithm == row(wanted).name);
}

// Only the public numbers go to cjose, whatever else the key may hold.
std::optional<JwkSet::Key> JwkSet::read_key(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Key key;
  key.id = text_of(json, "kid").value_or("");
  key.algorithm = text_of(json, "alg").value_or("");
  key.for_signing = (!json.contains("use") || text_of(json, "use") == "sig") &&
                    (!json.contains("key_ops") || among(json["key_ops"], "verify"));
  const auto type = text_of(json, "kty");
  if (type == "RSA") {
    const auto n = text_of(json, "n");
    const auto e = text_of(json, "e");
    const auto modulus = n ? decode(*n) : std::nullopt;
    const auto exponent = e ? decode(*e) : std::nullopt;
    if (!modulus || !exponent || bits_of(*modulus) > kMostRsaBits) return std::nullopt;
    const std::size_t e_bits = bits_of(*exponent);
    if (e_bits < 2 || e_bits > 64 || (exponent->back() & 1) == 0) return std::nullopt;
    key.weak = bits_of(*modulus) < kLeastRsaBits;
    if (!key.weak) key.jwk = import({{"kty", "RSA"}, {"n", *n}, {"e", *e}});
    return key.weak || key.jwk ? std::optional(key) : std::nullopt;
  }
  const auto x = text_of(json, "x");
  const auto y = text_of(json, "y");
  const auto curve = text_of(json, "crv");
  const bool known = std::any_of(kAlgorithms.begin(), kAlgorithms.end(),
                                 [&](const AlgorithmRow& r) { return !r.curve.empty() && r.curve == curve; });
  if (type != "EC" || !x || !y || !known || !decode(*x) || !decode(*y)) return std::nullopt;
  key.curve = *curve;
  key.jwk = import({{"kty", "EC"}, {"crv", *curve}, {"x", *x}, {"y", *y}});  // refuses a point off the curve
  return key.jwk ? std::optional(key) : std::nullopt;
}

Result<JwkSet> JwkSet::parse(std::string_view text) {
  if (text.size() > kLargestJwkSet) return Error::invalid("the key set is too large");
  if (!is_strict_json_object(text)) return Error::invalid("the key set is no JSON object");
  const Json json = Json::parse(text, nullptr, false);
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_array()) return Error::invalid("the key set has no list of keys");
  if (keys->size() > kMostJwks) {
    return Error::invalid(fmt::format("the key set has {} keys, more than {}", keys->size(), kMostJwks));
  }
  JwkSet set;
  for (const Json& one : *keys) {
    if (auto key = read_key(one.dump())) set.keys_.push_back(std::move(*key));
  }
  return set;
}

// The key that the header names; without a name it must be plain which one is meant (OpenID Connect Core
// section 10.1).
JwkSet::Chosen JwkSet::choose(const std::optional<std::string>& id, JwsAlgorithm algorithm) const {
  Chosen chosen;
  for (const Key& key : keys_) {
    if (id && key.id != *id) continue;
    if (!key.fits(algorithm)) {
      if (id && chosen.key == nullptr) chosen.fault = JwsFault::unfit_key;
      continue;
    }
    if (chosen.key != nullptr) return Chosen{};  // two of one name, or none to tell them apart by
    chosen.key = &key;
  }
  if (chosen.key != nullptr && chosen.key->weak) return Chosen{nullptr, JwsFault::weak_key};
  return chosen;
}

std::variant<Jws, JwsFault> JwkSet::verify(std::string_view compact,
                                           const std::vector<JwsAlgorithm>& allowed) const {
  const auto first = compact.find('.');
  const auto second = first == std::string_view::npos ? first : compact.find('.', first + 1);
  if (compact.size() > kLargestJws || second == std::string_view::npos) return JwsFault::malformed;
  const std::string_view payload = compact.substr(first + 1, second - first - 1);
  const std::string_view signature = compact.substr(second + 1);
  if (!is_base64url(payload) || !is_base64url(signature)) return JwsFault::malformed;
  const auto read = read_header(compact.substr(0, first), allowed);
  if (const auto* fault = std::get_if<JwsFault>(&read)) return *fault;
  const Header& header = std::get<Header>(read);
  const Chosen chosen = choose(header.key_id, header.algorithm);
  if (chosen.key == nullptr) return chosen.fault;
  if (payload.empty() || signature.empty()) return JwsFault::bad_signature;

  cjose_err error{};
  const std::unique_ptr<cjose_jws_t, decltype(&cjose_jws_release)> jws(
      cjose_jws_import(compact.data(), compact.size(), &error), cjose_jws_release);
  if (!jws) return JwsFault::malformed;
  if (!cjose_jws_verify(jws.get(), chosen.key->jwk.get(), &error)) return JwsFault::bad_signature;
  std::uint8_t* bytes = nullptr;  // belongs to jws
  std::size_t size = 0;
  if (!cjose_jws_get_plaintext(jws.get(), &bytes, &size, &error)) return JwsFault::malformed;
  return Jws{std::string(static_cast<const char*>(static_cast<const void*>(bytes)), size), header.algorithm,
             header.type};
}

}  // namespace nightlatch
