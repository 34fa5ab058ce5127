// The naive oracle that decide() is held against: a linear reading of the rules over OfficeData, with
// allocation and without any index, written from docs/decisions and not from policy/decide.cc. For tests
// only.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <ostream>
#include <set>
#include <vector>

#include "policy/decide.h"

namespace nightlatch::oracle {

struct Answer {
  VerdictKind kind = VerdictKind::deny;
  Reason reason = Reason::no_policy;
  PolicyId policy{};
  ResourceId resource{};
  WallTime until = kNever;
  Seconds session{0};
  std::optional<Millis> age{};
  TokenId token{};
  CertificateId certificate{};
  bool operator==(const Answer&) const = default;
};

inline Answer from(const Verdict& v) {
  return {v.kind,
          v.reason,
          v.policy != nullptr ? v.policy->id : PolicyId::none,
          v.resource != nullptr ? v.resource->id : ResourceId::none,
          v.until,
          v.session,
          v.age,
          v.token,
          v.certificate};
}

inline std::ostream& operator<<(std::ostream& out, const Answer& a) {
  out << to_text(a.kind) << ' ' << to_text(a.reason) << " policy " << static_cast<int>(a.policy)
      << " resource " << static_cast<int>(a.resource) << " until ";
  if (a.until == kNever) {
    out << "never";
  } else {
    out << to_ms(a.until);
  }
  out << " session " << a.session.count() << " age ";
  out << (a.age ? std::to_string(a.age->count()) : "-");
  return out << " token " << static_cast<int>(a.token) << " certificate " << static_cast<int>(a.certificate);
}

inline bool bit(const IpAddress& a, unsigned i) { return (a.bytes()[i / 8] >> (7 - i % 8) & 1) != 0; }

inline bool in_prefix(const Prefix& p, const IpAddress& a) {
  if (p.address.is_v4() != a.is_v4()) return false;
  const unsigned begin = a.is_v4() ? 96 : 0;
  for (unsigned i = begin; i < begin + p.bits; ++i) {
    if (bit(p.address, i) != bit(a, i)) return false;
  }
  return true;
}

inline bool at_port(const Target& t, const Destination& d) {
  return t.protocol == d.protocol && d.port >= t.ports.first && d.port <= t.ports.last;
}

inline bool holds(const OfficeData& o, const Resource& r, const Destination& d) {
  std::vector<IpAddress> addresses{d.address};
  for (const IpAddress& inner : embedded_ipv4(d.address)) addresses.push_back(inner);
  for (const Target& t : r.targets) {
    if (!at_port(t, d)) continue;
    for (const IpAddress& a : addresses) {
      if (!t.host && in_prefix(t.prefix, a)) return true;
      for (const HostAddress& h : o.host_addresses) {
        if (t.host && h.host == *t.host && h.address == a) return true;
      }
    }
  }
  return false;
}

inline bool names(const Resource& r, const Destination& d, std::string_view name) {
  for (const Target& t : r.targets) {
    if (t.host && at_port(t, d) && t.host->matches(name)) return true;
  }
  return false;
}

inline bool open_now(const Policy& p, WallTime now, Seconds offset) {
  if (!p.terms.hours) return true;
  const auto local = now + offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;  // Monday is 0
  const auto minute = std::chrono::floor<std::chrono::minutes>(local - day).count() + weekday * 24 * 60;
  for (const Hours::Span& s : p.terms.hours->spans) {
    if (minute >= s.first_minute && minute < s.end_minute) return true;
  }
  return false;
}

inline bool lists(const Policy& p, const User& u) {
  if (p.anyone) return true;
  for (const UserId id : p.users) {
    if (id == u.id) return true;
  }
  for (const GroupId id : p.groups) {
    for (const GroupId mine : u.groups) {
      if (id == mine) return true;
    }
  }
  return false;
}

class Oracle {
 public:
  Oracle(const OfficeData& office, const Subject& subject, WallTime now)
      : o_(office),
        s_(subject),
        now_(now),
        speaker_(speaker()),
        machine_(machine()),
        binding_(subject.binding),
        placed_(subject.binding) {
    if (!s_.clock_set_back) who_ = s_.presence;
    if (machine_) who_.reset();
    if (speaker_ && who_ && who_->user != speaker_->id) who_.reset();
    if ((speaker_ || machine_) && placed_ != Binding::certificate) placed_ = Binding::credential;
    binding_ = placed_;
    for (const Proof& p : counted(s_.device)) {
      if (p.certificate == CertificateId::none) continue;
      const WallTime end = std::min(std::min(p.proven, now_) + o_.certificate_fresh, *lasts(p));
      if (end > now_) binding_ = Binding::certificate;
      certified_ = std::max(certified_, end);
    }
  }

  Answer decide(const Destination& d) const {
    std::vector<Resource> in;
    for (const Resource& r : o_.resources) {
      if (holds(o_, r, d)) in.push_back(r);
    }
    const bool provider = provider_at(d);
    Answer a = judge(in);
    if (provider) a = Answer{.kind = VerdictKind::allow, .reason = Reason::identity_provider};
    std::size_t number = 0;
    for (const std::string_view name : d.names) {
      const bool found_by = number++ < d.found_by;
      bool providers_own = false;
      for (const ProviderPlace& p : o_.providers) {
        const bool there = p.address == d.address && p.port == d.port && open(p);
        providers_own = providers_own || (there && p.host == name);
      }
      if (provider && providers_own) continue;
      std::vector<Resource> named;
      for (const Resource& r : o_.resources) {
        if (names(r, d, name)) named.push_back(r);
      }
      if (named.empty()) continue;
      const Answer b = judge(named);
      if (a.reason != Reason::unprotected) {
        // The one that refuses more decides; of two that allow, the one that ends first. A person who is let
        // in by one of them has the flow.
        const bool b_decides = a.kind == b.kind ? b.until < a.until : b.kind > a.kind;
        const bool both_machines = by_machine(a) && by_machine(b);
        const bool same = a.kind == b.kind;
        if (b_decides) a = b;
        if (same && !both_machines) a.token = TokenId::none, a.certificate = CertificateId::none;
      } else if (a.kind == VerdictKind::allow || found_by) {
        a = b;
      }
    }
    return a;
  }

  // A provider is there, and everybody may reach it.
  [[nodiscard]] bool provider_at(const Destination& d) const {
    for (const ProviderPlace& p : o_.providers) {
      if (d.protocol == Protocol::tcp && p.address == d.address && p.port == d.port && open(p)) return true;
    }
    return false;
  }

  // No resource names that very address, or that very host or where it is; and none holds it, nor is it of a
  // network of one's own, unless an admin has said so.
  [[nodiscard]] bool open(const ProviderPlace& p) const {
    const Destination there{p.address, p.port, Protocol::tcp, {}};
    for (const Resource& r : o_.resources) {
      if (!p.inside && (holds(o_, r, there) || names(r, there, p.host))) return false;
      for (const Target& t : r.targets) {
        if (t.protocol != Protocol::tcp || p.port < t.ports.first || p.port > t.ports.last) continue;
        if (t.host && t.host->wildcard()) continue;
        if (t.host && t.host->text() == p.host) return false;
        std::vector<IpAddress> all{p.address};
        for (const IpAddress& inner : embedded_ipv4(p.address)) all.push_back(inner);
        for (const IpAddress& a : all) {
          if (!t.host && t.prefix.bits == (a.is_v4() ? 32 : 128) && t.prefix.address == a) return false;
          for (const HostAddress& h : o_.host_addresses) {
            if (t.host && h.host == *t.host && h.address == a) return false;
          }
        }
      }
    }
    for (const char* own : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
                            "64:ff9b::10.0.0.0/104", "64:ff9b::192.168.0.0/112"}) {
      if (!p.inside && Prefix::parse(own)->contains(p.address)) return false;
    }
    return p.inside || !is_special(p.address);
  }

  Answer judge(const std::vector<Resource>& in) const {
    if (in.empty()) {
      return {.kind = o_.unprotected_allowed ? VerdictKind::allow : VerdictKind::deny,
              .reason = Reason::unprotected};
    }
    Answer a = within(in);
    if ((speaker_ || machine_) && s_.credential->token->expires)
      a.until = std::min(a.until, *s_.credential->token->expires);
    const Policy* p = find_policy(a.policy);
    for (const Resource& r : in) {
      const bool named = p == nullptr || std::count(p->resources.begin(), p->resources.end(), r.id) > 0;
      if (named && a.resource == ResourceId::none) a.resource = r.id;
    }
    if (p != nullptr) {
      a.session = p->terms.session;
      if (o_.session_max && *o_.session_max < a.session) a.session = *o_.session_max;
    }
    return a;
  }

 private:
  static bool by_machine(const Answer& a) {
    return a.token != TokenId::none || a.certificate != CertificateId::none;
  }

  Answer within(const std::vector<Resource>& in) const {
    // A machine's token tells the device where the place does not.
    std::vector<Device> devices;
    if (s_.device != nullptr) devices.push_back(*s_.device);
    if (machine_ && (devices.empty() || devices[0].shared)) devices.push_back(*machine_);
    if (devices.empty() && o_.enrol == Enrol::closed) return {.reason = Reason::not_enrolled};
    for (const Device& d : devices) {
      if (d.state == DeviceState::revoked) return {.reason = Reason::device_revoked};
      if (d.state == DeviceState::pending) return {.reason = Reason::device_pending};
    }
    if (s_.credential && !speaker_ && !machine_) return {.reason = Reason::bad_credential};
    if (machine_) {
      const bool there = s_.device != nullptr && s_.device->id == machine_->id;
      const bool nowhere = !machine_->mac && machine_->addresses.empty();
      const bool from_anybody = s_.device == nullptr || s_.device->shared;
      if (!there && !(nowhere && from_anybody)) return {.reason = Reason::credential_elsewhere};
    }
    const bool says_who = binding_ == Binding::credential || binding_ == Binding::certificate;
    if (s_.device != nullptr && s_.device->shared && !says_who) return {.reason = Reason::shared_device};
    if ((speaker_ || machine_) && !good_for(*s_.credential->token, in))
      return {.reason = Reason::token_not_for_resource};
    if (machine_ && s_.clock_set_back) return {.reason = Reason::clock_set_back};
    std::vector<Policy> policies;
    for (const Policy& p : o_.policies) {
      const bool concerned = std::any_of(in.begin(), in.end(), [&](const Resource& r) {
        return std::count(p.resources.begin(), p.resources.end(), r.id) > 0;
      });
      if (concerned) policies.push_back(p);
    }
    return walk(policies, in);
  }

  // From the top: the person who is there, if any, and the machine, if it has proven anything, each look for
  // their first policy.
  Answer walk(const std::vector<Policy>& policies, const std::vector<Resource>& in) const {
    std::optional<User> user = speaker_;
    for (const User& u : o_.users) {
      if (!speaker_ && who_ && u.id == who_->user && u.enabled) user = u;
    }
    std::optional<Answer> person, machine;  // what became of each
    Answer nobodys{.reason = Reason::no_policy};
    bool nobody_looks = !user && !machine_, weak = false;
    WallTime hours = kNever;
    const auto ends = [&](Answer a) {
      a.until = std::min(a.until, hours);
      return a;
    };
    for (const Policy& p : policies) {
      const bool for_persons = p.anyone || !p.users.empty() || !p.groups.empty();
      const bool user_meant = user && !person && lists(p, *user);
      const bool nobody_meant = nobody_looks && (p.deny ? p.anyone : for_persons);
      const std::vector<Proof> shown = machine || for_persons ? std::vector<Proof>() : accepted(p, in);
      if (!user_meant && !nobody_meant && shown.empty()) continue;
      if (p.terms.hours) hours = std::min(hours, p.terms.hours->next_change(now_, o_.utc_offset));
      if (!open_now(p, now_, o_.utc_offset)) continue;
      if (nobody_meant) {
        if (p.deny) {
          if (!weak) nobodys.reason = Reason::denied_by_policy, nobodys.policy = p.id;
          nobody_looks = false;
        } else if (binding_ >= p.terms.min_binding) {
          nobodys.kind = VerdictKind::sign_in;
          nobodys.reason = s_.clock_set_back ? Reason::clock_set_back : Reason::no_sign_in;
          nobodys.policy = p.id;
          nobody_looks = false;
        } else {
          if (!weak) nobodys.reason = Reason::binding_too_weak, nobodys.policy = p.id;
          weak = true;
          if (p.anyone) nobody_looks = false;
        }
        continue;
      }
      Answer a{.policy = p.id};
      if (user_meant) {
        if (who_) a.age = age_of(who_->signed_in);
        a.reason = Reason::denied_by_policy;
        if (!p.deny) terms(a, p.terms);
        if (p.deny || a.kind == VerdictKind::allow) return ends(a);
        person = a;
      } else {
        machine_terms(a, p, shown);
        const Answer so_far = person ? *person : nobodys;
        const bool may_sign_in = so_far.kind == VerdictKind::sign_in || so_far.kind == VerdictKind::step_up;
        if (a.kind == VerdictKind::allow || (p.deny && !may_sign_in)) return ends(a);
        machine = a;
      }
    }
    Answer a = person ? *person : nobodys;
    if (!person && user && who_) a.age = age_of(who_->signed_in);
    const bool may_sign_in = a.kind == VerdictKind::sign_in || a.kind == VerdictKind::step_up;
    if (machine && !may_sign_in) a = *machine;
    if (a.reason == Reason::no_policy && !machine_) {
      bool some_machine = false, some_person = false;
      for (const Policy& p : policies) {
        const bool for_persons = p.anyone || !p.users.empty() || !p.groups.empty();
        if (p.deny) continue;
        if (for_persons) some_person = true;
        if (!for_persons && !(p.tokens.empty() && p.certificates.empty())) some_machine = true;
      }
      if (some_machine && !some_person) a.reason = Reason::machines_only;
    }
    return ends(a);
  }

  Millis age_of(WallTime t) const { return t > now_ ? Millis(0) : now_ - t; }

  static bool good_for(const Token& t, const std::vector<Resource>& in) {
    const std::set<ResourceId> good(t.resources.begin(), t.resources.end());
    return !t.limited ||
           std::any_of(in.begin(), in.end(), [&](const Resource& r) { return good.contains(r.id); });
  }

  const Token* find_token(TokenId id) const {
    for (const Token& t : o_.tokens) {
      if (t.id == id) return &t;
    }
    return nullptr;
  }

  // Until when a proof of an existing token or certificate is good.
  std::optional<WallTime> lasts(const Proof& p) const {
    std::optional<WallTime> expires;
    if (p.token != TokenId::none) {
      const Token* t = find_token(p.token);
      if (t == nullptr || t->revoked || t->user != UserId::none) return std::nullopt;
      expires = t->expires;
    } else {
      bool known = false;
      for (const Certificate& c : o_.certificates) {
        if (c.id == p.certificate && !c.revoked) known = true, expires = c.expires;
      }
      if (!known) return std::nullopt;
    }
    const WallTime longest = p.proven + Seconds(30 * 86400);
    return expires ? std::min(longest, *expires) : longest;
  }

  bool its_own(const Proof& p, DeviceId device) const {
    const bool known =
        std::any_of(o_.devices.begin(), o_.devices.end(), [&](const Device& d) { return d.id == device; });
    if (p.token != TokenId::none) {
      const Token* t = find_token(p.token);
      return known && t != nullptr && t->device == device;
    }
    return std::any_of(o_.certificates.begin(), o_.certificates.end(),
                       [&](const Certificate& c) { return c.id == p.certificate && c.device == device; });
  }

  // The proofs of this device that are good now.
  std::vector<Proof> counted(const Device* device) const {
    std::vector<Proof> good;
    if (device == nullptr || device->shared || s_.clock_set_back) return good;
    for (const Proof& p : s_.proofs) {
      const auto end = lasts(p);
      if (p.proven - now_ <= Seconds(2) && its_own(p, device->id) && end && *end > now_) good.push_back(p);
    }
    return good;
  }

  std::vector<Proof> accepted(const Policy& policy, const std::vector<Resource>& in) const {
    std::vector<Proof> all;
    if (machine_) {
      const Proof sent{s_.credential->token->id, CertificateId::none, s_.credential->sent};
      const auto end = lasts(sent);
      if (sent.proven - now_ <= Seconds(2) && end && *end > now_) all.push_back(sent);
    } else if (!s_.credential) {
      all = counted(s_.device);
    }
    std::vector<Proof> out;
    for (const Proof& p : all) {
      const bool by_token = p.token != TokenId::none;
      if (by_token && !good_for(*find_token(p.token), in)) continue;
      const bool listed =
          by_token ? std::count(policy.tokens.begin(), policy.tokens.end(), p.token) > 0
                   : std::count(policy.certificates.begin(), policy.certificates.end(), p.certificate) > 0;
      if (listed) out.push_back(p);
    }
    return out;
  }

  Seconds effective(const Terms& t) const {
    Seconds session = t.session == Seconds(0) ? Seconds(60) : t.session;
    if (o_.session_max == Seconds(0)) session = std::min(session, Seconds(60));
    if (o_.session_max && *o_.session_max > Seconds(0)) session = std::min(session, *o_.session_max);
    return session;
  }

  void machine_terms(Answer& a, const Policy& p, const std::vector<Proof>& shown) const {
    const auto end_of = [&](const Proof& proof) {
      return std::min(std::min(proof.proven, now_) + effective(p.terms), *lasts(proof));
    };
    Proof best = shown.front();
    for (const Proof& proof : shown) {
      if (end_of(proof) > end_of(best)) best = proof;
    }
    a.age = age_of(best.proven);
    if (p.deny) {
      a.reason = Reason::denied_by_policy;
    } else if (static_cast<int>(binding_) < static_cast<int>(p.terms.min_binding)) {
      a.reason = Reason::binding_too_weak;
    } else if (p.terms.mfa) {
      a.reason = Reason::second_factor_missing;
    } else if (end_of(best) <= now_) {
      a.reason = Reason::proof_expired;
      a.token = best.token;
      a.certificate = best.certificate;
    } else {
      a.kind = VerdictKind::allow;
      a.reason = Reason::fresh;
      a.until = end_of(best);
      a.token = best.token;
      a.certificate = best.certificate;
      tie(a, p.terms);
    }
  }

  // What only a certificate's strength allows ends with it.
  void tie(Answer& a, const Terms& t) const {
    if (t.min_binding > placed_) a.until = std::min(a.until, certified_);
  }

  // The device of a machine's token that was sent and is in force.
  std::optional<Device> machine() const {
    const Token* t = s_.credential ? s_.credential->token : nullptr;
    if (t == nullptr || t->revoked || t->user != UserId::none) return std::nullopt;
    if (t->expires && *t->expires <= now_) return std::nullopt;
    for (const Device& d : o_.devices) {
      if (d.id == t->device) return d;
    }
    return std::nullopt;
  }

  // The enabled user of a token that was sent and is in force.
  std::optional<User> speaker() const {
    const Token* t = s_.credential ? s_.credential->token : nullptr;
    if (t == nullptr || t->revoked) return std::nullopt;
    if (t->expires && *t->expires <= now_) return std::nullopt;
    for (const User& u : o_.users) {
      if (u.id == t->user && u.enabled) return u;
    }
    return std::nullopt;
  }

  void terms(Answer& a, const Terms& t) const {
    const Seconds session = effective(t);
    const auto set = [&](VerdictKind k, Reason r) {
      a.kind = k;
      a.reason = r;
    };
    if (static_cast<int>(binding_) < static_cast<int>(t.min_binding)) {
      return set(VerdictKind::deny, Reason::binding_too_weak);
    }
    if (!who_) {
      return set(VerdictKind::sign_in, s_.clock_set_back ? Reason::clock_set_back : Reason::no_sign_in);
    }
    const Presence& who = *who_;
    if (who.signed_in - now_ > Seconds(2)) return set(VerdictKind::sign_in, Reason::clock_set_back);
    if (*a.age >= session) return set(VerdictKind::sign_in, Reason::expired);
    const WallTime end = now_ - *a.age + session;
    if (!t.mfa) {
      set(VerdictKind::allow, Reason::fresh);
      a.until = std::min(a.until, end);
      tie(a, t);
      return;
    }
    if (!who.second_factor) return set(VerdictKind::step_up, Reason::second_factor_missing);
    const Seconds mfa = *t.mfa == Seconds(0) ? Seconds(60) : *t.mfa;
    const Millis factor_age = *who.second_factor > now_ ? Millis(0) : now_ - *who.second_factor;
    if (factor_age >= mfa || *who.second_factor - now_ > Seconds(2)) {
      return set(VerdictKind::step_up, Reason::second_factor_expired);
    }
    set(VerdictKind::allow, Reason::fresh);
    a.until = std::min({a.until, end, now_ - factor_age + mfa});
    tie(a, t);
  }

  const Policy* find_policy(PolicyId id) const {
    for (const Policy& p : o_.policies) {
      if (p.id == id && id != PolicyId::none) return &p;
    }
    return nullptr;
  }

  const OfficeData& o_;
  const Subject& s_;
  const WallTime now_;
  const std::optional<User> speaker_;    // whom a credential proves
  const std::optional<Device> machine_;  // or which machine
  std::optional<Presence> who_;          // the sign-in that counts
  Binding binding_, placed_;             // with certificates, and without
  WallTime certified_{};
};

}  // namespace nightlatch::oracle
