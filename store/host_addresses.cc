#include "store/host_addresses.h"

#include <algorithm>

#include "policy/parse.h"
#include "store/providers.h"
#include "store/rows.h"

namespace nightlatch {

namespace {
Error damaged(const Error& e) {
  return Error::invalid(fmt::format("the store holds a bad value: {}", e.message));
}

Status forget_unnamed(Database& db) {
  auto hosts = list_known_hosts(db);
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
    if (!target) return damaged(target.error());
    if (target->host) hosts.push_back(*std::move(target->host));
    return Done{};
  }));
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  return hosts;
}

Result<std::vector<HostPattern>> list_known_hosts(Database& db) {
  auto hosts = list_target_hosts(db);
  if (!hosts) return hosts.error();
  auto providers = list_provider_hosts(db);
  if (!providers) return providers.error();
  for (const ProviderHost& p : *providers) {
    if (IpAddress::parse(p.host)) continue;
    if (auto host = HostPattern::from_stored(p.host, "host")) hosts->push_back(*std::move(host));
  }
  std::sort(hosts->begin(), hosts->end());
  hosts->erase(std::unique(hosts->begin(), hosts->end()), hosts->end());
  return hosts;
}

Result<std::vector<ProviderPlace>> list_provider_places(Database& db) {
  auto providers = list_provider_hosts(db);
  if (!providers) return providers.error();
  auto addresses = list_host_addresses(db);
  if (!addresses) return addresses.error();
  std::vector<ProviderPlace> places;
  for (const ProviderHost& p : *providers) {
    if (const auto address = IpAddress::parse(p.host)) places.push_back({p.host, *address, p.port, p.inside});
    for (const HostAddress& h : *addresses) {
      if (h.host.text() == p.host) places.push_back({p.host, h.address, p.port, p.inside});
    }
  }
  return places;
}

Result<std::vector<HostAddress>> list_host_addresses(Database& db) {
  std::vector<HostAddress> all;
  NL_TRY(each_row(db.prepare("SELECT host, address FROM host_address ORDER BY host, address"),
                  [&](Statement& s) -> Status {
                    auto host = HostPattern::from_stored(s.text(0), "host");
                    const auto address = IpAddress::parse(s.text(1));
                    if (!host) return damaged(host.error());
                    if (!address) return Error::invalid(fmt::format("'{}' is no address", s.text(1)));
                    all.push_back({*std::move(host), *address});
                    return Done{};
                  }));
  return all;
}

Status change_host_addresses(Database& db, const std::vector<HostAddress>& added,
                             const std::vector<HostAddress>& removed, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  for (const HostAddress& h : removed) {
    NL_TRY(
        db.run("DELETE FROM host_address WHERE host = ? AND address = ?", {h.host.text(), h.address.text()}));
  }
  for (const HostAddress& h : added) {
    NL_TRY(db.run("INSERT INTO host_address VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                  {h.host.text(), h.address.text(), to_ms(now)}));
  }
  NL_TRY(forget_unnamed(db));
  return tx->commit();
}

}  // namespace nightlatch
