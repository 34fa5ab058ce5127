// Where the hosts are that targets name, as the gate's own resolver has said: part of the office, because an
// address that a protected host has is protected as that host (docs/decisions/0011-names-of-flows.md). Each
// change is one transaction; every function runs on the Database's thread.
#pragma once

#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

// The hosts that targets name, each once.
[[nodiscard]] Result<std::vector<HostPattern>> list_target_hosts(Database& db);
// These and the names of providers: all whose addresses are looked up.
[[nodiscard]] Result<std::vector<HostPattern>> list_known_hosts(Database& db);
// Where providers are, as far as is known.
[[nodiscard]] Result<std::vector<ProviderPlace>> list_provider_places(Database& db);
[[nodiscard]] Result<std::vector<HostAddress>> list_host_addresses(Database& db);
// Those of hosts that no target names any more go by themselves.
[[nodiscard]] Status change_host_addresses(Database& db, const std::vector<HostAddress>& added,
                                           const std::vector<HostAddress>& removed, WallTime now);

}  // namespace nightlatch
