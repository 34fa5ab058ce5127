// Verdicts in words: the names that `--json` prints, and one sentence for the person who was stopped. A
// sentence speaks of the reader only; it never tells who else a policy lets in.
#include <fmt/format.h>

#include <algorithm>

#include "policy/decide.h"

namespace nightlatch {

namespace {
std::string every(Seconds session) {
  return session == Seconds(0) ? "every time" : fmt::format("every {}", format_age(session));
}

std::string ago(const Verdict& v) { return v.age ? format_age(*v.age) + " ago" : "unknown"; }

std::string second_factor(const Verdict& v) {
  const bool timed = v.policy != nullptr && v.policy->terms.mfa;
  return timed ? "asks for a second factor " + every(*v.policy->terms.mfa) : "asks for a second factor";
}

std::string_view needed(const Verdict& v) {
  switch (v.policy == nullptr ? Binding::address : v.policy->terms.min_binding) {
    case Binding::address:
      break;
    case Binding::mac:
      return "asks for a device on the office's own network; yours is known by its address alone";
    case Binding::credential:
      return "asks for a credential sent in the connection itself, and yours sent none";
    case Binding::certificate:
      return "asks for a device certificate, and your connection showed none";
  }
  return "asks for a stronger tie to your device than this connection has";
}
}  // namespace

std::string_view to_text(VerdictKind k) {
  switch (k) {
    case VerdictKind::allow:
      return "allow";
    case VerdictKind::sign_in:
      return "sign_in";
    case VerdictKind::step_up:
      return "step_up";
    case VerdictKind::deny:
      break;
  }
  return "deny";
}

std::string_view to_text(Reason r) {
  switch (r) {
    case Reason::fresh:
      return "fresh";
    case Reason::unprotected:
      return "unprotected";
    case Reason::identity_provider:
      return "identity_provider";
    case Reason::no_sign_in:
      return "no_sign_in";
    case Reason::expired:
      return "expired";
    case Reason::clock_set_back:
      return "clock_set_back";
    case Reason::second_factor_missing:
      return "second_factor_missing";
    case Reason::second_factor_expired:
      return "second_factor_expired";
    case Reason::no_policy:
      return "no_policy";
    case Reason::denied_by_policy:
      return "denied_by_policy";
    case Reason::device_pending:
      return "device_pending";
    case Reason::device_revoked:
      return "device_revoked";
    case Reason::not_enrolled:
      return "not_enrolled";
    case Reason::shared_device:
      return "shared_device";
    case Reason::bad_credential:
      return "bad_credential";
    case Reason::token_not_for_resource:
      return "token_not_for_resource";
    case Reason::binding_too_weak:
      break;
    case Reason::credential_elsewhere:
      return "credential_elsewhere";
    case Reason::proof_expired:
      return "proof_expired";
    case Reason::machines_only:
      return "machines_only";
  }
  return "binding_too_weak";
}

std::string explain_reason(const Verdict& v) {
  switch (v.reason) {
    case Reason::fresh:
      if (v.by_machine())
        return fmt::format("asks this machine to prove itself {}; it last did {}", every(v.session), ago(v));
      return fmt::format("asks for a sign-in {}; your last was {} on this device", every(v.session), ago(v));
    case Reason::identity_provider:
      return "is an OpenID provider, which everybody may reach to sign in";
    case Reason::unprotected:
      return v.kind == VerdictKind::allow
                 ? "belongs to no resource, and this office lets such traffic through"
                 : "belongs to no resource, and this office refuses such traffic";
    case Reason::no_sign_in:
      return fmt::format("asks for a sign-in {}; you are not signed in on this device", every(v.session));
    case Reason::expired:
      return fmt::format("asks for a sign-in {}; your last was {} on this device", every(v.session), ago(v));
    case Reason::clock_set_back:
      return "asks for a new sign-in: the gate's clock is behind the time of an earlier one";
    case Reason::second_factor_missing:
      return second_factor(v) + "; your last sign-in had none";
    case Reason::second_factor_expired:
      return second_factor(v) + "; your last is older than that";
    case Reason::no_policy:
      return "no policy lets you in; you may sign in as someone else";
    case Reason::denied_by_policy:
      return "a policy refuses you; you may sign in as someone else";
    case Reason::device_pending:
      return "your device waits for an administrator's approval";
    case Reason::device_revoked:
      return "your device has been revoked by an administrator";
    case Reason::not_enrolled:
      return "your device is not known here, and new devices are not taken in";
    case Reason::shared_device:
      return "your address is shared by several people; only a credential sent in the connection tells who "
             "you are";
    case Reason::bad_credential:
      return "the name or the application password that your application sent is wrong, revoked or expired";
    case Reason::token_not_for_resource:
      return "the application password that your application sent is not for this resource";
    case Reason::binding_too_weak:
      break;
    case Reason::credential_elsewhere:
      return "the token that was sent is another machine's";
    case Reason::proof_expired:
      return fmt::format("asks this machine to prove itself {}; it last did {}", every(v.session), ago(v));
    case Reason::machines_only:
      return "only machines may reach it, by a token or a certificate of their own; no sign-in opens it";
  }
  return std::string(needed(v));
}

namespace {
// By which wildcard an address is in a resource, as the rest of a sentence; nothing where it is in it anyway.
std::string found_by(const Office& office, const Resource& resource, const ProviderPlace& place) {
  const auto led_there = [&](const Target& t) {
    return t.host && t.host->wildcard() && !t.host->matches(place.host) &&
           office.has_address(*t.host, place.address);
  };
  const bool by_prefix = std::any_of(resource.targets.begin(), resource.targets.end(), [&](const Target& t) {
    return !t.host && t.prefix.contains(place.address);
  });
  const auto by = std::find_if(resource.targets.begin(), resource.targets.end(), led_there);
  if (by_prefix || by == resource.targets.end()) return {};
  return fmt::format(", for a name under {} has led there", by->host->text());
}
}  // namespace

std::string explain_closed(const Office& office, const ProviderPlace& place) {
  const auto [reach, resource] = office.standing_of(place);
  const std::string at = fmt::format("{} ({})", place.host, Endpoint{place.address, place.port}.text());
  constexpr std::string_view cut = "whoever is not signed in cannot reach it";
  switch (reach) {
    case ProviderReach::within:
      return fmt::format("{} is within the resource {}{}: {}", at, resource->name,
                         found_by(office, *resource, place), cut);
    case ProviderReach::named:
      return fmt::format("the resource {} is about {} itself: {}", resource->name, at, cut);
    case ProviderReach::private_address:
      if (office.data().unprotected_allowed) return {};
      return fmt::format("{} is a private address, and unprotected = deny: {}", at, cut);
    case ProviderReach::open:
      break;
  }
  return {};
}

}  // namespace nightlatch
