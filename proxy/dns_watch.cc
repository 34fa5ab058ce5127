#include "proxy/dns_watch.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace nightlatch {

namespace {
constexpr std::uint16_t kDns = 53;
constexpr int kReceiveBuffer = 1 << 20;
constexpr std::size_t kMostNames = 4;
// Programs keep an address for longer than they were told to.
constexpr Seconds kLeastLife{3600}, kMostLife{24 * 3600};

// Classic BPF: UDP from or to port 53, in IPv4 (no more is asked of it than of the first byte, the protocol
// and the ports) or in IPv6 without extension headers. With SOCK_DGRAM a packet begins at its IP header; a
// jump counts the instructions that it leaps over.
constexpr std::uint32_t kWhole = 0xffffffff;
constexpr std::array<sock_filter, 18> kFilter{{
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
    {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 4},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 9},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 12, 17},
    {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0},
    {BPF_LD | BPF_H | BPF_IND, 0, 0, 0},
    {BPF_JMP | BPF_JEQ | BPF_K, 8, 0, kDns},
    {BPF_LD | BPF_H | BPF_IND, 0, 0, 2},
    {BPF_JMP | BPF_JEQ | BPF_K, 6, 7, kDns},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 6},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 17},
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 40},
    {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, kDns},
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 42},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kDns},
    {BPF_RET | BPF_K, 0, 0, kWhole},
    {BPF_RET | BPF_K, 0, 0, 0},
}};

std::size_t mix(std::size_t h, std::size_t value) { return (h ^ value) * 0x9e3779b97f4a7c15U; }
}  // namespace

Status DnsWatch::open(const std::vector<std::string>& interfaces) {
  sockets_.clear();
  std::vector<unsigned> indexes;
  for (const std::string& name : interfaces) {
    if (const unsigned index = if_nametoindex(name.c_str()); index != 0) indexes.push_back(index);
  }
  if (interfaces.empty()) indexes.push_back(0);
  for (const unsigned index : indexes) {
    Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));  // protocol 0: nothing comes yet
    sock_fprog filter{static_cast<unsigned short>(kFilter.size()), const_cast<sock_filter*>(kFilter.data())};
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(index);
    const bool good =
        fd.valid() && setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 &&
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;  // NOLINT: the socket API
    if (!good) {
      const int error = errno;
      sockets_.clear();
      return Error::failure(std::string("a packet socket: ") + std::strerror(error));  // NOLINT
    }
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
    sockets_.push_back(std::move(fd));
  }
  return Done{};
}

std::optional<IpDatagram> DnsWatch::next(int fd) {
  while (true) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t n = recvfrom(fd, buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&from),
                               &size);  // NOLINT: the socket API
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    auto datagram = parse_ip_datagram(Bytes(buffer_).first(static_cast<std::size_t>(n)));
    if (!datagram) continue;
    datagram->leaving = from.sll_pkttype == PACKET_OUTGOING;
    return datagram;
  }
}

std::size_t DnsWatch::key_of(const Asked& asked) {
  const std::hash<Endpoint> endpoint;
  std::size_t h = mix(endpoint(asked.client), endpoint(asked.server));
  h = mix(h, std::size_t{asked.question.id} << 16U | asked.question.type);
  return mix(h, std::hash<std::string_view>()(asked.question.name.text()));
}

std::optional<DnsAnswer> DnsWatch::take(const IpDatagram& datagram) {
  if (!datagram.leaving && datagram.to.port == kDns) {
    const auto question = dns_id_and_question(datagram.payload);
    if (!question) return std::nullopt;
    if (asked_order_.size() >= kMostAsked) {
      asked_.erase(asked_order_.front());
      asked_order_.pop_front();
    }
    const Asked asked{datagram.from, datagram.to, *question};
    const std::size_t key = key_of(asked);
    if (asked_.insert_or_assign(key, asked).second) asked_order_.push_back(key);
    return std::nullopt;
  }
  if (!datagram.leaving || datagram.from.port != kDns) return std::nullopt;
  auto answer = read_dns_answer(datagram.payload);
  if (!answer || answer->addresses.empty()) return std::nullopt;
  const Asked asked{datagram.to, datagram.from, answer->question};
  const auto known = asked_.find(key_of(asked));
  if (known == asked_.end() || known->second != asked) return std::nullopt;
  return answer;
}

void DnsWatch::remember(const std::string& device, const WireName& name,
                        const std::vector<DnsAddress>& addresses, BootTime now) {
  const auto [at, is_new] = devices_.try_emplace(device);
  Device& d = at->second;
  if (is_new) {
    if (line_.size() >= kMostDevices) {
      devices_.erase(line_.front());
      line_.pop_front();
    }
    line_.push_back(device);
    d.place = std::prev(line_.end());
  } else {
    line_.splice(line_.end(), line_, d.place);
  }
  for (const DnsAddress& a : addresses) {
    std::erase_if(d.entries, [&](const Entry& e) { return e.address == a.address && e.name == name; });
    if (d.entries.size() >= kMostOfDevice) d.entries.pop_front();
    d.entries.push_back({name, a.address, now + Millis(std::clamp(a.ttl, kLeastLife, kMostLife))});
  }
}

std::vector<WireName> DnsWatch::names_of(const std::string& device, const IpAddress& address, BootTime now) {
  std::vector<WireName> names;
  const auto known = devices_.find(device);
  if (known == devices_.end()) return names;
  const auto& entries = known->second.entries;
  for (auto e = entries.rbegin(); e != entries.rend() && names.size() < kMostNames; ++e) {
    if (e->address == address && now < e->until) names.push_back(e->name);
  }
  return names;
}

}  // namespace nightlatch
