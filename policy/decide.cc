#include "policy/decide.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "policy/found_resources.h"
#include "policy/proofs.h"

namespace nightlatch {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr Seconds kLongest{100LL * 366 * 86400};

Seconds burst_if_zero(Seconds s) { return s <= Seconds(0) ? kEveryTimeBurst : std::min(s, kLongest); }

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
        token_(in_force()),
        machine_(token_ != nullptr && token_->user == UserId::none),
        device_(judged_device()),
        presence_(counting()),
        user_(known_user()),
        placed_(token_ != nullptr ? std::max(subject.binding, Binding::credential) : subject.binding),
        certified_until_(certified_until(office, subject, now)),
        binding_(now_ < certified_until_ ? Binding::certificate : placed_) {}

  Verdict run() const {
    if (found_.empty()) {
      return Verdict{.kind = data().unprotected_allowed ? VerdictKind::allow : VerdictKind::deny,
                     .reason = Reason::unprotected};
    }
    Verdict v;
    if (const auto reason = refusal()) {
      v = Verdict{.kind = VerdictKind::deny, .reason = *reason};
    } else if (machine_) {
      Match m;
      v = for_machine(m);
      v.until = std::min(v.until, hours_of_machine(m, m.policy));
    } else {
      v = for_both();
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

  // The token that was sent, if it says who or which machine this is.
  const Token* in_force() const {
    const Token* token = subject_.credential ? subject_.credential->token : nullptr;
    const bool good = token != nullptr && (speaks_for(office_, *token, now_) != nullptr ||
                                           machine_of(office_, *token, now_) != nullptr);
    return good ? token : nullptr;
  }

  // Where the place identifies nobody, a machine's token says which device this is.
  const Device* judged_device() const {
    const bool nobody = subject_.device == nullptr || subject_.device->shared;
    return machine_ && nobody ? office_.device(token_->device) : subject_.device;
  }

  // The sign-in that counts: beside a credential only its user's.
  const Presence* counting() const {
    if (!subject_.presence || subject_.clock_set_back) return nullptr;
    if (token_ != nullptr && token_->user != subject_.presence->user) return nullptr;
    return &*subject_.presence;
  }

  std::optional<Reason> refusal() const {
    if (device_ == nullptr && data().enrol == Enrol::closed) return Reason::not_enrolled;
    for (const Device* d : {subject_.device, device_}) {
      if (d != nullptr && d->state == DeviceState::revoked) return Reason::device_revoked;
      if (d != nullptr && d->state == DeviceState::pending) return Reason::device_pending;
    }
    if (subject_.credential && token_ == nullptr) return Reason::bad_credential;
    if (machine_ && !at_home(subject_.device, *office_.device(token_->device)))
      return Reason::credential_elsewhere;
    if (device_ != nullptr && device_->shared && binding_ < Binding::credential) return Reason::shared_device;
    if (token_ != nullptr && !within_limits(*token_)) return Reason::token_not_for_resource;
    if (machine_ && subject_.clock_set_back) return Reason::clock_set_back;
    return std::nullopt;
  }

  bool within_limits(const Token& token) const {
    if (!token.limited) return true;
    const auto& limits = token.resources;
    bool within = false;
    found_.each([&](std::uint32_t r) {
      within = within || std::find(limits.begin(), limits.end(), resource(r)->id) != limits.end();
    });
    return within;
  }

  std::optional<Office::UserFacts> known_user() const {
    if (machine_) return std::nullopt;
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

  // The next instant at which the hours of a policy up to m and `last`, of those that concern us, begin or
  // end.
  template <typename Concerns>
  WallTime next_hours(const Match& m, std::uint32_t last, const Concerns& concerns) const {
    WallTime next = kNever;
    if (!m.hours) return next;
    last = std::min(last, m.policy);
    found_.each([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (i > last) break;
        const Facts& p = facts(i);
        if (p.has_hours && concerns(p)) next = std::min(next, hours(i).next_change(now_, data().utc_offset));
      }
    });
    return next;
  }
  WallTime hours_of_person(const Match& m, std::uint32_t last) const {
    return next_hours(m, last, [this](const Facts& p) { return concerns_person(p); });
  }
  WallTime hours_of_machine(const Match& m, std::uint32_t last) const {
    return next_hours(m, last, [this](const Facts& p) { return best_proof(p).named; });
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

  // Whoever may be at the device, and what the device has proven: each is judged by its own first policy. A
  // policy that lets one of them in, or that refuses one who is known to be there, decides if no other did
  // before it. One whose terms are not met decides for nobody but its own.
  Verdict for_both() const {
    Match p, m;
    const Verdict person = for_person(p);
    const Verdict machine = for_machine(m);
    const bool machine_first = m.policy < p.policy;
    const auto& first = machine_first ? machine : person;
    const auto& second = machine_first ? person : machine;
    const auto refuses = [&](const Verdict& v) {
      return v.reason == Reason::denied_by_policy && (user_ || &v == &machine);
    };
    const bool asks = person.kind == VerdictKind::sign_in || person.kind == VerdictKind::step_up;
    Verdict v;
    std::uint32_t decided = kNone;  // by the policy at this place
    if (first.kind == VerdictKind::allow || refuses(first)) {
      v = first;
      decided = std::min(p.policy, m.policy);
    } else if (second.kind == VerdictKind::allow || (refuses(second) && !asks)) {
      v = second;
      decided = std::max(p.policy, m.policy);
    } else {
      v = !asks && m.policy != kNone ? machine : person;
      if (v.reason == Reason::no_policy && for_machines_only()) v.reason = Reason::machines_only;
    }
    v.until = std::min({v.until, hours_of_person(p, decided), hours_of_machine(m, decided)});
    return v;
  }

  bool concerns_person(const Facts& p) const {
    if (user_) return office_.names(p, *user_);
    return p.deny ? p.anyone : p.somebody;
  }
  Verdict for_person(Match& m) const { return user_ ? for_user(m) : for_nobody(m); }

  // Nobody is known: ask for a sign-in where some person could get in, whoever that may be.
  Verdict for_nobody(Match& end) const {
    // An allow that wants a stronger binding lets nobody in from here; it ends the search only if it takes
    // everybody.
    const auto bound = [&](const Facts& p) { return binding_ >= p.min_binding; };
    end = first([&](const Facts& p) { return concerns_person(p) && (p.anyone || bound(p)); });
    const bool open = end.policy != kNone && !facts(end.policy).deny && bound(facts(end.policy));
    if (open) return nobody_signed_in(end);
    const Match weak = first([&](const Facts& p) { return concerns_person(p) && !p.deny; });
    if (weak.policy != kNone && weak.policy <= end.policy)
      return verdict(VerdictKind::deny, Reason::binding_too_weak, weak);
    return verdict(VerdictKind::deny, end.policy == kNone ? Reason::no_policy : Reason::denied_by_policy,
                   end);
  }

  Verdict for_user(Match& m) const {
    m = first([this](const Facts& p) { return concerns_person(p); });
    Verdict v = m.policy == kNone      ? verdict(VerdictKind::deny, Reason::no_policy, m)
                : facts(m.policy).deny ? verdict(VerdictKind::deny, Reason::denied_by_policy, m)
                                       : by_terms(m);
    if (presence_ != nullptr) v.age = std::max(now_ - bounded(presence_->signed_in), Millis(0));
    return v;
  }

  // Of the proofs that a policy names, the one that lasts longest there.
  struct Named {
    bool named = false;
    Proof proof;
    WallTime proven = kEarliest, void_from = kEarliest;
  };
  Named best_proof(const Facts& policy) const {
    Named best;
    if (!policy.machine || subject_.clock_set_back || device_ == nullptr) return best;
    const Seconds session = longest_age(policy);
    const auto consider = [&](const Proof& p) {
      if (!office_.accepts(policy, p)) return;
      const auto ends = void_from(office_, p, device_->id, now_);
      if (!ends || (p.token != TokenId::none && !within_limits(*office_.token(p.token)))) return;
      const WallTime proven = std::min(bounded(p.proven), now_);
      const bool better = std::min(proven + session, *ends) > std::min(best.proven + session, best.void_from);
      if (!best.named || better) best = {true, p, proven, *ends};
    };
    if (machine_) {
      consider({token_->id, CertificateId::none, subject_.credential->sent});
    } else if (!subject_.credential && !device_->shared) {
      for (const Proof& p : subject_.proofs) consider(p);
    }
    return best;
  }

  Verdict for_machine(Match& m) const {
    if (machine_ || !subject_.proofs.empty())
      m = first([this](const Facts& p) { return best_proof(p).named; });
    if (m.policy == kNone) return verdict(VerdictKind::deny, Reason::no_policy, m);
    const Facts& terms = facts(m.policy);
    const Named best = best_proof(terms);
    const WallTime until = std::min(best.proven + longest_age(terms), best.void_from);
    Verdict v;
    if (terms.deny) {
      v = verdict(VerdictKind::deny, Reason::denied_by_policy, m);
    } else if (binding_ < terms.min_binding) {
      v = verdict(VerdictKind::deny, Reason::binding_too_weak, m);
    } else if (terms.has_mfa) {  // no machine has one
      v = verdict(VerdictKind::deny, Reason::second_factor_missing, m);
    } else if (now_ >= until) {
      v = verdict(VerdictKind::deny, Reason::proof_expired, m);
    } else {
      v = verdict(VerdictKind::allow, Reason::fresh, m);
      v.until = until;
      v = bound_until(v, m);
    }
    if (v.kind == VerdictKind::allow || v.reason == Reason::proof_expired) {
      v.token = best.proof.token;
      v.certificate = best.proof.certificate;
    }
    v.age = now_ - best.proven;
    return v;
  }

  // Every policy that lets anybody in there lets in machines.
  bool for_machines_only() const {
    bool machines = false, persons = false;
    found_.each([&](std::uint32_t r) {
      for (const std::uint32_t i : office_.policies_of(r)) {
        if (facts(i).deny) continue;
        persons = persons || facts(i).somebody;
        machines = machines || facts(i).machine;
      }
    });
    return machines && !persons;
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
    return bound_until(v, m);
  }

  // Where only a certificate ties the flow strongly enough, the verdict holds no longer than that does.
  Verdict bound_until(Verdict v, const Match& m) const {
    if (placed_ < facts(m.policy).min_binding) v.until = std::min(v.until, certified_until_);
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
  const FoundResources<Look> found_;
  const Token* const token_;        // that says who or which machine this is, or nullptr
  const bool machine_;              // which machine
  const Device* const device_;      // that is judged, or nullptr
  const Presence* const presence_;  // that counts, or nullptr
  const std::optional<Office::UserFacts> user_;
  const Binding placed_;  // without a certificate
  const WallTime certified_until_;
  const Binding binding_;
};

// The address and the name, or two names, of one flow.
Verdict both(const Verdict& a, const Verdict& b) {
  if (a.kind != b.kind) return a.kind > b.kind ? a : b;
  Verdict v = b.until < a.until ? b : a;
  if (!a.by_machine() || !b.by_machine()) {  // a person was let in by one of the two: the flow is theirs
    v.token = TokenId::none;
    v.certificate = CertificateId::none;
  }
  v.on_expiry = std::min(a.on_expiry, b.on_expiry);  // close, drain, keep; then the shorter
  v.idle = !a.idle || !b.idle ? (a.idle ? a.idle : b.idle) : std::min(a.idle, b.idle);
  return v;
}

}  // namespace

Verdict decide(const Office& office, const Subject& subject, const Destination& destination,
               WallTime now) noexcept {
  const auto by_address = [&](auto&& visit) {
    office.each_resource(destination.address, destination.port, destination.protocol, visit);
  };
  const auto providers = office.providers_at(destination.address, destination.port, destination.protocol);
  Verdict v = !providers.empty() ? Verdict{.kind = VerdictKind::allow, .reason = Reason::identity_provider}
                                 : Judge(office, subject, now, by_address).run();
  for (std::size_t i = 0; i < destination.names.size(); ++i) {
    const std::string_view name = destination.names[i];
    if (std::any_of(providers.begin(), providers.end(),
                    [name](const ProviderPlace& p) { return p.host == name; }))
      continue;
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
