#include "proxy/udp_listener.h"

#include "proxy/rules.h"

namespace nightlatch {

namespace {
constexpr std::size_t kSecondChances = 8;  // looked at before one is ended that is not idle
}  // namespace

Status UdpListener::open(std::string* v6_error) {
  door4_.listener = door6_.listener = this;
  auto v4 = listen_udp_transparent(true, kTproxyPort);
  if (!v4) return v4.error();
  door4_.fd = std::move(*v4);
  if (auto v6 = listen_udp_transparent(false, kTproxyPort); v6) {
    door6_.fd = std::move(*v6);
  } else {
    *v6_error = v6.error().message;
  }
  return Done{};
}

void UdpListener::listen(bool on) {
  for (Door* door : {&door4_, &door6_}) {
    if (!door->fd.valid()) continue;
    if (on) {
      host_.listen(*door, door->fd.get());
    } else {
      host_.unwatch(door->fd.get());
    }
  }
}

void UdpListener::close() {
  listen(false);
  door4_.fd.reset();
  door6_.fd.reset();
}

void UdpListener::receive(int fd) {
  Datagrams& datagrams = host_.datagrams();
  const std::size_t n = datagrams.receive(fd);
  if (n > 0) host_.look_at_store();
  for (std::size_t i = 0; i < n; ++i) {
    const auto client = datagrams.source(i);
    const auto destination = datagrams.destination(i);
    if (client && destination) take(i, {*client, *destination});
  }
}

void UdpListener::misdelivered(std::size_t i, const Endpoint& client, const Endpoint& destination) {
  host_.look_at_store();
  take(i, {client, destination});
}

void UdpListener::take(std::size_t i, const UdpKey& key) {
  if (const auto known = flows_.find(key); known != flows_.end()) {
    known->second.flow->deliver(i, 1);
    return;
  }
  const std::string id = host_.next_id();
  Lease lease(host_, id, key.client, key.destination, Protocol::udp);
  if (!lease.judge(wall_now())) {
    refuse_datagram(host_, lease);
    // The client fails at once.
    if (!lease.ruling().direct) tell_client(key, port_unreachable(key.client.address.is_v4()));
    return;
  }
  const std::string owner = lease.owner();
  if (!make_room(owner)) {
    ++overloaded_;
    return;
  }
  auto flow = std::make_unique<UdpFlow>(host_, static_cast<UdpHost&>(*this), id, key, std::move(lease),
                                        Way::intercepted);
  UdpFlow& f = *flow;
  Line& line = lines_[owner];
  line.push_back(&f);
  flows_.emplace(key, Known{&f, owner, std::prev(line.end()), f.lease().active()});
  host_.adopt(std::move(flow));
  ++accepted_;
  f.start();
  f.deliver(i, 1);
}

void UdpListener::tell_client(const UdpKey& key, IcmpError error) {
  icmp_.send(error, key.client, key.destination, BootClock::now());
}

void UdpListener::ended(UdpFlow& flow) {
  const auto known = flows_.find(flow.key());
  if (known == flows_.end()) return;
  const auto line = lines_.find(known->second.owner);
  line->second.erase(known->second.place);
  if (line->second.empty()) lines_.erase(line);
  flows_.erase(known);
}

bool UdpListener::make_room(const std::string& owner) {
  const std::size_t share =
      host_.judge().max_flows() / 8 + 1;  // here; a device's flows are spread over all workers
  const auto line = lines_.find(owner);
  if (line != lines_.end() && line->second.size() >= share) end_idlest(owner);
  return host_.room() || (end_idlest(owner) && host_.room());
}

// Second chance: in order of age, and one that has moved since its last turn goes to the end of the line.
bool UdpListener::end_idlest(const std::string& owner) {
  const auto own = lines_.find(owner);
  if (own == lines_.end()) return false;
  Line& line = own->second;
  for (std::size_t looked = 0; looked < kSecondChances; ++looked) {
    Known& first = flows_.find(line.front()->key())->second;
    if (first.seen == first.flow->lease().active()) break;
    first.seen = first.flow->lease().active();
    line.splice(line.end(), line, first.place);
  }
  line.front()->end("too many flows of one device");
  return true;
}

}  // namespace nightlatch
