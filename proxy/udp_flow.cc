#include "proxy/udp_flow.h"

#include <algorithm>
#include <cerrno>

namespace nightlatch {

namespace {
constexpr Millis kOneSided{30'000};    // idle, while only the client has spoken
constexpr Millis kBothSides{180'000};  // idle, once the server has answered
constexpr Millis kAfterAnswer{2'000};  // DNS: every question is answered
constexpr std::uint16_t kDns = 53;
constexpr Millis kHear{3'000};            // for the rest of a QUIC client's first words
constexpr std::size_t kMostHearing = 32;  // flows of one owner whose host is not known yet
constexpr std::size_t kMostWaiting = 16, kMostWaitingBytes = 32768;  // datagrams meanwhile
constexpr std::size_t kBatches = 8;  // of datagrams, each way, before the others have their turn
}  // namespace

UdpFlow::UdpFlow(FlowHost& host, UdpHost& maker, std::string id, UdpKey key, Lease lease, Way way)
    : LiveFlow(std::move(id)), host_(host), maker_(maker), way_(way), key_(key), lease_(std::move(lease)) {
  client_.flow = upstream_.flow = timer_.flow = this;
}

void UdpFlow::start() {
  if (!host_.judge().hears_names(key_.destination.port, Protocol::udp)) {
    open();
    return;
  }
  hearing_ = std::make_unique<Hearing>();
  hearing_->share = "hearing/" + lease_.owner();
  if (!host_.take_share(hearing_->share, kMostHearing)) {  // the datagram is lost, as UDP may
    hearing_->decided = true;
    finish();
    return;
  }
  host_.wheel().set(timer_, BootClock::now() + kHear);
}

// What the client sends is looked at before it goes on; false when it does not go on now, or never.
bool UdpFlow::hears(std::string_view payload) {
  if (!hearing_ || hearing_->given_up) return true;
  const bool long_header = !payload.empty() && (static_cast<unsigned char>(payload.front()) & 0x80U) != 0;
  if (hearing_->decided && !long_header) return true;
  const QuicState before = hearing_->quic.state();
  const QuicState state = hearing_->quic.feed(bytes_of(payload));
  if (state == QuicState::malformed) {
    refuse("unreadable_name");
    return !done_ && hearing_->given_up;
  }
  if (!hearing_->decided) {
    keep(payload);
    if (!done_ && state != QuicState::more) heard();
    return false;
  }
  // A connection may begin on a flow that was taken for something else.
  if (state == QuicState::found && before != QuicState::found) heard();
  return !done_ && state != QuicState::more;  // half a hello does not go on: the client says it again
}

void UdpFlow::keep(std::string_view payload) {
  Hearing& h = *hearing_;
  if (h.waiting.size() >= kMostWaiting || h.bytes + payload.size() > kMostWaitingBytes) {
    refuse("unreadable_name");
    return;
  }
  h.waiting.emplace_back(payload);
  h.bytes += payload.size();
}

void UdpFlow::heard() {
  const QuicInitial& quic = hearing_->quic;
  const bool found = quic.state() == QuicState::found;
  const auto name = found ? WireName::read(quic.hello().server_name) : std::nullopt;
  if (name) lease_.name(*name, NamedBy::quic);
  const bool hidden = found && quic.hello().has_ech;
  if (!name || hidden) lease_.unnamed(hidden ? NamedBy::encrypted : NamedBy::none);
  host_.look_at_store();
  if (hearing_->decided) {
    rejudge();
    return;
  }
  decide();
  if (!lease_.judge_again(wall_now())) {
    refuse_datagram(host_, lease_);
    maker_.tell_client(key_, port_unreachable(key_.client.address.is_v4()));
    finish();
    return;
  }
  if (!open()) return;
  for (const std::string& payload : std::exchange(hearing_->waiting, {})) pass(payload);
}

// Whom the client asks for cannot be told, or it has said another than before.
void UdpFlow::refuse(std::string_view why) {
  if (host_.judge().observing()) {  // everything passes: what is not known is only noted
    lease_.audit_unreadable();
    hearing_->given_up = true;
    if (!hearing_->decided) heard();
    return;
  }
  if (hearing_->decided) {
    cut(why);
    return;
  }
  ++host_.counters().refused;
  lease_.audit_unreadable();
  maker_.tell_client(key_, port_unreachable(key_.client.address.is_v4()));
  finish();
}

bool UdpFlow::open() {
  auto upstream = connect_udp_upstream(key_.destination, lease_.upstream_source(), key_.client.port);
  if (!upstream) {
    end(upstream.error().message);
    return false;
  }
  upstream_.fd = std::move(*upstream);
  client_.readable = way_ == Way::intercepted;
  if (way_ == Way::intercepted) {
    auto client = connect_udp_client(key_.destination, key_.client);
    if (!client) {
      end(client.error().message);
      return false;
    }
    client_.fd = std::move(*client);
  }
  if (!host_.watch(upstream_, upstream_.fd.get()) ||
      (client_.fd.valid() && !host_.watch(client_, client_.fd.get()))) {
    end("too many descriptors");
    return false;
  }
  lease_.begin();
  set_timer();
  return true;
}

void UdpFlow::deliver(std::size_t first, std::size_t count) {
  if (done_ || count == 0) return;
  Datagrams& d = host_.datagrams();
  std::uint64_t bytes = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    // What was looked at before this one has gone on; what comes behind it is looked at next.
    if (hears(d.bytes(i))) {
      bytes += d.bytes(i).size();
      continue;
    }
    send_on(first, i - first, bytes);
    deliver(i + 1, first + count - i - 1);
    return;
  }
  send_on(first, count, bytes);
}

void UdpFlow::send_on(std::size_t first, std::size_t count, std::uint64_t bytes) {
  if (done_ || count == 0) return;
  Datagrams& d = host_.datagrams();
  d.send(upstream_.fd.get(), first, count);  // what ICMP says of it comes as an event
  asked_ += count;
  lease_.moved(bytes, 0);
}

void UdpFlow::deliver(std::string_view payload) {
  if (!done_ && hears(payload)) pass(payload);
}

void UdpFlow::pass(std::string_view payload) {
  // The first try may only be told what the network said of an earlier datagram.
  if (send(upstream_.fd.get(), payload.data(), payload.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
    (void)send(upstream_.fd.get(), payload.data(), payload.size(), MSG_NOSIGNAL);
  ++asked_;
  lease_.moved(payload.size(), 0);
}

void UdpFlow::on_ready(Leg& leg, bool can_read, bool can_write) {
  if (done_) return;
  if (can_read) leg.readable = true;
  if (&leg == &upstream_ && can_read && can_write) {  // perhaps an error
    while (const auto error = next_icmp_error(upstream_.fd.get())) {
      if (concerns_client(key_.client.address.is_v4(), *error)) maker_.tell_client(key_, *error);
    }
  }
  pump();
}

void UdpFlow::pump() {
  for (std::size_t batch = 0; batch < kBatches && !done_ && (client_.readable || upstream_.readable);
       ++batch) {
    if (client_.readable) client_.readable = from_client() == Datagrams::kBatch;
    if (!done_ && upstream_.readable) upstream_.readable = from_upstream() == Datagrams::kBatch;
  }
  if (!done_ && (client_.readable || upstream_.readable)) host_.run_again(*this);
}

std::size_t UdpFlow::from_client() {
  Datagrams& d = host_.datagrams();
  const std::size_t n = d.receive(client_.fd.get());
  std::size_t first = 0;
  for (std::size_t i = 0; i < n && !done_; ++i) {
    const auto from = d.source(i);
    if (from == key_.client) continue;
    deliver(first, i - first);
    first = i + 1;
    if (from) maker_.misdelivered(i, *from, key_.destination);
  }
  deliver(first, n - first);
  return n;
}

std::size_t UdpFlow::from_upstream() {
  Datagrams& d = host_.datagrams();
  const std::size_t n = d.receive(upstream_.fd.get());
  std::uint64_t bytes = 0;
  bool heard = true;
  std::size_t first = 0;
  const auto pass = [&](std::size_t until) {
    if (until > first && way_ == Way::asked) maker_.to_client(key_, first, until - first);
    if (until > first && way_ == Way::intercepted)
      heard = d.send(client_.fd.get(), first, until - first) && heard;
    answered_ += until - first;
    first = until + 1;
  };
  for (std::size_t i = 0; i < n; ++i) {
    bytes += d.bytes(i).size();
    if (d.source(i) != key_.destination) pass(i);  // came before the socket was connected: nobody's
  }
  pass(n);
  if (n == 0) return 0;
  lease_.moved(0, bytes);
  if (!heard) {
    end("the client has closed");
  } else if (key_.destination.port == kDns) {
    set_timer();  // perhaps the last answer
  }
  return n;
}

BootTime UdpFlow::due() const {
  Millis idle = answered_ > 0 ? kBothSides : kOneSided;
  if (key_.destination.port == kDns && answered_ >= asked_) idle = kAfterAnswer;
  return std::min(lease_.due(), lease_.active() + idle);
}

void UdpFlow::set_timer() { host_.wheel().set(timer_, due()); }

void UdpFlow::on_timer() {
  if (done_) return;
  if (hearing_ && !hearing_->decided) {
    refuse("unreadable_name");
    return;
  }
  const BootTime now = BootClock::now();
  if (now >= lease_.due()) {
    if (const Lease::Cause cause = lease_.at_due()) {
      cut(*cause);
      return;
    }
  }
  if (now >= due()) {
    end("idle");
  } else {
    set_timer();
  }
}

void UdpFlow::rejudge() {
  if (done_ || (hearing_ && !hearing_->decided)) return;
  if (const Lease::Cause cause = lease_.rejudge()) {
    cut(*cause);
  } else {
    set_timer();
  }
}

void UdpFlow::on_neighbour(const IpAddress& address, const Mac& mac) {
  if (done_) return;
  if (const Lease::Cause cause = lease_.on_neighbour(address, mac)) end(*cause);
}

void UdpFlow::recheck_neighbour() {
  if (done_) return;
  if (const Lease::Cause cause = lease_.recheck_neighbour()) end(*cause);
}

void UdpFlow::cut(std::string_view cause) {
  if (done_) return;
  end(cause);
  maker_.tell_client(key_, port_unreachable(key_.client.address.is_v4()));
}

void UdpFlow::end(std::string_view cause) {
  lease_.end(cause);
  finish();
}

void UdpFlow::decide() {
  if (!std::exchange(hearing_->decided, true)) host_.give_share(hearing_->share);
}

void UdpFlow::finish() {
  if (hearing_) decide();
  for (Leg* leg : {&client_, &upstream_}) {
    if (!leg->fd.valid()) continue;
    host_.unwatch(leg->fd.get());
    leg->fd.reset();
  }
  timer_.unlink();
  done_ = true;
  maker_.ended(*this);
  host_.finished(*this);
}

void refuse_datagram(FlowHost& host, Lease& lease) {
  ++host.counters().refused;
  const Ruling& ruling = lease.ruling();
  const bool signing_in_helps = ruling.readable && !ruling.direct && ruling.kind != VerdictKind::deny;
  if (!lease.audit_refusal() || !signing_in_helps || ruling.resource == ResourceId::none ||
      lease.from_nobody())
    return;
  ++host.counters().held;
  host.ask_hold({}, {lease.source().text(), ruling.resource, {}, lease.event("hold"), nullptr});
}

}  // namespace nightlatch
