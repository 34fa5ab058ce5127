// The machine's own addresses, as the kernel has them at this moment. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"

namespace nightlatch {

// The addresses of these interfaces, or of all but loopback. Link-local IPv6 ones are left out: they mean
// nothing without a zone, and a browser cannot use them in a URL.
[[nodiscard]] std::vector<IpAddress> addresses_of(const std::vector<std::string>& interfaces);

// Every address that leads to this machine, loopback's and link-local ones too, and the broadcast addresses
// of its networks. A netlink dump: not for each packet.
[[nodiscard]] std::vector<IpAddress> own_addresses();

}  // namespace nightlatch
