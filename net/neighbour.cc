#include "net/neighbour.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace nightlatch {

namespace {

constexpr std::uint16_t kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

struct Entry {
  IpAddress address;
  std::optional<Mac> mac;
  int interface = 0;
};

struct Attributes {
  const nlattr* destination = nullptr;
  const nlattr* link_address = nullptr;
};

int take_attribute(const nlattr* attribute, void* data) {
  auto* found = static_cast<Attributes*>(data);
  if (mnl_attr_get_type(attribute) == NDA_DST) found->destination = attribute;
  if (mnl_attr_get_type(attribute) == NDA_LLADDR) found->link_address = attribute;
  return MNL_CB_OK;
}

std::optional<Entry> entry_from(const nlmsghdr* message) {
  if (message->nlmsg_len < mnl_nlmsg_size(sizeof(ndmsg))) return std::nullopt;
  const auto* head = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  Attributes found;
  if (mnl_attr_parse(message, sizeof(ndmsg), take_attribute, &found) < 0 || found.destination == nullptr) {
    return std::nullopt;
  }
  Entry entry;
  entry.interface = head->ndm_ifindex;
  const void* bytes = mnl_attr_get_payload(found.destination);
  const std::size_t length = mnl_attr_get_payload_len(found.destination);
  if (head->ndm_family == AF_INET && length == 4) {
    std::array<std::uint8_t, 4> b{};
    std::memcpy(b.data(), bytes, 4);
    entry.address =
        IpAddress::v4(static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
                      static_cast<std::uint32_t>(b[2]) << 8 | b[3]);
  } else if (head->ndm_family == AF_INET6 && length == 16) {
    std::array<std::uint8_t, 16> b{};
    std::memcpy(b.data(), bytes, 16);
    entry.address = IpAddress::v6(b);
  } else {
    return std::nullopt;
  }
  if (message->nlmsg_type == RTM_NEWNEIGH && (head->ndm_state & kUsable) != 0 &&
      found.link_address != nullptr && mnl_attr_get_payload_len(found.link_address) == 6) {
    Mac mac;
    std::memcpy(mac.bytes.data(), mnl_attr_get_payload(found.link_address), 6);
    entry.mac = mac;
  }
  return entry;
}

Result<Fd> open_netlink(unsigned groups) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl here{};
  here.nl_family = AF_NETLINK;
  here.nl_groups = groups;
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) {
    return Error::failure(fmt::format("netlink: {}", std::strerror(errno)));
  }
  return fd;
}

std::vector<int> indexes_of(const std::vector<std::string>& names) {
  std::vector<int> indexes;
  for (const std::string& name : names) {
    if (const unsigned i = if_nametoindex(name.c_str()); i != 0) indexes.push_back(static_cast<int>(i));
  }
  if (!names.empty()) return indexes;
  if (struct if_nameindex* all = if_nameindex(); all != nullptr) {
    for (const struct if_nameindex* i = all; i->if_index != 0; ++i) {
      if (std::strcmp(i->if_name, "lo") != 0) indexes.push_back(static_cast<int>(i->if_index));
    }
    if_freenameindex(all);
  }
  return indexes;
}

}  // namespace

Result<Neighbours> Neighbours::open(const std::vector<std::string>& interfaces) {
  Neighbours n;
  auto requests = open_netlink(0);
  if (!requests) return requests.error();
  auto changes = open_netlink(RTMGRP_NEIGH);
  if (!changes) return changes.error();
  n.requests_ = std::move(*requests);
  n.changes_ = std::move(*changes);
  n.names_ = interfaces;
  n.indexes_ = indexes_of(interfaces);
  return n;
}

std::optional<Mac> Neighbours::mac_of(const IpAddress& address) {
  alignas(nlmsghdr) std::array<char, 8192> buffer{};
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (const int index : indexes_) {
      nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
      message->nlmsg_type = RTM_GETNEIGH;
      message->nlmsg_flags = NLM_F_REQUEST;
      message->nlmsg_seq = ++sequence_;
      auto* head = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
      head->ndm_family = address.is_v4() ? AF_INET : AF_INET6;
      head->ndm_ifindex = index;
      const auto& bytes = address.bytes();
      if (address.is_v4()) {
        mnl_attr_put(message, NDA_DST, 4, bytes.data() + 12);
      } else {
        mnl_attr_put(message, NDA_DST, 16, bytes.data());
      }
      if (send(requests_.get(), message, message->nlmsg_len, 0) < 0) continue;
      // The kernel has queued its answer by the time that send() returns: this never waits.
      while (true) {
        const ssize_t n = recv(requests_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n < 0) break;
        const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data());
        int left = static_cast<int>(n);
        if (!mnl_nlmsg_ok(answer, left) || answer->nlmsg_seq != sequence_) continue;
        if (answer->nlmsg_type != RTM_NEWNEIGH) break;  // NLMSG_ERROR: no such entry
        const auto entry = entry_from(answer);
        if (entry && entry->address == address && entry->mac) return entry->mac;
        break;
      }
    }
    // An interface may have come, or come back under another number.
    std::vector<int> now = indexes_of(names_);
    if (now == indexes_) break;
    indexes_ = std::move(now);
  }
  return std::nullopt;
}

bool Neighbours::read_changes(const std::function<void(const IpAddress&, std::optional<Mac>)>& changed) {
  alignas(nlmsghdr) std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t n = recv(changes_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) return errno != ENOBUFS;
    int left = static_cast<int>(n);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH) continue;
      if (const auto entry = entry_from(message)) changed(entry->address, entry->mac);
    }
  }
}

}  // namespace nightlatch
