#include "net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <memory>

namespace nightlatch {

namespace {
struct FreeAddresses {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};
using List = std::unique_ptr<ifaddrs, FreeAddresses>;

List interfaces_now() {
  ifaddrs* list = nullptr;
  return List(getifaddrs(&list) == 0 ? list : nullptr);
}
}  // namespace

std::vector<IpAddress> addresses_of(const std::vector<std::string>& interfaces) {
  std::vector<IpAddress> found;
  const List list = interfaces_now();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next) {
    const bool wanted =
        interfaces.empty() ? (i->ifa_flags & IFF_LOOPBACK) == 0
                           : std::find(interfaces.begin(), interfaces.end(), i->ifa_name) != interfaces.end();
    if (i->ifa_addr == nullptr || !wanted) continue;
    const auto endpoint = Endpoint::from_sockaddr(i->ifa_addr);
    if (!endpoint || (!endpoint->address.is_v4() && endpoint->address.is_link_local())) continue;
    if (std::find(found.begin(), found.end(), endpoint->address) == found.end())
      found.push_back(endpoint->address);
  }
  return found;
}

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> found;
  const List list = interfaces_now();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const auto own = Endpoint::from_sockaddr(i->ifa_addr);
    if (!own) continue;
    found.push_back(own->address);
    const bool broadcasts = (i->ifa_flags & IFF_BROADCAST) != 0 && i->ifa_broadaddr != nullptr;
    if (const auto all = broadcasts ? Endpoint::from_sockaddr(i->ifa_broadaddr) : std::nullopt; all)
      found.push_back(all->address);
  }
  return found;
}

}  // namespace nightlatch
