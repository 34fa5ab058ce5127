#include "auth/id_token.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "auth/json_check.h"
#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

namespace {
using Json = nlohmann::json;

constexpr std::size_t kMostMethods = 32;
constexpr std::size_t kLongestList = 1024;  // of `aud`, before it is looked at

std::optional<Json> read_object(std::string_view text) {
  if (!is_strict_json_object(text)) return std::nullopt;
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

const Json* member(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool is_text(const Json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

// Plain text of at most kLongestClaim bytes, or nothing.
std::optional<std::string> plain(const Json* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  if (text.empty() || text.size() > kLongestClaim || printable(text) != text) return std::nullopt;
  return text;
}

// NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction. `bad` when it is there and none.
struct Moment {
  std::optional<WallTime> at;
  bool bad = false;
};
Moment moment(const Json& object, std::string_view name) {
  const Json* value = member(object, name);
  if (value == nullptr) return {};
  constexpr double kLatest = 253'402'300'800.0;  // the year 10000
  if (!value->is_number()) return {{}, true};
  const auto seconds = value->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds >= kLatest) return {{}, true};
  return {from_ms(static_cast<std::int64_t>(std::floor(seconds * 1000)))};
}

// Only an ID token has to say which of several it was made for (Core section 3.1.3.7); where something else
// says so, it must be right.
enum class Azp : std::uint8_t { needed, optional };
std::optional<ClaimFault> check_audience(const Json& claims, const std::string& client_id, Azp wanted) {
  const Json* audience = member(claims, "aud");
  if (audience == nullptr) return ClaimFault::wrong_audience;
  bool ours = is_text(*audience, client_id);
  bool several = false;
  if (audience->is_array()) {
    if (audience->size() > kLongestList) return ClaimFault::malformed;
    for (const Json& one : *audience) {
      if (!one.is_string()) return ClaimFault::malformed;
      ours = ours || is_text(one, client_id);
    }
    several = audience->size() > 1;
  }
  if (!ours) return ClaimFault::wrong_audience;
  const Json* azp = member(claims, "azp");
  if (azp == nullptr ? several && wanted == Azp::needed : !is_text(*azp, client_id))
    return ClaimFault::wrong_azp;
  return std::nullopt;
}

// The times that every token has. `earliest`: it was not issued before.
std::optional<ClaimFault> check_times(const Json& claims, WallTime earliest, WallTime now) {
  const Moment exp = moment(claims, "exp");
  const Moment iat = moment(claims, "iat");
  const Moment nbf = moment(claims, "nbf");
  if (exp.bad || iat.bad || nbf.bad) return ClaimFault::malformed;
  if (!exp.at) return ClaimFault::missing_exp;
  if (!iat.at) return ClaimFault::missing_iat;
  if (now >= *exp.at + kClockLeeway) return ClaimFault::expired;
  if (*iat.at > now + kClockLeeway || nbf.at.value_or(now) > now + kClockLeeway)
    return ClaimFault::not_yet_valid;
  if (*iat.at + kClockLeeway < earliest) return ClaimFault::stale;
  return std::nullopt;
}

// Core section 3.1.3.6: the left half of the hash that belongs to the token's own algorithm.
std::string half_hash(std::string_view text, JwsAlgorithm algorithm) {
  const std::size_t bits = hash_bits(algorithm);
  const EVP_MD* hash = bits == 256 ? EVP_sha256() : bits == 384 ? EVP_sha384() : EVP_sha512();
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, hash, nullptr);
  return base64url(std::span(out).first(size / 2));
}

std::variant<Profile, ClaimFault> read_profile(const Json& claims, const std::string& groups_claim) {
  Profile profile;
  profile.preferred_username = plain(member(claims, "preferred_username")).value_or("");
  profile.email = plain(member(claims, "email")).value_or("");
  const Json* verified = member(claims, "email_verified");
  profile.email_verified = verified != nullptr && verified->is_boolean() && verified->get<bool>();
  if (groups_claim.empty()) return profile;
  const Json* elsewhere = member(claims, "_claim_names");
  if (elsewhere != nullptr && elsewhere->is_object() && elsewhere->contains(groups_claim)) {
    return ClaimFault::groups_elsewhere;
  }
  const Json* groups = member(claims, groups_claim);
  if (groups == nullptr || groups->is_null()) return profile;
  profile.groups.emplace();
  if (groups->is_string()) {
    if (auto group = plain(groups)) profile.groups->push_back(std::move(*group));
    return profile;
  }
  if (!groups->is_array()) return ClaimFault::malformed;
  // To read some of them would be wrong: a policy may refuse those who are in one of the others.
  if (groups->size() > kMostGroups) return ClaimFault::too_many_groups;
  for (const Json& one : *groups) {
    if (auto group = plain(&one)) profile.groups->push_back(std::move(*group));
  }
  return profile;
}

std::vector<std::string> read_amr(const Json& claims) {
  std::vector<std::string> amr;
  const Json* list = member(claims, "amr");
  if (list == nullptr || !list->is_array() || list->size() > kMostMethods) return amr;
  for (const Json& one : *list) {
    if (auto word = plain(&one)) amr.push_back(std::move(*word));
  }
  return amr;
}

// RFC 8176 section 2: the words that say how somebody authenticated, and of which kind each is.
enum class Kind : std::uint8_t { other, knows, has, is };
struct MethodRow {
  std::string_view word;
  Kind kind;
};
constexpr std::array<MethodRow, 21> kMethods{
    {{"face", Kind::is},   {"fpt", Kind::is},    {"geo", Kind::other},  {"hwk", Kind::has},
     {"iris", Kind::is},   {"kba", Kind::knows}, {"mca", Kind::other},  {"mfa", Kind::other},
     {"otp", Kind::has},   {"pin", Kind::knows}, {"pop", Kind::has},    {"pwd", Kind::knows},
     {"rba", Kind::other}, {"retina", Kind::is}, {"sc", Kind::has},     {"sms", Kind::has},
     {"swk", Kind::has},   {"tel", Kind::has},   {"user", Kind::other}, {"vbm", Kind::is},
     {"wia", Kind::other}}};
}  // namespace

std::string_view to_text(ClaimFault fault) {
  constexpr std::array<std::string_view, 21> names{
      "malformed_claims", "wrong_issuer",    "wrong_audience",    "wrong_azp",        "missing_exp",
      "token_expired",    "not_yet_valid",   "missing_iat",       "stale_token",      "wrong_nonce",
      "wrong_at_hash",    "missing_sub",     "missing_auth_time", "future_auth_time", "wrong_userinfo_sub",
      "groups_elsewhere", "too_many_groups", "missing_event",     "has_nonce",        "missing_jti",
      "missing_who"};
  return names[static_cast<std::size_t>(fault)];
}

std::variant<IdClaims, ClaimFault> check_id_token(const Jws& token, const IdTokenQuestion& question,
                                                  WallTime now) {
  const auto claims = read_object(token.payload);
  if (!claims) return ClaimFault::malformed;
  const Json* issuer = member(*claims, "iss");
  if (issuer == nullptr || !is_text(*issuer, question.issuer)) return ClaimFault::wrong_issuer;
  if (const auto fault = check_audience(*claims, question.client_id, Azp::needed)) return *fault;
  if (const auto fault = check_times(*claims, question.asked, now)) return *fault;
  const Json* nonce = member(*claims, "nonce");
  if (nonce == nullptr || !nonce->is_string() || question.nonce.empty() ||
      !equal_constant_time(nonce->get_ref<const std::string&>(), question.nonce)) {
    return ClaimFault::wrong_nonce;
  }
  const Json* at_hash = member(*claims, "at_hash");
  if (at_hash != nullptr && !is_text(*at_hash, half_hash(question.access_token, token.algorithm))) {
    return ClaimFault::wrong_at_hash;
  }
  const auto subject = plain(member(*claims, "sub"));
  if (!subject) return ClaimFault::missing_sub;
  const Moment authenticated = moment(*claims, "auth_time");
  if (authenticated.bad) return ClaimFault::malformed;
  if (!authenticated.at) return ClaimFault::missing_auth_time;
  if (*authenticated.at > now + kClockLeeway) return ClaimFault::future_auth_time;

  auto profile = read_profile(*claims, question.groups_claim);
  if (const auto* fault = std::get_if<ClaimFault>(&profile)) return *fault;
  IdClaims out;
  out.subject = *subject;
  out.authenticated = std::min(*authenticated.at, now);
  out.amr = read_amr(*claims);
  out.acr = plain(member(*claims, "acr")).value_or("");
  out.session = plain(member(*claims, "sid")).value_or("");
  out.profile = std::move(std::get<Profile>(profile));
  return out;
}

std::variant<Profile, ClaimFault> read_userinfo(std::string_view json, const std::string& subject,
                                                const std::string& groups_claim) {
  const auto claims = read_object(json);
  if (!claims) return ClaimFault::malformed;
  const Json* sub = member(*claims, "sub");
  if (sub == nullptr || !is_text(*sub, subject)) return ClaimFault::wrong_sub;
  return read_profile(*claims, groups_claim);
}

std::optional<ClaimFault> check_signed_userinfo(const Jws& token, const std::string& issuer,
                                                const std::string& client_id) {
  const auto claims = read_object(token.payload);
  if (!claims) return ClaimFault::malformed;
  const Json* iss = member(*claims, "iss");
  if (iss != nullptr && !is_text(*iss, issuer)) return ClaimFault::wrong_issuer;
  if (member(*claims, "aud") == nullptr) return std::nullopt;
  return check_audience(*claims, client_id, Azp::optional);
}

std::string account_name(const Profile& profile) {
  if (!profile.preferred_username.empty()) return lower(profile.preferred_username);
  return profile.email_verified ? lower(profile.email.substr(0, profile.email.find('@'))) : std::string();
}

bool too_old(WallTime authenticated, const Freshness& wanted, WallTime asked, WallTime now) {
  if (wanted.anew && authenticated + kClockLeeway < asked) return true;
  return wanted.max_age && now - authenticated >= *wanted.max_age;
}

ProvenMethods methods_of(const IdClaims& claims, const std::vector<std::string>& mfa_acr) {
  ProvenMethods out;
  bool knows = false, has = false, is = false, said = false;
  for (const MethodRow& row : kMethods) {
    if (std::find(claims.amr.begin(), claims.amr.end(), row.word) == claims.amr.end()) continue;
    out.words += (out.words.empty() ? "" : " ") + std::string(row.word);
    knows = knows || row.kind == Kind::knows;
    has = has || row.kind == Kind::has;
    is = is || row.kind == Kind::is;
    said = said || row.word == "mfa";
  }
  const bool by_acr =
      !claims.acr.empty() && std::find(mfa_acr.begin(), mfa_acr.end(), claims.acr) != mfa_acr.end();
  if (by_acr && !said) out.words += out.words.empty() ? "mfa" : " mfa";
  out.second_factor = said || by_acr || int{knows} + int{has} + int{is} > 1;
  if (out.words.empty()) out.words = "oidc";
  return out;
}

std::variant<LogoutClaims, ClaimFault> check_logout_token(const Jws& token, const std::string& issuer,
                                                          const std::string& client_id, WallTime now) {
  const std::string type = lower(token.type);
  if (!type.empty() && type != "logout+jwt" && type != "jwt") return ClaimFault::malformed;
  const auto claims = read_object(token.payload);
  if (!claims) return ClaimFault::malformed;
  const Json* iss = member(*claims, "iss");
  if (iss == nullptr || !is_text(*iss, issuer)) return ClaimFault::wrong_issuer;
  if (const auto fault = check_audience(*claims, client_id, Azp::optional)) return *fault;
  if (const auto fault = check_times(*claims, now - kLogoutLifetime, now)) return *fault;
  const Json* events = member(*claims, "events");
  const Json* event = events == nullptr || !events->is_object()
                          ? nullptr
                          : member(*events, "http://schemas.openid.net/event/backchannel-logout");
  if (event == nullptr || !event->is_object()) return ClaimFault::missing_event;
  if (member(*claims, "nonce") != nullptr) return ClaimFault::has_nonce;
  LogoutClaims out;
  out.subject = plain(member(*claims, "sub")).value_or("");
  out.session = plain(member(*claims, "sid")).value_or("");
  if (out.subject.empty() && out.session.empty()) return ClaimFault::missing_who;
  out.id = plain(member(*claims, "jti")).value_or("");
  if (out.id.empty()) return ClaimFault::missing_jti;
  out.issued = *moment(*claims, "iat").at;
  return out;
}

}  // namespace nightlatch
