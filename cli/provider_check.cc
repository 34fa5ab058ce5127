#include "cli/provider_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "base/text.h"
#include "cli/goal.h"
#include "cli/output.h"
#include "net/loop.h"
#include "policy/decide.h"
#include "store/access.h"
#include "store/host_addresses.h"
#include "store/office_store.h"
#include "web/provider_client.h"

namespace nightlatch::cli {

std::string redirect_uri(Database& db, const std::string& name) {
  auto url = get_setting(db, "portal.url");
  return (url && !url->empty() ? *url : std::string("https://PORTAL")) + "/oidc/" + name + "/callback";
}

namespace {
ClosedPlace without_address(const ProviderHost& host) {
  return {fmt::format("the gate's resolver has found no address of {}", host.host),
          "look at /etc/resolv.conf, and ask: getent hosts " + host.host + "; serve must be running"};
}
}  // namespace

std::vector<ClosedPlace> closed_places(const Office& office, const std::string& provider,
                                       const std::vector<ProviderPlace>& places) {
  std::vector<ClosedPlace> closed;
  for (const ProviderPlace& p : places) {
    std::string says = explain_closed(office, p);
    if (says.empty()) continue;
    std::string fix = "take it out of the resource, or give the provider an address of its own";
    if (office.standing_of(p).reach != ProviderReach::named) {
      fix = fmt::format("if it belongs there: nightlatch provider inside {} --host {}", provider,
                        p.host.find(':') == std::string::npos ? fmt::format("{}:{}", p.host, p.port)
                                                              : fmt::format("[{}]:{}", p.host, p.port));
    }
    closed.push_back({std::move(says), std::move(fix)});
  }
  return closed;
}

Result<std::vector<ClosedPlace>> closed_places(Database& db, const Office& office, const Provider& provider) {
  auto hosts = hosts_of_provider(db, provider.id);
  if (!hosts) return hosts.error();
  auto known = list_provider_places(db);
  if (!known) return known.error();
  std::vector<ProviderPlace> places;
  std::vector<ClosedPlace> unknown;
  for (const ProviderHost& h : *hosts) {
    const std::size_t before = places.size();
    std::copy_if(known->begin(), known->end(), std::back_inserter(places),
                 [&](const ProviderPlace& p) { return h.host == p.host && h.port == p.port; });
    if (places.size() == before) unknown.push_back(without_address(h));
  }
  std::vector<ClosedPlace> closed = closed_places(office, provider.name, places);
  closed.insert(closed.end(), unknown.begin(), unknown.end());
  return closed;
}

namespace {
// Asks the provider as the portal would, and says what is wrong.
struct Tested {
  std::shared_ptr<const ProviderMetadata> metadata;
  std::size_t keys = 0;
  std::optional<ProviderFault> fault;
};
Result<Tested> ask(const Provider& provider) {
  Loop loop;
  auto client = ProviderClient::open(loop);
  if (!client) return client.error();
  Tested out;
  (*client)->metadata(provider, [&](const std::variant<ProviderClient::MetadataPtr, ProviderFault>& read) {
    if (const auto* fault = std::get_if<ProviderFault>(&read)) {
      out.fault = *fault;
      return loop.stop();
    }
    out.metadata = std::get<ProviderClient::MetadataPtr>(read);
    (*client)->keys(provider, [&](const std::variant<ProviderClient::KeysPtr, ProviderFault>& keys) {
      if (const auto* fault = std::get_if<ProviderFault>(&keys))
        out.fault = *fault;
      else
        out.keys = std::get<ProviderClient::KeysPtr>(keys)->size();
      loop.stop();
    });
  });
  loop.run();
  client->reset();
  return out;
}

// What is closed of where its documents send browsers, as this machine's resolver has it.
Result<std::vector<ClosedPlace>> closed_now(Database& db, const Provider& provider,
                                            const ProviderMetadata& told) {
  auto known = hosts_of_provider(db, provider.id);
  if (!known) return known.error();
  auto office = load_office(db);
  if (!office) return office.error();
  std::vector<ProviderPlace> places;
  std::vector<ClosedPlace> unknown;
  for (const ProviderHost& h : hosts_for_browsers(told)) {
    const bool inside = std::any_of(known->begin(), known->end(), [&](const ProviderHost& k) {
      return k.inside && k.host == h.host && k.port == h.port;
    });
    const auto found = addresses_of(h.host);
    if (!found) {
      unknown.push_back(without_address(h));
      continue;
    }
    for (const IpAddress& address : *found) places.push_back({h.host, address, h.port, inside});
  }
  std::vector<ClosedPlace> closed = closed_places(Office(*std::move(office)), provider.name, places);
  closed.insert(closed.end(), unknown.begin(), unknown.end());
  return closed;
}
}  // namespace

Result<int> run_provider_test(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  auto provider = find_provider(*db, context.argument(0));
  if (!provider) return provider.error();
  Result<Tested> tested = ask(*provider);
  if (!tested) return tested.error();
  if (!tested->fault && tested->keys == 0)
    tested->fault = ProviderFault{"no_keys", "it has no key that we can use"};
  if (!tested->fault && !tested->metadata->does_pkce) {
    tested->fault =
        ProviderFault{"no_pkce", "it does not take a code challenge by S256, which every sign-in sends"};
  }
  std::vector<ClosedPlace> closed;
  if (tested->metadata) {
    auto found = closed_now(*db, *provider, *tested->metadata);
    if (!found) return found.error();
    closed = std::move(*found);
  }
  const bool ok = !tested->fault && closed.empty();
  Record record;
  record.add("name", provider->name)
      .add("ok", Record::Value(ok))
      .add("issuer", provider->issuer)
      .add("redirect_uri", redirect_uri(*db, provider->name))
      .add("usable_keys", static_cast<std::int64_t>(tested->keys));
  if (tested->metadata) {
    record.add("authorization_endpoint", tested->metadata->authorization_endpoint)
        .add("token_endpoint", tested->metadata->token_endpoint)
        .add_if("userinfo_endpoint", tested->metadata->userinfo_endpoint)
        .add_if("end_session_endpoint", tested->metadata->end_session_endpoint);
    std::vector<std::string> says;
    says.reserve(closed.size());
    for (const ClosedPlace& c : closed) says.push_back(c.says);
    record.add("closed_places", Record::Value(std::move(says)));
  }
  if (tested->fault)
    record.add("reason", tested->fault->reason).add("detail", printable(tested->fault->detail));
  print_record(context, record);
  if (!tested->fault) {
    context.say(
        "the provider answers, and its keys can be used; the client's secret shows at the first sign-in");
  }
  for (const ClosedPlace& c : closed) context.say("{}; {}", c.says, c.fix);
  return ok ? 0 : 1;
}

}  // namespace nightlatch::cli
