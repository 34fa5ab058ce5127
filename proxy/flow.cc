// The life of an allowed flow; refused ones are in flow_refused.cc.
#include "proxy/flow.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nightlatch {

namespace {
constexpr Millis kConnectTimeout{10'000};
constexpr std::size_t kBudget = 512UL * 1024;  // bytes that one flow moves before the others have their turn

BootTime boot_of(WallTime when, WallTime wall, BootTime boot) {
  return when == kNever ? BootTime::max() : boot + std::max(when - wall, Millis(0));
}
}  // namespace

Flow::Flow(Host& host, std::string id, Accepted accepted)
    : host_(host),
      id_(std::move(id)),
      accepted_(std::move(accepted)),
      opened_(BootClock::now()),
      active_(opened_) {
  legs_[Relay::client] = {this, Relay::client};
  legs_[Relay::upstream] = {this, Relay::upstream};
  timer_.flow = this;
}

void Flow::start() {
  const WallTime now = wall_now();
  source_ = host_.judge().identify(accepted_.source.address);
  ruling_ = host_.judge().judge(source_, destination(), now);
  if (ruling_.passes()) {
    connect();
    return;
  }
  ++host_.counters().refused;
  if (!ruling_.readable || ruling_.direct) {
    if (host_.log_refusal(fmt::format("{}/unjudged", source_.text()))) {
      AuditEvent e = event("flow.refused");
      e.reason = ruling_.direct ? "direct_connection" : "store_unreadable";
      host_.audit().write(std::move(e));
    }
    close_refused(true);
    return;
  }
  if (host_.log_refusal(
          fmt::format("{}/{}/{}", source_.text(), ruling_.resource_name, to_text(ruling_.kind)))) {
    host_.audit().write(event("flow.refused"));
  }
  if (host_.counters().refusing >= host_.most_refusing() ||
      !host_.watch(*this, Relay::client, accepted_.fd.get())) {
    close_refused(true);
    return;
  }
  ++host_.counters().refusing;
  counted_ = true;
  state_ = State::listening;
  set_timer(Millis(300));
}

void Flow::connect() {
  const IpAddress* source = host_.judge().client_source() ? &accepted_.source.address : nullptr;
  auto upstream = connect_upstream(accepted_.destination, source, accepted_.source.port);
  if (!upstream) {
    end(upstream.error().message, true);
    return;
  }
  upstream_ = std::move(*upstream);
  state_ = State::connecting;
  set_timer(kConnectTimeout);
  // Only the upstream is watched: the client's bytes wait in the kernel until there is somebody to take them.
  if (!host_.watch(*this, Relay::upstream, upstream_.get())) end("too many descriptors", true);
}

void Flow::connected() {
  if (const int error = pending_error(upstream_.get()); error != 0) {
    end(fmt::format("upstream: {}", std::strerror(error)), true);
    return;
  }
  state_ = State::relaying;
  ++host_.counters().allowed;
  active_ = BootClock::now();
  relay_.attach(accepted_.fd.get(), upstream_.get());
  host_.audit().write(event(ruling_.observed ? "flow.observed" : "flow.open"));
  set_deadline();
  if (!host_.watch(*this, Relay::client, accepted_.fd.get())) {
    end("too many descriptors", true);
    return;
  }
  pump();
}

void Flow::on_ready(Relay::Side side, bool readable, bool writable) {
  switch (state_) {
    case State::connecting:
      if (side == Relay::upstream && (writable || readable)) connected();
      break;
    case State::relaying:
      if (readable) relay_.readable(side);
      if (writable) relay_.writable(side);
      pump();
      break;
    case State::listening:
      hear();
      break;
    case State::answering:
      write_answer();
      break;
    case State::lingering:
      linger();
      break;
    case State::fresh:
    case State::holding:
    case State::done:
      break;
  }
}

void Flow::pump() {
  if (state_ != State::relaying) return;
  const std::uint64_t before = relay_.moved(Relay::client) + relay_.moved(Relay::upstream);
  const Relay::Outcome outcome = relay_.pump(host_.scratch(), kBudget);
  const std::uint64_t moved = relay_.moved(Relay::client) + relay_.moved(Relay::upstream) - before;
  host_.counters().bytes += moved;
  if (moved > 0 && ruling_.idle) active_ = BootClock::now();
  switch (outcome) {
    case Relay::Outcome::idle:
      break;
    case Relay::Outcome::more:
      host_.run_again(*this);
      break;
    case Relay::Outcome::ended:
      end("closed", false);
      break;
    case Relay::Outcome::reset:
      end("reset", true);
      break;
  }
}

void Flow::set_timer(Millis after) { host_.wheel().set(timer_, BootClock::now() + after); }

// The timer of a relaying flow: the session's end or the idle limit, whichever is first.
void Flow::set_deadline() {
  if (term_ == Term::within)
    deadline_ = boot_of(ruling_.observed ? kNever : ruling_.until, wall_now(), BootClock::now());
  BootTime due = deadline_;
  if (ruling_.idle) due = std::min(due, active_ + Millis(*ruling_.idle));
  if (due == BootTime::max()) {
    timer_.unlink();
  } else {
    host_.wheel().set(timer_, due);
  }
}

void Flow::on_timer() {
  switch (state_) {
    case State::connecting:
      end("upstream: no answer", true);
      break;
    case State::relaying: {
      const BootTime now = BootClock::now();
      if (ruling_.idle && now >= active_ + Millis(*ruling_.idle)) {
        cut("idle");
      } else if (now >= deadline_) {
        ran_out(wall_now());
      } else {
        set_deadline();
      }
      break;
    }
    case State::listening:
      refuse_as(said_.give_up());
      break;
    case State::holding:
      answer({});
      break;
    case State::answering:
    case State::lingering:
      close_refused(false);
      break;
    case State::fresh:
    case State::done:
      break;
  }
}

// The deadline has come: the session may have been renewed meanwhile; otherwise on_expiry says what happens.
void Flow::ran_out(WallTime now) {
  if (term_ != Term::within) {
    cut(term_ == Term::draining ? "expired, drained" : "expired, kept to the limit");
    return;
  }
  const Ruling held = ruling_;
  const Ruling again = host_.judge().judge(source_, destination(), now);
  if (again.passes() && again.user == held.user) {
    ruling_ = again;
    set_deadline();
    return;
  }
  const bool ran_out_of_time =
      again.reason == Reason::expired || again.reason == Reason::second_factor_expired;
  if (!again.readable || !ran_out_of_time || held.on_expiry.kind == Expiry::Kind::close) {
    cut(again.readable ? to_text(again.reason) : "store_unreadable");
    return;
  }
  term_ = held.on_expiry.kind == Expiry::Kind::drain ? Term::draining : Term::overstaying;
  overstay_since_ = BootClock::now();
  overstay_bytes_from_ = relay_.moved(Relay::client) + relay_.moved(Relay::upstream);
  deadline_ = overstay_since_ + Millis(held.on_expiry.limit);
  AuditEvent e = event(term_ == Term::draining ? "flow.draining" : "flow.kept");
  e.reason = to_text(again.reason);
  e.detail = fmt::format("until {}", format_rfc3339(now + Millis(held.on_expiry.limit)));
  host_.audit().write(std::move(e));
  set_deadline();
}

void Flow::rejudge() {
  if (!live()) return;
  const WallTime now = wall_now();
  const Ruling again = host_.judge().judge(source_, destination(), now);
  // A flow that began without a user (unprotected, or only observed) is nobody's to lose.
  const bool same_user = again.user == ruling_.user || ruling_.user == UserId::none;
  if (again.passes() && (same_user || again.observed || again.reason == Reason::unprotected)) {
    if (term_ != Term::within) term_ = Term::within;  // renewed in time: as if it had never run out
    ruling_ = again;
    if (state_ == State::relaying) set_deadline();
    return;
  }
  // A session that has run out in the ordinary way is the deadline's business, not a revocation: the deadline
  // that was promised has come, or the flow is in the time that on_expiry gives it. Anything else cuts at
  // once (semantics 6).
  const bool ran_out_of_time =
      again.readable && again.user == ruling_.user &&
      (again.reason == Reason::expired || again.reason == Reason::second_factor_expired);
  if (ran_out_of_time && term_ != Term::within && again.on_expiry == ruling_.on_expiry) return;
  if (ran_out_of_time && term_ == Term::within && now >= ruling_.until && state_ == State::relaying) {
    ran_out(now);
    return;
  }
  if (!again.readable) {
    cut("store_unreadable");
  } else if (again.passes() || (again.user != UserId::none && again.user != ruling_.user)) {
    cut("hand_over");
  } else {
    cut(ran_out_of_time ? "policy_tightened" : to_text(again.reason));
  }
}

void Flow::on_neighbour(const IpAddress& address, const Mac& mac) {
  if (address == source_.address && live() && source_.mac != mac) cut("address_taken_over");
}

void Flow::recheck_neighbour() {
  if (!live() || !source_.mac) return;
  if (const auto mac = host_.judge().neighbours().mac_of(source_.address))
    on_neighbour(source_.address, *mac);
}

void Flow::cut(std::string_view cause) {
  if (live()) {
    end(cause, true);
  } else if (state_ != State::done) {
    close_refused(true);
  }
}

void Flow::end(std::string_view cause, bool reset) {
  AuditEvent e = event("flow.end");
  e.detail = cause;
  e.bytes_up = static_cast<std::int64_t>(relay_.moved(Relay::client));
  e.bytes_down = static_cast<std::int64_t>(relay_.moved(Relay::upstream));
  const BootTime now = BootClock::now();
  e.duration_ms = (now - opened_).count();
  if (term_ != Term::within) {
    e.detail +=
        fmt::format("; overstayed {} s, {} bytes", (now - overstay_since_).count() / 1000,
                    relay_.moved(Relay::client) + relay_.moved(Relay::upstream) - overstay_bytes_from_);
  }
  host_.audit().write(std::move(e));
  close(accepted_.fd, reset);
  close(upstream_, reset);
  timer_.unlink();
  state_ = State::done;
  host_.finished(*this);
}

void Flow::close(Fd& fd, bool reset) {
  if (!fd.valid()) return;
  host_.unwatch(fd.get());
  if (reset) reset_on_close(fd.get());
  fd.reset();
}

AuditEvent Flow::event(std::string_view name) const {
  AuditEvent e;
  e.at = wall_now();
  e.event = name;
  e.user = ruling_.user_name;
  e.device = ruling_.device_name;
  e.resource = ruling_.resource_name;
  e.policy = ruling_.policy_name;
  e.verdict = to_text(ruling_.kind);
  e.reason = to_text(ruling_.reason);
  e.source = accepted_.source.text();
  e.destination = accepted_.destination.text();
  e.flow = id_;
  return e;
}

}  // namespace nightlatch
