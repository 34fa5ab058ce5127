// Resources and policies; settings are in settings.cc.
#include "store/access.h"

#include <algorithm>

#include "policy/parse.h"
#include "store/identities.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

Status write_targets(Database& db, std::int64_t resource, const std::vector<Target>& targets) {
  if (targets.empty()) {
    return Error::usage("--to: a resource needs at least one destination",
                        "for example --to 10.1.0.2:443/tcp");
  }
  for (const Target& t : targets) {
    NL_TRY(db.run("INSERT INTO target VALUES (?, ?) ON CONFLICT DO NOTHING", {resource, to_text(t)}));
  }
  return Done{};
}

Status renumber(Database& db, const std::vector<std::int64_t>& order) {
  std::int64_t position = 1;
  for (const std::int64_t id : order) {
    NL_TRY(db.run("UPDATE policy SET position = ? WHERE id = ? AND position <> ?", {position, id, position}));
    ++position;
  }
  return Done{};
}

// Puts `moving` in front of `before`, or at the end when that is empty.
Status place(Database& db, std::int64_t moving, std::string_view before) {
  std::vector<std::int64_t> order;
  NL_TRY(each_row(db.prepare("SELECT id FROM policy ORDER BY position, id"), [&](Statement& s) -> Status {
    if (s.integer(0) != moving) order.push_back(s.integer(0));
    return Done{};
  }));
  auto at = order.end();
  if (!before.empty()) {
    auto id = id_of(db, "policy", before);
    if (!id) return id.error();
    if (*id == moving) return Error::usage("--before: a policy cannot stand in front of itself");
    at = std::find(order.begin(), order.end(), *id);
  }
  order.insert(at, moving);
  return renumber(db, order);
}

// A group of a provider may be named before anybody of it has signed in.
Status await_provider_groups(Database& db, const std::vector<std::string>& groups) {
  for (const std::string& group : groups) {
    auto provider = provider_of_group(db, group);
    if (!provider) return provider.error();
    if (provider->empty()) continue;
    NL_TRY(check_name(group, "group"));
    NL_TRY(db.run("INSERT INTO user_group (name) VALUES (?) ON CONFLICT (name) DO NOTHING", {lower(group)}));
  }
  return Done{};
}

// Links a policy to rows that it names: each must exist.
Status link(Database& db, std::int64_t policy, std::string_view table, std::string_view link_table,
            const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    auto id = id_of(db, table, name);
    if (!id) return id.error();
    NL_TRY(db.run(fmt::format("INSERT INTO {} VALUES (?, ?) ON CONFLICT DO NOTHING", link_table),
                  {policy, *id}));
  }
  return Done{};
}

Database::Value seconds(const std::optional<Seconds>& s) {
  return s ? Database::Value(std::int64_t{s->count()}) : std::nullopt;
}

}  // namespace

Result<ResourceId> add_resource(Database& db, std::string_view name, const std::vector<Target>& targets) {
  NL_TRY(check_name(name, "resource"));
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(check_free(db, "resource", name));
  NL_TRY(db.run("INSERT INTO resource (name) VALUES (?)", {std::string(name)}));
  const std::int64_t id = db.last_insert_id();
  NL_TRY(write_targets(db, id, targets));
  NL_TRY(tx->commit());
  return ResourceId(id);
}

Status set_resource_targets(Database& db, std::string_view name, const std::vector<Target>& targets) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "resource", name);
  if (!id) return id.error();
  NL_TRY(db.run("DELETE FROM target WHERE resource_id = ?", {*id}));
  NL_TRY(write_targets(db, *id, targets));
  return tx->commit();
}

Status remove_resource(Database& db, std::string_view name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "resource", name);
  if (!id) return id.error();
  std::string naming;
  auto query = db.prepare(
      "SELECT name FROM policy JOIN policy_resource ON policy_id = policy.id WHERE resource_id = ? ORDER BY "
      "position");
  if (query) query->bind(1, *id);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    naming += (naming.empty() ? "" : ", ") + s.text(0);
    return Done{};
  }));
  if (!naming.empty()) {
    return Error::conflict(fmt::format("resource '{}' is named by policy {}", printable(name), naming),
                           "remove the policy first: nightlatch policy remove NAME");
  }
  auto token = db.prepare(
      "SELECT name FROM token JOIN token_resource ON token_id = token.id WHERE resource_id = ? AND "
      "revoked_ms IS NULL ORDER BY name");
  if (token) token->bind(1, *id);
  NL_TRY(each_row(std::move(token), [&](Statement& s) -> Status {
    naming += (naming.empty() ? "" : ", ") + s.text(0);
    return Done{};
  }));
  if (!naming.empty()) {
    return Error::conflict(fmt::format("resource '{}' is named by token {}", printable(name), naming),
                           "revoke the token first: nightlatch token revoke NAME");
  }
  NL_TRY(db.run("DELETE FROM resource WHERE id = ?", {*id}));
  return tx->commit();
}

namespace {

Status check_whom(const NewPolicy& policy) {
  const bool persons = policy.anyone || !policy.users.empty() || !policy.groups.empty();
  const bool machines = !policy.tokens.empty() || !policy.certificates.empty();
  if (!persons && !machines) {
    return Error::usage("a policy needs to say for whom it is",
                        "add --user U, --group G or --anyone; or, for a machine, --token T or --cert C");
  }
  if (persons && machines) {
    return Error::usage(
        "a policy is for persons or for machines: a token or a certificate stands for no person",
        "make two: one with --user, --group or --anyone, one with --token or --cert");
  }
  if (machines && policy.terms.mfa) {
    return Error::usage("--mfa: a machine has no second factor",
                        "leave it out; --binding certificate asks for more than a token");
  }
  return Done{};
}

// A token or certificate in use, by its name: a device's, for nobody's else proves a machine.
Status link_proofs(Database& db, std::int64_t policy, std::string_view table,
                   const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    auto id = db.integer(
        fmt::format("SELECT id FROM {} WHERE name = ? AND revoked_ms IS NULL AND device_id IS NOT NULL",
                    table),
        {name});
    if (!id) return id.error();
    if (!*id) {
      const bool token = table == "token";
      auto persons = token ? db.integer("SELECT 1 FROM token WHERE name = ? AND revoked_ms IS NULL", {name})
                           : Result<std::optional<std::int64_t>>(std::optional<std::int64_t>());
      if (persons && *persons) {
        return Error::usage(
            fmt::format("--token: '{}' is a person's, and says only who that is", printable(name)),
            "name the person with --user, or a token made with: nightlatch token add --device DEVICE");
      }
      return Error::not_found(fmt::format("there is no {} '{}' in use", table, printable(name)),
                              fmt::format("see: nightlatch {} list", token ? "token" : "cert"));
    }
    NL_TRY(db.run(fmt::format("INSERT INTO policy_{} VALUES (?, ?) ON CONFLICT DO NOTHING", table),
                  {policy, **id}));
  }
  return Done{};
}

}  // namespace

Result<PolicyId> add_policy(Database& db, const NewPolicy& policy) {
  NL_TRY(check_name(policy.name, "policy"));
  if (policy.resources.empty()) {
    return Error::usage("--resource: a policy needs at least one resource", "see: nightlatch resource list");
  }
  NL_TRY(check_whom(policy));
  if (policy.anyone && (!policy.users.empty() || !policy.groups.empty())) {
    return Error::usage("--anyone: together with --user or --group it would be ambiguous",
                        "say one or the other");
  }
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(check_free(db, "policy", policy.name));
  const Terms& t = policy.terms;
  NL_TRY(db.run(
      "INSERT INTO policy (position, name, deny, anyone, session_s, mfa_s, on_expiry, hours, idle_s, "
      "min_binding) "
      "VALUES (1 + (SELECT ifnull(max(position), 0) FROM policy), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {policy.name, std::int64_t{policy.deny}, std::int64_t{policy.anyone}, std::int64_t{t.session.count()},
       seconds(t.mfa), to_text(t.on_expiry), t.hours ? Database::Value(to_text(*t.hours)) : std::nullopt,
       seconds(t.idle), std::string(to_text(t.min_binding))}));
  const std::int64_t id = db.last_insert_id();
  NL_TRY(link(db, id, "resource", "policy_resource", policy.resources));
  NL_TRY(link(db, id, "user", "policy_user", policy.users));
  NL_TRY(await_provider_groups(db, policy.groups));
  NL_TRY(link(db, id, "user_group", "policy_group", policy.groups));
  NL_TRY(link_proofs(db, id, "token", policy.tokens));
  NL_TRY(link_proofs(db, id, "certificate", policy.certificates));
  if (!policy.before.empty()) NL_TRY(place(db, id, policy.before));
  NL_TRY(tx->commit());
  return PolicyId(id);
}

Status move_policy(Database& db, std::string_view name, std::string_view before) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "policy", name);
  if (!id) return id.error();
  NL_TRY(place(db, *id, before));
  return tx->commit();
}

Status remove_policy(Database& db, std::string_view name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "policy", name);
  if (!id) return id.error();
  NL_TRY(db.run("DELETE FROM policy WHERE id = ?", {*id}));
  return tx->commit();
}

}  // namespace nightlatch
