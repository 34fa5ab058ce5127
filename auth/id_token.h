// What an OpenID provider's tokens say, once their signature has been verified (auth/jws.h): ID tokens
// (OpenID Connect Core 1.0 section 3.1.3.7), userinfo, and logout tokens (Back-Channel Logout 1.0
// section 2.6). Each thing that can be wrong has its own name, for the audit log. Pure: values in, values
// out; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/jws.h"
#include "base/time.h"

namespace nightlatch {

// The provider's clock and ours may be so far apart. It never makes a sign-in count for longer: ages are
// taken from min(auth_time, now).
inline constexpr Seconds kClockLeeway{30};
inline constexpr std::size_t kMostGroups = 256;
inline constexpr std::size_t kLongestClaim = 255;  // bytes of a subject, name, e-mail address or group

enum class ClaimFault : std::uint8_t {
  malformed,       // no JSON object, or a claim of the wrong type
  wrong_issuer,    // `iss`
  wrong_audience,  // `aud` is not this client
  wrong_azp,       // made for another client, or for several without saying which
  missing_exp,
  expired,        // `exp` has passed
  not_yet_valid,  // `nbf` or `iat` is still to come
  missing_iat,
  stale,          // issued before it was asked for
  wrong_nonce,    // `nonce` is absent or another: an answer to somebody else's question
  wrong_at_hash,  // the access token beside it is not the one that it was made with
  missing_sub,
  missing_auth_time,
  future_auth_time,
  wrong_sub,         // userinfo is about somebody else (Core section 5.3.2)
  groups_elsewhere,  // the provider left the groups out for being many (Core section 5.6.2)
  too_many_groups,
  missing_event,  // a logout token without the logout event
  has_nonce,      // a logout token must not have one: an ID token has
  missing_jti,
  missing_who,  // a logout token with neither `sub` nor `sid`
};
[[nodiscard]] std::string_view to_text(ClaimFault fault);  // "wrong_issuer": for the audit log

// What is read about a person from an ID token or from userinfo. Text that is no plain text of at most
// kLongestClaim bytes is left out.
struct Profile {
  std::string preferred_username, email;
  bool email_verified = false;
  std::optional<std::vector<std::string>> groups;  // nothing: the claim is not there
};

// What somebody with this profile would be called here, in lower case: by the preferred name, or else by what
// is before the '@' of an e-mail address that the provider has verified. Empty: by nothing.
[[nodiscard]] std::string account_name(const Profile& profile);

struct IdClaims {
  std::string subject;
  WallTime authenticated{};  // `auth_time`; at most now (semantics 1)
  std::vector<std::string> amr;
  std::string acr;
  std::string session;  // `sid`, or empty
  Profile profile;
};

struct IdTokenQuestion {
  std::string issuer, client_id, nonce;
  std::string access_token;  // that came with it
  std::string groups_claim;  // empty: none is read
  WallTime asked{};          // when the browser was sent to the provider
};
[[nodiscard]] std::variant<IdClaims, ClaimFault> check_id_token(const Jws& token,
                                                                const IdTokenQuestion& question,
                                                                WallTime now);

[[nodiscard]] std::variant<Profile, ClaimFault> read_userinfo(std::string_view json,
                                                              const std::string& subject,
                                                              const std::string& groups_claim);
// What a signed userinfo says of whom it is from and for (Core section 5.3.2), where it does.
[[nodiscard]] std::optional<ClaimFault> check_signed_userinfo(const Jws& token, const std::string& issuer,
                                                              const std::string& client_id);

// How recent an authentication has to be. `anew` asks for one made after the question (prompt=login).
struct Freshness {
  std::optional<Seconds> max_age;  // age at which it is too old
  bool anew = false;
};
[[nodiscard]] bool too_old(WallTime authenticated, const Freshness& wanted, WallTime asked, WallTime now);

// `amr` in the words of RFC 8176, and whether a second factor was among them: the provider says `mfa`, or
// methods of two kinds (what one knows, has, is), or an `acr` of those that the admin named.
struct ProvenMethods {
  std::string words;  // "pwd otp"; "oidc" when the provider says nothing
  bool second_factor = false;
};
[[nodiscard]] ProvenMethods methods_of(const IdClaims& claims, const std::vector<std::string>& mfa_acr);

struct LogoutClaims {
  std::string subject, session;  // at least one of them
  std::string id;                // `jti`: good once
  WallTime issued{};
};
inline constexpr Seconds kLogoutLifetime{300};  // older ones are refused, whatever their `exp`
[[nodiscard]] std::variant<LogoutClaims, ClaimFault> check_logout_token(const Jws& token,
                                                                        const std::string& issuer,
                                                                        const std::string& client_id,
                                                                        WallTime now);

}  // namespace nightlatch
