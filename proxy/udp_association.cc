#include "proxy/udp_association.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "policy/host_address.h"
#include "policy/host_name.h"
#include "proxy/socket_options.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostDestinations = 256;
constexpr std::size_t kMostNames = 64;
constexpr std::size_t kBatches = 8;
}  // namespace

void UdpAssociation::begin(FlowHost& host, Accepted control, Fd fd, std::uint16_t port) {
  auto made = std::make_unique<UdpAssociation>(host, host.next_id(), std::move(control), std::move(fd), port);
  UdpAssociation& a = *made;
  host.adopt(std::move(made));
  if (!host.watch(a.control_leg_, a.control_.fd.get()) || !host.watch(a.leg_, a.fd_.get()))
    a.cut("too many descriptors");
}

UdpAssociation::UdpAssociation(FlowHost& host, std::string id, Accepted control, Fd fd, std::uint16_t port)
    : LiveFlow(std::move(id)),
      host_(host),
      control_(std::move(control)),
      fd_(std::move(fd)),
      client_{control_.source.address, port} {
  control_leg_.owner = leg_.owner = this;
  control_leg_.control = true;
}

UdpAssociation::~UdpAssociation() {
  for (const auto& [name, known] : names_) {
    if (known.question != 0) host_.resolver().cancel(known.question);
  }
}

// Nothing is to be said there any more: its end is the association's.
void UdpAssociation::read_control() {
  while (!done_) {
    const ssize_t n = recv(control_.fd.get(), host_.scratch().data(), host_.scratch().size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) cut("the association has ended");
  }
}

void UdpAssociation::pump() {
  Datagrams& d = host_.datagrams();
  for (std::size_t batch = 0; batch < kBatches && !done_; ++batch) {
    const std::size_t n = d.receive(fd_.get());
    if (n > 0) host_.look_at_store();
    for (std::size_t i = 0; i < n; ++i) {
      const auto from = d.source(i);
      if (!from || from->address != client_.address) continue;
      if (client_.port != 0 && from->port != client_.port) continue;
      if (client_.port == 0 && parse_socks_datagram(d.bytes(i)).kind == SocksDatagram::Kind::whole)
        client_.port = from->port;
      take(d.bytes(i));
    }
    if (n < Datagrams::kBatch) return;
  }
  if (!done_) host_.run_again(*this);
}

void UdpAssociation::take(std::string_view datagram) {
  const SocksDatagram d = parse_socks_datagram(datagram);
  if (d.kind != SocksDatagram::Kind::whole) return;
  if (d.to.name.empty()) {
    send_to({d.to.address, d.to.port}, {}, d.payload);
  } else if (const auto address = address_in(d.to.name)) {
    send_to({*address, d.to.port}, {}, d.payload);
  } else {
    send_to_name(d.to, d.payload);
  }
}

// While a name is looked up its first datagram waits, and the others are lost, as UDP may.
void UdpAssociation::send_to_name(const SocksAddress& to, std::string_view payload) {
  const auto wire = WireName::read(to.name);
  if (!wire) return;
  const std::string name(wire->text());
  if (const auto known = names_.find(name); known != names_.end()) {
    if (known->second.address) send_to({*known->second.address, to.port}, *wire, payload);
    return;
  }
  if (names_.size() >= kMostNames) return;
  names_.emplace(name, Name{.address = {}, .question = 0, .first = std::string(payload), .port = to.port});
  const std::uint64_t question =
      host_.resolver().resolve(name, [this, name, wire = *wire](const Result<std::vector<IpAddress>>& found) {
        const auto asked = names_.find(name);
        if (asked == names_.end() || done_) return;
        if (!found) {
          names_.erase(asked);
          return;
        }
        asked->second.question = 0;
        asked->second.address = found->front();
        const std::string first = std::exchange(asked->second.first, {});
        send_to({found->front(), asked->second.port}, wire, first);
      });
  if (const auto asked = names_.find(name); asked != names_.end() && !asked->second.address)
    asked->second.question = question;
}

void UdpAssociation::send_to(const Endpoint& destination, const WireName& name, std::string_view payload) {
  const std::pair target(destination, std::string(name.text()));
  if (const auto known = flows_.find(target); known != flows_.end()) {
    known->second->deliver(payload);
    return;
  }
  const std::string id = host_.next_id();
  Lease lease(host_, id, control_.source, destination, Protocol::udp, Way::asked);
  lease.present(control_.credential);
  if (!name.text().empty()) lease.name(name, NamedBy::asked);
  if (!lease.judge(wall_now())) {
    refuse_datagram(host_, lease);
    return;
  }
  make_room();
  if (!host_.room()) return;
  const UdpKey key{control_.source, destination};
  auto flow =
      std::make_unique<UdpFlow>(host_, static_cast<UdpHost&>(*this), id, key, std::move(lease), Way::asked);
  UdpFlow& f = *flow;
  flows_.emplace(target, &f);
  host_.adopt(std::move(flow));
  f.start();
  f.deliver(payload);
}

void UdpAssociation::make_room() {
  if (flows_.size() < kMostDestinations) return;
  const auto idlest = std::min_element(flows_.begin(), flows_.end(), [](const auto& a, const auto& b) {
    return a.second->lease().active() < b.second->lease().active();
  });
  idlest->second->end("too many destinations of one association");
}

void UdpAssociation::to_client(const UdpKey& key, std::size_t first, std::size_t count) {
  std::array<char, kMaxSocksUdpHeader> header{};
  const std::size_t size =
      encode_socks_udp_header({key.destination.address, key.destination.port, {}}, header);
  sockaddr_storage to{};
  const socklen_t length = client_.to_sockaddr(to);
  for (std::size_t i = first; i < first + count; ++i) {
    const std::string_view bytes = host_.datagrams().bytes(i);
    std::array<iovec, 2> parts{iovec{header.data(), size},
                               iovec{const_cast<char*>(bytes.data()), bytes.size()}};  // NOLINT: only read
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = length;
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    (void)sendmsg(fd_.get(), &message, MSG_NOSIGNAL);  // what does not fit is lost
  }
}

void UdpAssociation::cut(std::string_view cause) {
  if (std::exchange(done_, true)) return;
  while (!flows_.empty()) flows_.begin()->second->end(cause);
  for (Fd* fd : {&control_.fd, &fd_}) {
    host_.unwatch(fd->get());
    fd->reset();
  }
  host_.finished(*this);
}

}  // namespace nightlatch
