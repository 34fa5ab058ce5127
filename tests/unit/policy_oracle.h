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
  bool operator==(const Answer&) const = default;
};

inline Answer from(const Verdict& v) {
  return {v.kind,
          v.reason,
          v.policy != nullptr ? v.policy->id : PolicyId::none,
          v.resource != nullptr ? v.resource->id : ResourceId::none,
          v.until,
          v.session,
          v.age};
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
  return a.age ? out << a.age->count() : out << '-';
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
      : o_(office), s_(subject), now_(now), speaker_(speaker()), binding_(subject.binding) {
    if (!s_.clock_set_back) who_ = s_.presence;
    if (!speaker_) return;
    if (who_ && who_->user != speaker_->id) who_.reset();
    if (binding_ != Binding::certificate) binding_ = Binding::credential;
  }

  Answer decide(const Destination& d) const {
    std::vector<Resource> in;
    for (const Resource& r : o_.resources) {
      if (holds(o_, r, d)) in.push_back(r);
    }
    Answer a = judge(in);
    std::size_t number = 0;
    for (const std::string_view name : d.names) {
      const bool found_by = number++ < d.found_by;
      std::vector<Resource> named;
      for (const Resource& r : o_.resources) {
        if (names(r, d, name)) named.push_back(r);
      }
      if (named.empty()) continue;
      const Answer b = judge(named);
      if (a.reason != Reason::unprotected) {
        // The one that refuses more decides; of two that allow, the one that ends first.
        const bool b_decides = a.kind == b.kind ? b.until < a.until : b.kind > a.kind;
        if (b_decides) a = b;
      } else if (a.kind == VerdictKind::allow || found_by) {
        a = b;
      }
    }
    return a;
  }

  Answer judge(const std::vector<Resource>& in) const {
    if (in.empty()) {
      return {.kind = o_.unprotected_allowed ? VerdictKind::allow : VerdictKind::deny,
              .reason = Reason::unprotected};
    }
    Answer a = within(in);
    if (speaker_ && s_.credential->token->expires)
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
  Answer within(const std::vector<Resource>& in) const {
    if (s_.device == nullptr && o_.enrol == Enrol::closed) return {.reason = Reason::not_enrolled};
    if (s_.device != nullptr) {
      if (s_.device->state == DeviceState::revoked) return {.reason = Reason::device_revoked};
      if (s_.device->state == DeviceState::pending) return {.reason = Reason::device_pending};
    }
    if (s_.credential && !speaker_) return {.reason = Reason::bad_credential};
    const bool says_who = binding_ == Binding::credential || binding_ == Binding::certificate;
    if (s_.device != nullptr && s_.device->shared && !says_who) return {.reason = Reason::shared_device};
    if (speaker_ && s_.credential->token->limited) {
      std::set<ResourceId> good(s_.credential->token->resources.begin(),
                                s_.credential->token->resources.end());
      if (std::none_of(in.begin(), in.end(), [&](const Resource& r) { return good.contains(r.id); })) {
        return {.reason = Reason::token_not_for_resource};
      }
    }
    std::vector<Policy> policies;
    for (const Policy& p : o_.policies) {
      const bool concerned = std::any_of(in.begin(), in.end(), [&](const Resource& r) {
        return std::count(p.resources.begin(), p.resources.end(), r.id) > 0;
      });
      if (concerned) policies.push_back(p);
    }
    if (speaker_) return person(policies, *speaker_);
    for (const User& u : o_.users) {
      if (who_ && u.id == who_->user && u.enabled) return person(policies, u);
    }
    return nobody(policies);
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

  void note_hours(Answer& a, const Policy& p) const {
    if (p.terms.hours) a.until = std::min(a.until, p.terms.hours->next_change(now_, o_.utc_offset));
  }

  Answer person(const std::vector<Policy>& policies, const User& u) const {
    Answer a{.reason = Reason::no_policy};
    if (who_) a.age = who_->signed_in > now_ ? Millis(0) : now_ - who_->signed_in;
    for (const Policy& p : policies) {
      if (!lists(p, u)) continue;
      note_hours(a, p);
      if (!open_now(p, now_, o_.utc_offset)) continue;
      a.policy = p.id;
      if (p.deny) {
        a.reason = Reason::denied_by_policy;
      } else {
        terms(a, p.terms);
      }
      return a;
    }
    return a;
  }

  void terms(Answer& a, const Terms& t) const {
    Seconds session = t.session == Seconds(0) ? Seconds(60) : t.session;
    if (o_.session_max == Seconds(0)) session = std::min(session, Seconds(60));
    if (o_.session_max && *o_.session_max > Seconds(0)) session = std::min(session, *o_.session_max);
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
  }

  Answer nobody(const std::vector<Policy>& policies) const {
    Answer a{.reason = Reason::no_policy};
    std::optional<PolicyId> too_weak;
    for (const Policy& p : policies) {
      if (p.deny && !p.anyone) continue;  // refuses some; others may still get in
      if (!p.deny && !p.anyone && p.users.empty() && p.groups.empty()) continue;
      note_hours(a, p);
      if (!open_now(p, now_, o_.utc_offset)) continue;
      if (p.deny) {
        if (!too_weak) {
          a.reason = Reason::denied_by_policy;
          a.policy = p.id;
        }
        break;
      }
      if (binding_ >= p.terms.min_binding) {
        a.kind = VerdictKind::sign_in;
        a.reason = s_.clock_set_back ? Reason::clock_set_back : Reason::no_sign_in;
        a.policy = p.id;
        return a;
      }
      if (!too_weak) too_weak = p.id;
      if (p.anyone) break;
    }
    if (too_weak) {
      a.reason = Reason::binding_too_weak;
      a.policy = *too_weak;
    }
    return a;
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
  const std::optional<User> speaker_;  // whom a credential proves
  std::optional<Presence> who_;        // the sign-in that counts
  Binding binding_;
};

}  // namespace nightlatch::oracle
