// Users and groups; devices are in devices.cc.
#include "store/people.h"

#include "store/identities.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }

Result<std::vector<std::string>> groups_of(Database& db, std::int64_t user) {
  std::vector<std::string> groups;
  auto query = db.prepare(
      "SELECT name FROM membership JOIN user_group ON user_group.id = group_id WHERE user_id = ? ORDER BY "
      "name");
  if (query) query->bind(1, user);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    groups.push_back(s.text(0));
    return Done{};
  }));
  return groups;
}

Status join(Database& db, std::int64_t user, std::string_view group) {
  NL_TRY(check_name(group, "group"));
  auto provider = provider_of_group(db, group);
  if (!provider) return provider.error();
  if (!provider->empty()) {
    return Error::usage(fmt::format("group '{}' is filled by provider {}", group, *provider),
                        "who is in it is decided there; choose a name that does not end in @" + *provider);
  }
  NL_TRY(
      db.run("INSERT INTO user_group (name) VALUES (?) ON CONFLICT (name) DO NOTHING", {std::string(group)}));
  auto group_id = id_of(db, "user_group", group);
  if (!group_id) return group_id.error();
  return db.run("INSERT INTO membership VALUES (?, ?) ON CONFLICT DO NOTHING", {user, *group_id});
}

// Groups live while they have a member or a policy that names them.
Status drop_unused_groups(Database& db) {
  return db.run(
      "DELETE FROM user_group WHERE id NOT IN (SELECT group_id FROM membership) "
      "AND id NOT IN (SELECT group_id FROM policy_group)");
}

// "a, b" of the policies that name this row, or empty.
Result<std::string> policies_naming(Database& db, std::string_view link, std::string_view column,
                                    std::int64_t id) {
  std::string names;
  auto query = db.prepare(
      fmt::format("SELECT name FROM policy JOIN {} ON policy_id = policy.id WHERE {} = ? ORDER BY position",
                  link, column));
  if (query) query->bind(1, id);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    names += (names.empty() ? "" : ", ") + s.text(0);
    return Done{};
  }));
  return names;
}

}  // namespace

Result<UserId> add_user(Database& db, std::string_view name, const std::optional<std::string>& password_hash,
                        const std::vector<std::string>& groups) {
  NL_TRY(check_name(name, "user"));
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(check_free(db, "user", name));
  NL_TRY(db.run("INSERT INTO user (name, password, created_ms) VALUES (?, ?, ?)",
                {std::string(name), password_hash ? Database::Value(*password_hash) : std::nullopt,
                 to_ms(wall_now())}));
  const std::int64_t id = db.last_insert_id();
  for (const std::string& group : groups) NL_TRY(join(db, id, group));
  NL_TRY(tx->commit());
  return UserId(id);
}

Result<std::vector<UserRow>> list_users(Database& db) {
  std::vector<UserRow> users;
  NL_TRY(each_row(
      db.prepare("SELECT id, name, enabled, password IS NOT NULL, created_ms FROM user ORDER BY name"),
      [&](Statement& s) -> Status {
        users.push_back({UserId(s.integer(0)),
                         s.text(1),
                         s.integer(2) != 0,
                         s.integer(3) != 0,
                         {},
                         from_ms(s.integer(4))});
        return Done{};
      }));
  for (UserRow& u : users) {
    auto groups = groups_of(db, raw(u.id));
    if (!groups) return groups.error();
    u.groups = std::move(*groups);
  }
  return users;
}

Result<UserRow> find_user(Database& db, std::string_view name) {
  auto id = id_of(db, "user", name);
  if (!id) return id.error();
  auto users = list_users(db);
  if (!users) return users.error();
  for (UserRow& u : *users) {
    if (raw(u.id) == *id) return std::move(u);
  }
  return Error::not_found(fmt::format("there is no user '{}'", printable(name)));
}

Status set_password(Database& db, std::string_view name, const std::string& password_hash) {
  auto id = id_of(db, "user", name);
  if (!id) return id.error();
  return db.run("UPDATE user SET password = ? WHERE id = ?", {password_hash, *id});
}

Status set_user_enabled(Database& db, std::string_view name, bool enabled) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "user", name);
  if (!id) return id.error();
  NL_TRY(db.run("UPDATE user SET enabled = ? WHERE id = ?", {std::int64_t{enabled}, *id}));
  if (!enabled) NL_TRY(db.run("DELETE FROM presence WHERE user_id = ?", {*id}));
  return tx->commit();
}

Status remove_user(Database& db, std::string_view name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "user", name);
  if (!id) return id.error();
  auto naming = policies_naming(db, "policy_user", "user_id", *id);
  if (!naming) return naming.error();
  if (!naming->empty()) {
    return Error::conflict(fmt::format("user '{}' is named by policy {}", printable(name), *naming),
                           "remove the policy first, or shut the user out with: nightlatch user disable");
  }
  NL_TRY(db.run("DELETE FROM user WHERE id = ?", {*id}));
  NL_TRY(drop_unused_groups(db));
  return tx->commit();
}

Status join_group(Database& db, std::string_view user, std::string_view group) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "user", user);
  if (!id) return id.error();
  NL_TRY(join(db, *id, group));
  return tx->commit();
}

Status leave_group(Database& db, std::string_view user, std::string_view group) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "user", user);
  if (!id) return id.error();
  auto group_id = id_of(db, "user_group", group);
  if (!group_id) return group_id.error();
  NL_TRY(db.run("DELETE FROM membership WHERE user_id = ? AND group_id = ?", {*id, *group_id}));
  if (db.changes() == 0) {
    return Error::not_found(fmt::format("user '{}' is not in group '{}'", printable(user), printable(group)));
  }
  NL_TRY(drop_unused_groups(db));
  return tx->commit();
}

Result<std::vector<std::string>> list_groups(Database& db) { return names_in(db, "user_group"); }

Result<std::optional<Credential>> find_credential(Database& db, std::string_view name) {
  auto query =
      db.prepare("SELECT id, name, password, enabled FROM user WHERE name = ? AND password IS NOT NULL");
  if (!query) return query.error();
  query->bind(1, name);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<Credential>();
  return std::optional<Credential>(
      Credential{UserId(query->integer(0)), query->text(1), query->text(2), query->integer(3) != 0});
}

}  // namespace nightlatch
