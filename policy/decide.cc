#include "policy/decide.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace nightlatch {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr Millis kClockJitter{
    2000};  // a sign-in so far ahead of now is still "just now", not a clock set back

// Times and lengths are brought into a range in which no sum or difference of them overflows, whatever the
// store holds.
constexpr WallTime kEarliest{Millis(0)};
constexpr WallTime kLatest{kNever.time_since_epoch() / 2};
constexpr Seconds kLongest{100LL * 366 * 86400};
WallTime bounded(WallTime t) { return std::clamp(t, kEarliest, kLatest); }

Seconds burst_if_zero(Seconds s) { return s <= Seconds(0) ? kEveryTimeBurst : std::min(s, kLongest); }

// The resources of one destination, found once. The few that are usual are kept here; a destination that lies
// in more is looked up again for each pass, so that nothing is allocated.
template <typename Look>
class Found {
 public:
  explicit Found(const Look& look) : look_(look) {
    look_([this](std::uint32_t r) {
      if (count_ < kept_.size()) kept_[count_] = r;
      ++count_;
    });
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }

  template <typename Visit>
  void each(const Visit& visit) const {
    if (count_ > kept_.size()) return look_(visit);
    for (std::size_t i = 0; i < count_; ++i) visit(kept_[i]);
  }

 private:
  const Look& look_;
  std::size_t count_ = 0;
  std::array<std::uint32_t, 16> kept_;  // NOLINT: only the first count_ are ever read
};

// One decision. Look is called as look(visit) and calls visit(index) for each resource of the destination; it
// may repeat an index.
template <typename Look>
class Judge {
 public:
  using Facts = Office::PolicyFacts;

  Judge(const Office& office, const Subject& subject, WallTime now, const Look& look)
      : office_(office),
        subject_(subject),
        now_(bounded(now)),
        found_(look),
        token_(proven()),
        presence_(counting()),
        binding_(token_ != nullptr ? std::max(subject.binding, Binding::credential) : subject.binding) {}

  Verdict run() const {
    if (found_.empty()) {
      return Verdict{.kind = data().unprotected_allowed ? VerdictKind::allow : VerdictKind::deny,
                     .reason = Reason::unprotected};
    }
    Verdict v;
    if (const auto reason = refusal()) {
      v = Verdict{.kind = VerdictKind::deny, .reason = *reason};
    } else if (const auto user = known_user()) {
      v = for_user(*user);
    } else {
      v = for_nobody();
    }
    if (v.resource == nullptr) {
      std::uint32_t lowest = kNone;
      found_.each([&](std::uint32_t r) { lowest = std::min(lowest, r); });
      v.resource = resource(lowest);
    }
    if (token_ != nullptr && token_->expires) v.until = std::min(v.until, bounded(*token_->expires));
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
  const Facts& facts(std::uint32_t policy) const { return office_.facts(policy); }
  const Hours& hours(std::uint32_t policy) const { return *data().policies[policy].terms.hours; }

  bool active(std::uint32_t policy) const {
    return !facts(policy).has_hours || hours(policy).contains(now_, data().utc_offset);
  }

  // The token that was sent, if it says who this is.
  const Token* proven() const {
    const Token* token = subject_.credential ? subject_.credential->token : nullptr;
    return token != nullptr && speaks_for(office_, *token, now_) != nullptr ? token : nullptr;
  }

  // The sign-in that counts: beside a credential only its user's.
  const Presence* counting() const {
    if (!subject_.presence || subject_.clock_set_back) return nullptr;
    if (token_ != nullptr && token_->user != subject_.presence->user) return nullptr;
    return &*subject_.presence;
  }

  std::optional<Reason> refusal() const {
    const Device* device = subject_.device;
    if (device == nullptr && data().enrol == Enrol::closed) return Reason::not_enrolled;
    if (device != nullptr && device->state == DeviceState::revoked) return Reason::device_revoked;
    if (device != nullptr && device->state == DeviceState::pending) return Reason::device_pending;
    if (subject_.credential && token_ == nullptr) return Reason::bad_credential;
    if (device != nullptr && device->shared && binding_ < Binding::credential) return Reason::shared_device;
    if (token_ != nullptr && token_->limited && !within_limits()) return Reason::token_not_for_resource;
    return std::nullopt;
  }

  bool within_limits() const {
    const auto& limits = token_->resources;
    bool within = false;
    found_.each([&](std::uint32_t r) {
      within = within || std::find(limits.begin(), limits.end(), resource(r)->id) != limits.end();
    });
    return within;
  }

  std::optional<Office::UserFacts> known_user() const {
    if (token_ != nullptr) return office_.user_facts(token_->user);
    if (presence_ == nullptr) return std::nullopt;
    const auto user = office_.user_facts(presence_->user);
    return user && user->enabled ? user : std::nullopt;
  }

  // The first policy, by position, that is active and decides(policy); over all resources of the destination.
  template <typename Decides>
  Match first(const Decides& decides) const {
    Match m;
    found_.each([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (i > m.policy) break;
        const Facts& p = facts(i);
        m.hours = m.hours || p.has_hours;
        if (!decides(p) || !active(i)) continue;
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
    found_.each([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (i > m.policy) break;
        const Facts& p = facts(i);
        if (p.has_hours && concerns(p)) next = std::min(next, hours(i).next_change(now_, data().utc_offset));
      }
    });
    return next;
  }

  Verdict verdict(VerdictKind kind, Reason reason, const Match& m) const {
    Verdict v{.kind = kind, .reason = reason};
    if (m.policy == kNone) return v;
    v.policy = &data().policies[m.policy];
    v.on_expiry = v.policy->terms.on_expiry;
    v.idle = v.policy->terms.idle;
    v.resource = resource(m.resource);
    v.session = facts(m.policy).session;
    if (data().session_max) v.session = std::min(v.session, *data().session_max);
    v.session = std::max(v.session, Seconds(0));
    return v;
  }

  Verdict nobody_signed_in(const Match& m) const {
    return verdict(VerdictKind::sign_in,
                   subject_.clock_set_back ? Reason::clock_set_back : Reason::no_sign_in, m);
  }

  // Nobody is known: ask for a sign-in where some person could get in, whoever that may be.
  Verdict for_nobody() const {
    const auto concerns = [](const Facts& p) { return p.deny ? p.anyone : p.somebody; };
    // An allow that wants a stronger binding lets nobody in from here; it ends the search only if it takes
    // everybody.
    const auto bound = [&](const Facts& p) { return binding_ >= p.min_binding; };
    const Match end = first([&](const Facts& p) { return concerns(p) && (p.anyone || bound(p)); });
    const bool open = end.policy != kNone && !facts(end.policy).deny && bound(facts(end.policy));
    Verdict v;
    if (open) {
      v = nobody_signed_in(end);
    } else {
      const Match weak = first([&](const Facts& p) { return concerns(p) && !p.deny; });
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

  Verdict for_user(const Office::UserFacts& user) const {
    const auto concerns = [&](const Facts& p) { return office_.names(p, user); };
    const Match m = first(concerns);
    Verdict v = m.policy == kNone      ? verdict(VerdictKind::deny, Reason::no_policy, m)
                : facts(m.policy).deny ? verdict(VerdictKind::deny, Reason::denied_by_policy, m)
                                       : by_terms(m);
    v.until = std::min(v.until, next_hours(m, concerns));
    if (presence_ != nullptr) v.age = std::max(now_ - bounded(presence_->signed_in), Millis(0));
    return v;
  }

  // An allow policy matches this user: is the sign-in good enough for its terms?
  Verdict by_terms(const Match& m) const {
    const Facts& terms = facts(m.policy);
    if (binding_ < terms.min_binding) return verdict(VerdictKind::deny, Reason::binding_too_weak, m);
    if (presence_ == nullptr) return nobody_signed_in(m);  // a credential says who, but not when
    const Presence& presence = *presence_;
    const WallTime signed_in = bounded(presence.signed_in);
    if (signed_in > now_ + kClockJitter) return verdict(VerdictKind::sign_in, Reason::clock_set_back, m);
    // A sign-in slightly ahead of the clock is of age 0: it counts from now and not for longer.
    WallTime until = std::min(signed_in, now_) + longest_age(terms);
    if (now_ >= until) return verdict(VerdictKind::sign_in, Reason::expired, m);
    if (terms.has_mfa) {
      if (!presence.second_factor) return verdict(VerdictKind::step_up, Reason::second_factor_missing, m);
      const WallTime factor = bounded(*presence.second_factor);
      const WallTime factor_end = std::min(factor, now_) + burst_if_zero(terms.mfa);
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
  Seconds longest_age(const Facts& terms) const {
    const Seconds session = burst_if_zero(terms.session);
    return data().session_max ? std::min(session, burst_if_zero(*data().session_max)) : session;
  }

  const Office& office_;
  const Subject& subject_;
  const WallTime now_;
  const Found<Look> found_;
  const Token* const token_;        // that says who this is, or nullptr
  const Presence* const presence_;  // that counts, or nullptr
  const Binding binding_;
};

// The address and the name, or two names, of one flow.
Verdict both(const Verdict& a, const Verdict& b) {
  if (a.kind != b.kind) return a.kind > b.kind ? a : b;
  Verdict v = b.until < a.until ? b : a;
  v.on_expiry = std::min(a.on_expiry, b.on_expiry);  // close, drain, keep; then the shorter
  v.idle = !a.idle || !b.idle ? (a.idle ? a.idle : b.idle) : std::min(a.idle, b.idle);
  return v;
}

}  // namespace

const User* speaks_for(const Office& office, const Token& token, WallTime now) noexcept {
  if (token.revoked || (token.expires && bounded(now) >= bounded(*token.expires))) return nullptr;
  const User* user = office.user(token.user);
  return user != nullptr && user->enabled ? user : nullptr;
}

Verdict decide(const Office& office, const Subject& subject, const Destination& destination,
               WallTime now) noexcept {
  const auto by_address = [&](auto&& visit) {
    office.each_resource(destination.address, destination.port, destination.protocol, visit);
  };
  const bool provider = office.is_provider(destination.address, destination.port, destination.protocol);
  Verdict v = provider ? Verdict{.kind = VerdictKind::allow, .reason = Reason::identity_provider}
                       : Judge(office, subject, now, by_address).run();
  for (std::size_t i = 0; i < destination.names.size(); ++i) {
    const std::string_view name = destination.names[i];
    if (provider && office.is_provider_host(name)) continue;
    const auto by_name = [&](auto&& visit) {
      office.each_named(name, destination.port, destination.protocol, visit);
    };
    const Verdict named = Judge(office, subject, now, by_name).run();
    if (named.reason == Reason::unprotected) continue;
    if (v.reason == Reason::unprotected) {
      if (v.kind == VerdictKind::allow || i < destination.found_by) v = named;
    } else {
      v = both(v, named);
    }
  }
  return v;
}

Verdict decide_resource(const Office& office, const Subject& subject, const Resource& resource,
                        WallTime now) noexcept {
  const Resource* ours = office.resource(resource.id);
  if (ours == nullptr) return Verdict{.kind = VerdictKind::deny, .reason = Reason::no_policy};
  const auto index = static_cast<std::uint32_t>(ours - office.data().resources.data());
  const auto look = [index](auto&& visit) { visit(index); };
  return Judge(office, subject, now, look).run();
}

}  // namespace nightlatch
