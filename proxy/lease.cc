#include "proxy/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "policy/special_address.h"

namespace nightlatch {

namespace {
BootTime boot_of(WallTime when, WallTime wall, BootTime boot) {
  return when == kNever ? BootTime::max() : boot + std::max(when - wall, Millis(0));
}

constexpr std::size_t kMostNames = 8;

bool out_of_time(const Ruling& r) {
  return r.readable && (r.reason == Reason::expired || r.reason == Reason::second_factor_expired ||
                        r.reason == Reason::proof_expired);
}

// A person's flow does not become a machine's, nor the other way round.
bool same_subject(const Ruling& a, const Ruling& b) {
  return a.user == b.user && a.by_machine == b.by_machine;
}
}  // namespace

Lease::Lease(FlowHost& host, std::string flow, Endpoint source, Endpoint destination, Protocol protocol,
             Way way)
    : host_(host),
      flow_(std::move(flow)),
      from_(source),
      to_(destination),
      protocol_(protocol),
      way_(way),
      own_(way == Way::asked && leads_to(to_.address, host.own_addresses())),
      inward_(way == Way::asked && (own_ || is_special(to_.address))),
      opened_(BootClock::now()),
      active_(opened_) {}

std::string_view to_text(NamedBy by) {
  switch (by) {
    case NamedBy::unheard:
      break;
    case NamedBy::asked:
      return "asked";
    case NamedBy::http:
      return "http";
    case NamedBy::tls:
      return "tls";
    case NamedBy::quic:
      return "quic";
    case NamedBy::dns:
      return "dns";
    case NamedBy::none:
      return "none";
    case NamedBy::encrypted:
      return "encrypted";
  }
  return "";
}

void Lease::name(const WireName& host, NamedBy by) {
  named_by_ = by;
  if (by == NamedBy::asked) {
    names_.assign(1, host);
    asked_by_name_ = true;
  } else if (names_.size() < kMostNames && std::find(names_.begin(), names_.end(), host) == names_.end()) {
    names_.push_back(host);
  }
  if (host_.judge().is_named(host.text())) host_.heard(host);
}

void Lease::unnamed(NamedBy why) {
  if (named_by_ == NamedBy::unheard) named_by_ = why;
  for (const WireName& host : host_.told(source_, to_.address)) name(host, NamedBy::dns);
}

Ruling Lease::verdict(WallTime now) {
  std::array<std::string_view, kMostNames> names;
  std::transform(names_.begin(), names_.end(), names.begin(), [](const WireName& n) { return n.text(); });
  const Destination to{.address = to_.address,
                       .port = to_.port,
                       .protocol = protocol_,
                       .names = std::span(names).first(names_.size()),
                       .found_by = asked_by_name_ ? 1U : 0U};
  Ruling r = host_.judge().judge(source_, to, now);
  if (way_ == Way::asked) r.direct = inward_ && r.resource == ResourceId::none;
  return r;
}

bool Lease::judge(WallTime now) {
  source_ = host_.judge().identify(from_.address);
  source_.credential = credential_;
  return judge_again(now);
}

bool Lease::judge_again(WallTime now) {
  ruling_ = verdict(now);
  return ruling_.passes();
}

std::string Lease::owner() const {
  return protocol_ == Protocol::udp && from_nobody() ? "*" : source_.text();
}

// Sources that may be made up share one row: a flood of them fills no log.
bool Lease::audit_refusal() {
  const bool judged = ruling_.readable && !ruling_.direct;
  const std::string what =
      judged ? fmt::format("{}/{}", ruling_.resource_name, to_text(ruling_.kind)) : std::string("unjudged");
  if (!host_.log_refusal(fmt::format("{}/{}", owner(), what))) return false;
  AuditEvent e = event("flow.refused");
  if (!judged)
    e.reason = !ruling_.direct      ? "store_unreadable"
               : way_ == Way::asked ? "special_address"
                                    : "direct_connection";
  host_.audit().write(std::move(e));
  return true;
}

void Lease::audit_unreadable() {
  if (!host_.log_refusal(owner() + "/unreadable")) return;
  AuditEvent e = event("flow.refused");
  e.verdict = to_text(VerdictKind::deny);
  e.reason = "unreadable_name";
  host_.audit().write(std::move(e));
}

void Lease::begin() {
  begun_ = true;
  ++host_.counters().allowed;
  active_ = BootClock::now();
  promise();
  const bool hidden = named_by_ == NamedBy::none || named_by_ == NamedBy::encrypted;
  if (!unremarkable()) {
    on_record_ = true;
    host_.audit().write(event(ruling_.observed ? "flow.observed" : "flow.open"));
  } else if (hidden && host_.log_refusal(owner() + "/unnamed")) {
    host_.audit().write(event("flow.unnamed"));
  }
}

bool Lease::unremarkable() const {
  return !on_record_ && way_ == Way::intercepted && concerns_nobody(ruling_.reason);
}

void Lease::end(std::string_view cause) {
  if (unremarkable()) return;
  // A datagram that makes no flow is no news each time.
  if (!begun_ && protocol_ == Protocol::udp && !host_.log_refusal(fmt::format("{}/{}", owner(), cause)))
    return;
  AuditEvent e = event("flow.end");
  e.detail = cause;
  e.bytes_up = static_cast<std::int64_t>(up_);
  e.bytes_down = static_cast<std::int64_t>(down_);
  const BootTime now = BootClock::now();
  e.duration_ms = (now - opened_).count();
  if (term_ != Term::within) {
    e.detail += fmt::format("; overstayed {} s, {} bytes", (now - overstay_since_).count() / 1000,
                            up_ + down_ - overstay_from_);
  }
  host_.audit().write(std::move(e));
}

// An answer from the gate itself to a client's address would leave by the LAN instead of coming back; and a
// client of a proxy may ask for a server of the other family.
const IpAddress* Lease::upstream_source() const {
  const bool possible = !own_ && from_.address.is_v4() == to_.address.is_v4();
  return possible && host_.judge().client_source() ? &from_.address : nullptr;
}

void Lease::moved(std::uint64_t up, std::uint64_t down) {
  up_ += up;
  down_ += down;
  host_.counters().bytes += up + down;
  active_ = BootClock::now();
}

void Lease::promise() {
  deadline_ = boot_of(ruling_.observed ? kNever : ruling_.until, wall_now(), BootClock::now());
}

BootTime Lease::due() const {
  return ruling_.idle ? std::min(deadline_, active_ + Millis(*ruling_.idle)) : deadline_;
}

Lease::Cause Lease::at_due() {
  const BootTime now = BootClock::now();
  if (ruling_.idle && now >= active_ + Millis(*ruling_.idle)) return "idle";
  if (now >= deadline_) return ran_out(wall_now());
  return std::nullopt;
}

// The deadline has come: the session may have been renewed meanwhile; otherwise on_expiry says what happens.
Lease::Cause Lease::ran_out(WallTime now) {
  if (term_ != Term::within) {
    return term_ == Term::draining ? "expired, drained" : "expired, kept to the limit";
  }
  const Ruling held = ruling_;
  const Ruling again = verdict(now);
  if (again.passes() && same_subject(again, held)) {
    ruling_ = again;
    promise();
    return std::nullopt;
  }
  if (!out_of_time(again) || held.on_expiry.kind == Expiry::Kind::close) {
    return again.readable ? to_text(again.reason) : "store_unreadable";
  }
  term_ = held.on_expiry.kind == Expiry::Kind::drain ? Term::draining : Term::overstaying;
  overstay_since_ = BootClock::now();
  overstay_from_ = up_ + down_;
  deadline_ = overstay_since_ + Millis(held.on_expiry.limit);
  AuditEvent e = event(term_ == Term::draining ? "flow.draining" : "flow.kept");
  e.reason = to_text(again.reason);
  e.detail = fmt::format("until {}", format_rfc3339(now + Millis(held.on_expiry.limit)));
  host_.audit().write(std::move(e));
  return std::nullopt;
}

Lease::Cause Lease::rejudge() {
  const WallTime now = wall_now();
  const Ruling again = verdict(now);
  // A flow that began without a user (unprotected, or only observed) is nobody's to lose.
  const bool nobodys = ruling_.user == UserId::none && !ruling_.by_machine;
  const bool same_user = same_subject(again, ruling_) || nobodys;
  if (again.passes() && (same_user || again.observed || concerns_nobody(again.reason))) {
    term_ = Term::within;  // renewed in time: as if it had never run out
    ruling_ = again;
    if (begun_) promise();
    return std::nullopt;
  }
  // A session that has run out in the ordinary way is the deadline's business, not a revocation: the deadline
  // that was promised has come, or the flow is in the time that on_expiry gives it. Anything else cuts at
  // once (semantics 6).
  const bool expired = out_of_time(again) && same_subject(again, ruling_);
  if (expired && term_ != Term::within && again.on_expiry == ruling_.on_expiry) return std::nullopt;
  if (expired && term_ == Term::within && now >= ruling_.until && begun_) return ran_out(now);
  if (!again.readable) return "store_unreadable";
  if (again.passes() || (again.user != UserId::none && again.user != ruling_.user)) return "hand_over";
  return expired ? "policy_tightened" : to_text(again.reason);
}

Lease::Cause Lease::on_neighbour(const IpAddress& address, const Mac& mac) const {
  if (address != source_.address || source_.mac == mac) return std::nullopt;
  return "address_taken_over";
}

Lease::Cause Lease::recheck_neighbour() const {
  if (!source_.mac) return std::nullopt;
  const auto mac = host_.judge().neighbours().mac_of(source_.address);
  return mac ? on_neighbour(source_.address, *mac) : std::nullopt;
}

AuditEvent Lease::event(std::string_view name) const {
  AuditEvent e;
  e.at = wall_now();
  e.event = name;
  e.user = ruling_.user_name;
  e.device = ruling_.device_name;
  e.resource = ruling_.resource_name;
  e.policy = ruling_.policy_name;
  e.machine = ruling_.machine;
  e.verdict = to_text(ruling_.kind);
  e.reason = to_text(ruling_.reason);
  e.source = from_.text();
  e.destination = to_.text();
  if (protocol_ == Protocol::udp) e.destination += "/udp";
  for (const WireName& host : names_) e.name += (e.name.empty() ? "" : ", ") + std::string(host.text());
  e.named_by = to_text(named_by_);
  e.flow = flow_;
  return e;
}

}  // namespace nightlatch
