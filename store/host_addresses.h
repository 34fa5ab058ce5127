// Where the hosts are that targets name, as the gate's own resolver has said: part of the office, because an
// address that a protected host has is protected as that host (docs/decisions/0011-names-of-flows.md). Each
// change is one transaction; every function runs on the Database's thread.
#pragma once

#include <map>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

using AddressesOfHosts = std::map<HostPattern, std::vector<IpAddress>>;

inline constexpr std::size_t kMostAddressesOfHost = 1024;  // beyond it the one not seen for longest goes
// Clients keep what they were told, so an address counts for a day after the resolver has last said it.
inline constexpr Seconds kHostAddressLifetime{24 * 3600};

// The hosts that targets name, each once.
[[nodiscard]] Result<std::vector<HostPattern>> list_target_hosts(Database& db);
// Adds what is new, and writes down that the rest was seen again. Hosts that no target names any more, and
// addresses that were not seen for a day, go.
[[nodiscard]] Status record_host_addresses(Database& db, const AddressesOfHosts& found, WallTime now);

}  // namespace nightlatch
