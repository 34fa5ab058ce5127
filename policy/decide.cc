#include "policy/decide.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace nightlatch {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr Millis kClockJitter{
    2000};  // a sign-in so far ahead of now is still "just now", not a clock set back

bool names_user(const Policy& p, const User& user) {
  if (p.anyone || std::binary_search(p.users.begin(), p.users.end(), user.id)) return true;
  auto group = p.groups.begin();  // both lists are sorted: walk them side by side
  for (const GroupId mine : user.groups) {
    while (group != p.groups.end() && *group < mine) ++group;
    if (group == p.groups.end()) return false;
    if (*group == mine) return true;
  }
  return false;
}

bool names_somebody(const Policy& p) { return p.anyone || !p.users.empty() || !p.groups.empty(); }

// Times and lengths are brought into a range in which no sum or difference of them overflows, whatever the
// store holds.
constexpr WallTime kEarliest{Millis(0)};
constexpr WallTime kLatest{kNever.time_since_epoch() / 2};
constexpr Seconds kLongest{100LL * 366 * 86400};
WallTime bounded(WallTime t) { return std::clamp(t, kEarliest, kLatest); }

Seconds burst_if_zero(Seconds s) { return s <= Seconds(0) ? kEveryTimeBurst : std::min(s, kLongest); }

// One decision. Resources is called as resources(visit) and calls visit(index) for each resource of the
// destination; it may be called more than once and may repeat an index.
template <typename Resources>
class Judge {
 public:
  Judge(const Office& office, const Subject& subject, WallTime now, const Resources& resources)
      : office_(office), subject_(subject), now_(bounded(now)), resources_(resources) {}

  Verdict run() const {
    std::uint32_t lowest = kNone;
    resources_([&](std::uint32_t r) { lowest = std::min(lowest, r); });
    if (lowest == kNone) {
      return Verdict{.kind = data().unprotected_allowed ? VerdictKind::allow : VerdictKind::deny,
                     .reason = Reason::unprotected};
    }
    if (const auto reason = device_refusal()) {
      return Verdict{.kind = VerdictKind::deny, .reason = *reason, .resource = resource(lowest)};
    }
    const User* user = known_user();
    Verdict v = user != nullptr ? for_user(*user) : for_nobody();
    if (v.resource == nullptr) v.resource = resource(lowest);
    return v;
  }

 private:
  struct Match {
    std::uint32_t policy = kNone;
    std::uint32_t resource = kNone;
    bool hours = false;  // some policy on the way has hours
  };

  const OfficeData& data() const { return office_.data(); }
  const Resource* resource(std::uint32_t i) const { return &data().resources[i]; }
  const Policy& policy(std::uint32_t i) const { return data().policies[i]; }

  bool active(const Policy& p) const {
    return !p.terms.hours || p.terms.hours->contains(now_, data().utc_offset);
  }

  std::optional<Reason> device_refusal() const {
    const Device* device = subject_.device;
    if (device == nullptr) {
      return data().enrol == Enrol::closed ? std::optional(Reason::not_enrolled) : std::nullopt;
    }
    if (device->state == DeviceState::revoked) return Reason::device_revoked;
    if (device->state == DeviceState::pending) return Reason::device_pending;
    if (device->shared && subject_.binding < Binding::credential) return Reason::shared_device;
    return std::nullopt;
  }

  const User* known_user() const {
    if (!subject_.presence || subject_.clock_set_back) return nullptr;
    const User* user = office_.user(subject_.presence->user);
    return user != nullptr && user->enabled ? user : nullptr;
  }

  // The first policy, by position, that is active and decides(policy); over all resources of the destination.
  template <typename Decides>
  Match first(const Decides& decides) const {
    Match m;
    resources_([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (i > m.policy) break;
        const Policy& p = policy(i);
        m.hours = m.hours || p.terms.hours.has_value();
        if (!decides(p) || !active(p)) continue;
        m.resource = i < m.policy ? r : std::min(m.resource, r);
        m.policy = i;
        break;
      }
    });
    return m;
  }

  // The next instant at which the hours of a policy up to m, of those that concern us, begin or end.
  template <typename Concerns>
  WallTime next_hours(const Match& m, const Concerns& concerns) const {
    WallTime next = kNever;
    if (!m.hours) return next;
    resources_([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (i > m.policy) break;
        const Policy& p = policy(i);
        if (p.terms.hours && concerns(p))
          next = std::min(next, p.terms.hours->next_change(now_, data().utc_offset));
      }
    });
    return next;
  }

  Verdict verdict(VerdictKind kind, Reason reason, const Match& m) const {
    Verdict v{.kind = kind, .reason = reason};
    if (m.policy == kNone) return v;
    v.policy = &policy(m.policy);
    v.resource = resource(m.resource);
    v.session = v.policy->terms.session;
    if (data().session_max) v.session = std::min(v.session, *data().session_max);
    v.session = std::max(v.session, Seconds(0));
    return v;
  }

  // Nobody is known: ask for a sign-in where some person could get in, whoever that may be.
  Verdict for_nobody() const {
    const auto concerns = [](const Policy& p) { return p.deny ? p.anyone : names_somebody(p); };
    // An allow that wants a stronger binding lets nobody in from here; it ends the search only if it takes
    // everybody.
    const auto bound = [&](const Policy& p) { return subject_.binding >= p.terms.min_binding; };
    const Match end = first([&](const Policy& p) { return concerns(p) && (p.anyone || bound(p)); });
    const bool open = end.policy != kNone && !policy(end.policy).deny && bound(policy(end.policy));
    Verdict v;
    if (open) {
      v = verdict(VerdictKind::sign_in, subject_.clock_set_back ? Reason::clock_set_back : Reason::no_sign_in,
                  end);
    } else {
      const Match weak = first([&](const Policy& p) { return concerns(p) && !p.deny; });
      if (weak.policy != kNone && weak.policy <= end.policy) {
        v = verdict(VerdictKind::deny, Reason::binding_too_weak, weak);
      } else {
        v = verdict(VerdictKind::deny, end.policy == kNone ? Reason::no_policy : Reason::denied_by_policy,
                    end);
      }
    }
    v.until = next_hours(end, concerns);
    return v;
  }

  Verdict for_user(const User& user) const {
    const auto concerns = [&](const Policy& p) { return names_user(p, user); };
    const Match m = first(concerns);
    Verdict v = m.policy == kNone       ? verdict(VerdictKind::deny, Reason::no_policy, m)
                : policy(m.policy).deny ? verdict(VerdictKind::deny, Reason::denied_by_policy, m)
                                        : by_terms(m);
    v.until = std::min(v.until, next_hours(m, concerns));
    v.age = std::max(now_ - bounded(subject_.presence->signed_in), Millis(0));
    return v;
  }

  // An allow policy matches this user: is the sign-in good enough for its terms?
  Verdict by_terms(const Match& m) const {
    const Terms& terms = policy(m.policy).terms;
    const Presence& presence = *subject_.presence;
    if (subject_.binding < terms.min_binding) return verdict(VerdictKind::deny, Reason::binding_too_weak, m);
    const WallTime signed_in = bounded(presence.signed_in);
    if (signed_in > now_ + kClockJitter) return verdict(VerdictKind::sign_in, Reason::clock_set_back, m);
    // A sign-in slightly ahead of the clock is of age 0: it counts from now and not for longer.
    WallTime until = std::min(signed_in, now_) + longest_age(terms);
    if (now_ >= until) return verdict(VerdictKind::sign_in, Reason::expired, m);
    if (terms.mfa) {
      if (!presence.second_factor) return verdict(VerdictKind::step_up, Reason::second_factor_missing, m);
      const WallTime factor = bounded(*presence.second_factor);
      const WallTime factor_end = std::min(factor, now_) + burst_if_zero(*terms.mfa);
      if (factor > now_ + kClockJitter || now_ >= factor_end) {
        return verdict(VerdictKind::step_up, Reason::second_factor_expired, m);
      }
      until = std::min(until, factor_end);
    }
    Verdict v = verdict(VerdictKind::allow, Reason::fresh, m);
    v.until = until;
    return v;
  }

  // `session = 0` is the burst that one sign-in serves (semantics 4); the office's ceiling only ever
  // shortens.
  Seconds longest_age(const Terms& terms) const {
    const Seconds session = burst_if_zero(terms.session);
    return data().session_max ? std::min(session, burst_if_zero(*data().session_max)) : session;
  }

  const Office& office_;
  const Subject& subject_;
  const WallTime now_;
  const Resources& resources_;
};

}  // namespace

Verdict decide(const Office& office, const Subject& subject, const Destination& destination,
               WallTime now) noexcept {
  const auto resources = [&](auto&& visit) {
    office.each_resource(destination.address, destination.port, destination.protocol, visit);
  };
  return Judge(office, subject, now, resources).run();
}

Verdict decide_resource(const Office& office, const Subject& subject, const Resource& resource,
                        WallTime now) noexcept {
  const Resource* ours = office.resource(resource.id);
  if (ours == nullptr) return Verdict{.kind = VerdictKind::deny, .reason = Reason::no_policy};
  const auto index = static_cast<std::uint32_t>(ours - office.data().resources.data());
  const auto resources = [index](auto&& visit) { visit(index); };
  return Judge(office, subject, now, resources).run();
}

}  // namespace nightlatch
