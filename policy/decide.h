// decide(): who may pass, until when, and why. The gate, `explain`, `session list` and the portal all call
// this one function, so that they cannot disagree. Pure and total: no I/O, no allocation, no exception; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policy/office.h"

namespace nightlatch {

struct SentCredential {          // by the client, in the connection itself
  const Token* token = nullptr;  // that it proved, in force or not; nullptr: none of this office
  WallTime sent{};               // when; a machine's counts as a proof of that moment
};

struct Subject {
  const Device* device = nullptr;  // nullptr: a device that we do not know
  // Who is signed in there, or nobody; with a credential, its user's sign-in there. One of anybody else does
  // not count beside a credential.
  std::optional<Presence> presence{};
  Binding binding = Binding::address;
  bool clock_set_back =
      false;  // the wall clock is behind the store's: no earlier sign-in counts (semantics 11)
  std::optional<SentCredential> credential{};  // nothing: none was sent
  // What the device has proven of itself, from where the flow comes. Beside a credential only certificates
  // count, and they say no more than how strongly the flow is tied to the device.
  std::span<const Proof> proofs{};
};

// Where a flow goes. Its address and each of its names are judged, and all must allow: a name that a client
// only claims can never open what the address alone would not.
struct Destination {
  IpAddress address;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::tcp;
  std::span<const std::string_view> names{};  // canonical (policy/host_name.h); most flows have none or one
  // By so many of them, from the first, the gate itself has found this address. The others may only be
  // claimed: they open nothing in an office that refuses what is in no resource.
  std::size_t found_by = 0;
};

enum class VerdictKind : std::uint8_t { allow, sign_in, step_up, deny };

enum class Reason : std::uint8_t {
  fresh,                   // allow: the sign-in is young enough
  unprotected,             // allow or deny: no resource holds this destination
  no_sign_in,              // sign_in: nobody is signed in on this device
  expired,                 // sign_in: the sign-in is too old for this policy
  clock_set_back,          // sign_in: the clock is behind the last sign-in's
  second_factor_missing,   // step_up
  second_factor_expired,   // step_up
  no_policy,               // deny: no policy lets this user in
  denied_by_policy,        // deny: a deny policy matched
  device_pending,          // deny: an admin has yet to approve the device
  device_revoked,          // deny
  not_enrolled,            // deny: unknown device while enrol = closed
  shared_device,           // deny: the address is shared; only a credential in the connection says who
  bad_credential,          // deny: the credential sent is wrong, revoked or expired, or its user disabled
  token_not_for_resource,  // deny: the credential is good, but not for this destination
  binding_too_weak,        // deny: the policy asks for a stronger tie to the device
  identity_provider,       // allow: an OpenID provider, without which nobody could sign in (semantics 14)
  credential_elsewhere,    // deny: the machine's token that was sent belongs to another device
  proof_expired,           // deny: the machine's last proof is too old for this policy
  machines_only,           // deny: no policy lets any person in, only machines
};
// Whether it is nobody's flow: no resource is about it.
[[nodiscard]] constexpr bool concerns_nobody(Reason r) {
  return r == Reason::unprotected || r == Reason::identity_provider;
}

struct Verdict {
  VerdictKind kind = VerdictKind::deny;
  Reason reason = Reason::no_policy;
  const Policy* policy = nullptr;      // that decided, or nullptr; points into the Office
  const Resource* resource = nullptr;  // that the destination is in, or nullptr: one that the policy names
  // allow: when it ends. otherwise: when hours, a credential's end or a clock may change it, or kNever
  WallTime until = kNever;
  Seconds session{0};           // of the policy, after session.max; 0 is every time, or no policy
  std::optional<Millis> age{};  // of the last sign-in, when there is one; or of the machine's proof
  // The machine was let in by this proof of its own, and no person was; or was not, for it is too old.
  TokenId token{};
  CertificateId certificate{};
  // What the policy says of live flows; when the address and a name were let in by two, the stricter of both.
  Expiry on_expiry{};
  std::optional<Seconds> idle{};
  bool operator==(const Verdict&) const = default;
  [[nodiscard]] bool by_machine() const {
    return token != TokenId::none || certificate != CertificateId::none;
  }
};

inline constexpr Seconds kEveryTimeBurst{
    60};  // one sign-in serves a `session = 0` policy for so long (semantics 4)

[[nodiscard]] Verdict decide(const Office& office, const Subject& subject, const Destination& destination,
                             WallTime now) noexcept;

// The same for a resource as a whole: what `session list` and /me show.
[[nodiscard]] Verdict decide_resource(const Office& office, const Subject& subject, const Resource& resource,
                                      WallTime now) noexcept;

// The user whom this token speaks for at this moment; nullptr when it is revoked or expired, or the user
// disabled.
[[nodiscard]] const User* speaks_for(const Office& office, const Token& token, WallTime now) noexcept;

// The device that this token proves at this moment, whatever its state; nullptr when the token is a person's,
// revoked or expired.
[[nodiscard]] const Device* machine_of(const Office& office, const Token& token, WallTime now) noexcept;

// How strongly the subject's flows are tied to its device: with what a certificate adds.
[[nodiscard]] Binding binding_of(const Office& office, const Subject& subject, WallTime now) noexcept;

[[nodiscard]] std::string_view to_text(VerdictKind k);  // "allow", "sign_in", "step_up", "deny"
[[nodiscard]] std::string_view to_text(Reason r);       // "no_sign_in", ...
// Why whoever is not signed in cannot reach an OpenID provider there; empty: they can.
[[nodiscard]] std::string explain_closed(const Office& office, const ProviderPlace& place);
// One sentence for people: "asks for a sign-in every 8 h; your last was 9 h ago on this device".
[[nodiscard]] std::string explain_reason(const Verdict& v);

}  // namespace nightlatch
