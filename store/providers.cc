#include "store/providers.h"

#include <algorithm>

#include "store/rows.h"

namespace nightlatch {

namespace {
std::int64_t raw(ProviderId id) { return static_cast<std::int64_t>(id); }

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}
std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string_view w : split(text, ' ')) {
    if (!w.empty()) out.emplace_back(w);
  }
  return out;
}

constexpr std::string_view kColumns =
    "id, name, issuer, client_id, ca_pem, algorithms, scopes, mfa_acr, groups_claim, create_users, enabled, "
    "secret IS NOT NULL, created_ms";

Provider read(const Statement& s) {
  Provider p;
  p.id = ProviderId(s.integer(0));
  p.name = s.text(1);
  p.issuer = s.text(2);
  p.client_id = s.text(3);
  p.ca_pem = s.text(4);
  p.algorithms = words(s.text(5));
  p.scopes = words(s.text(6));
  p.mfa_acr = words(s.text(7));
  p.groups_claim = s.text(8);
  p.create_users = s.integer(9) != 0;
  p.enabled = s.integer(10) != 0;
  p.has_secret = s.integer(11) != 0;
  p.created = from_ms(s.integer(12));
  return p;
}

Status check_new(Database& db, const NewProvider& provider) {
  NL_TRY(check_name(provider.name, "provider"));
  if (provider.name.find('@') != std::string::npos) {
    return Error::usage(fmt::format("provider: the name '{}' has an '@'", provider.name),
                        "groups of a provider are called GROUP@PROVIDER: choose a name without one");
  }
  if (provider.name == "local") {
    return Error::usage("provider: 'local' is what passwords of this office are called",
                        "choose another name");
  }
  NL_TRY(check_free(db, "provider", provider.name));
  auto same = db.integer("SELECT 1 FROM provider WHERE issuer = ?", {provider.issuer});
  if (!same) return same.error();
  if (*same) {
    return Error::conflict(
        fmt::format("--issuer: there is already a provider with the issuer {}", provider.issuer),
        "see: nightlatch provider list");
  }
  // Whoever is in such a group now would be in one that the provider fills.
  auto group = db.integer("SELECT 1 FROM user_group WHERE lower(substr(name, -length(?1))) = lower(?1)",
                          {"@" + provider.name});
  if (!group) return group.error();
  if (*group) {
    return Error::conflict(fmt::format("provider: there is a group whose name ends in @{}", provider.name),
                           "such groups are filled by the provider: choose another name");
  }
  return Done{};
}

Result<std::vector<ProviderHost>> read_hosts(Result<Statement> query) {
  std::vector<ProviderHost> hosts;
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    hosts.push_back({s.text(0), static_cast<std::uint16_t>(s.integer(1)), s.integer(2) != 0});
    return Done{};
  }));
  return hosts;
}

Status keep_secret(Database& db, ProviderId id, const SealSecret& seal) {
  auto sealed = seal(id);
  if (!sealed) return sealed.error();
  auto update = db.prepare("UPDATE provider SET secret = ? WHERE id = ?");
  if (!update) return update.error();
  update->bind_blob(1, *sealed).bind(2, raw(id));
  return update->run();
}
}  // namespace

std::string secret_purpose(ProviderId id) { return fmt::format("provider/{}", raw(id)); }

Result<ProviderId> add_provider(Database& db, const NewProvider& provider, const SealSecret& seal) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(check_new(db, provider));
  NL_TRY(db.run(
      "INSERT INTO provider (name, issuer, client_id, ca_pem, algorithms, scopes, mfa_acr, groups_claim, "
      "create_users, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {provider.name, provider.issuer, provider.client_id, provider.ca_pem, joined(provider.algorithms),
       joined(provider.scopes), joined(provider.mfa_acr), provider.groups_claim,
       std::int64_t{provider.create_users}, to_ms(wall_now())}));
  const ProviderId id{db.last_insert_id()};
  if (seal) NL_TRY(keep_secret(db, id, seal));
  NL_TRY(tx->commit());
  return id;
}

Result<std::vector<Provider>> list_providers(Database& db) {
  std::vector<Provider> all;
  NL_TRY(each_row(db.prepare(fmt::format("SELECT {} FROM provider ORDER BY name", kColumns)),
                  [&](Statement& s) -> Status {
                    all.push_back(read(s));
                    return Done{};
                  }));
  return all;
}

Result<Provider> find_provider(Database& db, std::string_view name) {
  auto id = id_of(db, "provider", name);
  if (!id) return id.error();
  auto query = db.prepare(fmt::format("SELECT {} FROM provider WHERE id = ?", kColumns));
  if (!query) return query.error();
  query->bind(1, *id);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return Error::not_found(fmt::format("there is no provider '{}'", printable(name)));
  return read(*query);
}

Status set_provider_enabled(Database& db, std::string_view name, bool enabled) {
  auto id = id_of(db, "provider", name);
  if (!id) return id.error();
  return db.run("UPDATE provider SET enabled = ? WHERE id = ?", {std::int64_t{enabled}, *id});
}

Status set_provider_secret(Database& db, std::string_view name, const SealSecret& seal) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "provider", name);
  if (!id) return id.error();
  NL_TRY(keep_secret(db, ProviderId(*id), seal));
  return tx->commit();
}

Status remove_provider(Database& db, std::string_view name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "provider", name);
  if (!id) return id.error();
  NL_TRY(db.run(
      "DELETE FROM membership WHERE group_id IN (SELECT g.id FROM user_group g, provider p WHERE p.id = ? "
      "AND lower(substr(g.name, -length(p.name) - 1)) = '@' || lower(p.name))",
      {*id}));
  NL_TRY(
      db.run("DELETE FROM user_group WHERE id NOT IN (SELECT group_id FROM membership) "
             "AND id NOT IN (SELECT group_id FROM policy_group)"));
  NL_TRY(db.run("DELETE FROM provider WHERE id = ?", {*id}));
  return tx->commit();
}

Result<std::optional<std::string>> sealed_secret(Database& db, ProviderId id) {
  auto query = db.prepare("SELECT secret FROM provider WHERE id = ? AND secret IS NOT NULL");
  if (!query) return query.error();
  query->bind(1, raw(id));
  auto row = query->step();
  if (!row) return row.error();
  return *row ? std::optional(query->text(0)) : std::optional<std::string>();
}

Result<std::vector<ProviderHost>> hosts_of_provider(Database& db, ProviderId id) {
  auto query =
      db.prepare("SELECT host, port, inside FROM provider_host WHERE provider_id = ? ORDER BY host, port");
  if (query) query->bind(1, raw(id));
  return read_hosts(std::move(query));
}

Result<bool> set_provider_hosts(Database& db, ProviderId id, const std::vector<ProviderHost>& hosts) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto known = hosts_of_provider(db, id);
  if (!known) return known.error();
  const auto same = [](const ProviderHost& a) {
    return [&a](const ProviderHost& b) { return a.host == b.host && a.port == b.port; };
  };
  // Nothing is written when nothing changes: each change makes the gate look again.
  bool changed = false;
  for (const ProviderHost& h : *known) {
    if (h.inside || std::any_of(hosts.begin(), hosts.end(), same(h))) continue;
    NL_TRY(db.run("DELETE FROM provider_host WHERE provider_id = ? AND host = ? AND port = ?",
                  {raw(id), h.host, std::int64_t{h.port}}));
    changed = true;
  }
  for (const ProviderHost& h : hosts) {
    if (std::any_of(known->begin(), known->end(), same(h))) continue;
    NL_TRY(
        db.run("INSERT INTO provider_host (provider_id, host, port) SELECT id, ?2, ?3 FROM provider WHERE id "
               "= ?1 ON CONFLICT DO NOTHING",
               {raw(id), h.host, std::int64_t{h.port}}));
    changed = true;
  }
  NL_TRY(tx->commit());
  return changed;
}

Status set_provider_inside(Database& db, ProviderId id, const std::vector<ProviderHost>& hosts) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  if (hosts.empty()) {
    NL_TRY(db.run("UPDATE provider_host SET inside = 0 WHERE provider_id = ? AND inside", {raw(id)}));
  }
  for (const ProviderHost& h : hosts) {
    NL_TRY(
        db.run("INSERT INTO provider_host (provider_id, host, port, inside) VALUES (?, ?, ?, 1) "
               "ON CONFLICT DO UPDATE SET inside = 1",
               {raw(id), h.host, std::int64_t{h.port}}));
  }
  return tx->commit();
}

Result<std::vector<ProviderHost>> list_provider_hosts(Database& db) {
  return read_hosts(
      db.prepare("SELECT host, port, max(inside) FROM provider_host JOIN provider ON provider.id = "
                 "provider_id WHERE enabled GROUP BY host, port ORDER BY host, port"));
}

}  // namespace nightlatch
