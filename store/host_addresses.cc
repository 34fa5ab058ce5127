#include "store/host_addresses.h"

#include <algorithm>

#include "policy/parse.h"
#include "store/rows.h"

namespace nightlatch {

namespace {
Status forget_oldest(Database& db, const HostPattern& host) {
  return db.run(
      "DELETE FROM host_address WHERE host = ?1 AND address IN (SELECT address FROM host_address "
      "WHERE host = ?1 ORDER BY seen_ms DESC, address LIMIT -1 OFFSET ?2)",
      {host.text(), static_cast<std::int64_t>(kMostAddressesOfHost)});
}

Status forget_unused(Database& db, WallTime now) {
  NL_TRY(db.run("DELETE FROM host_address WHERE seen_ms < ?", {to_ms(now - kHostAddressLifetime)}));
  auto hosts = list_target_hosts(db);
  if (!hosts) return hosts.error();
  std::vector<std::string> gone;
  NL_TRY(each_row(db.prepare("SELECT DISTINCT host FROM host_address"), [&](Statement& s) -> Status {
    const std::string host = s.text(0);
    const bool named =
        std::any_of(hosts->begin(), hosts->end(), [&](const HostPattern& h) { return h.text() == host; });
    if (!named) gone.push_back(host);
    return Done{};
  }));
  for (const std::string& host : gone) {
    NL_TRY(db.run("DELETE FROM host_address WHERE host = ?", {host}));
  }
  return Done{};
}
}  // namespace

Result<std::vector<HostPattern>> list_target_hosts(Database& db) {
  std::vector<HostPattern> hosts;
  NL_TRY(each_row(db.prepare("SELECT destination FROM target"), [&](Statement& s) -> Status {
    auto target = parse_target(s.text(0), "destination", HostTargets::stored);
    if (!target) return target.error();
    if (target->host) hosts.push_back(*std::move(target->host));
    return Done{};
  }));
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  return hosts;
}

Status record_host_addresses(Database& db, const AddressesOfHosts& found, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  for (const auto& [host, addresses] : found) {
    for (const IpAddress& address : addresses) {
      NL_TRY(db.run(
          "INSERT INTO host_address VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seen_ms = max(seen_ms, ?3)",
          {host.text(), address.text(), to_ms(now)}));
    }
    NL_TRY(forget_oldest(db, host));
  }
  NL_TRY(forget_unused(db, now));
  return tx->commit();
}

}  // namespace nightlatch
