#include "store/identities.h"

#include <algorithm>
#include <set>

#include "store/rows.h"

namespace nightlatch {

namespace {
constexpr Seconds kSessionMemory{90LL * 86400};
constexpr Seconds kLogoutMemory{86400};
constexpr Seconds kClocksDiffer{30};  // the provider's and ours: as auth/id_token.h has it

std::int64_t raw(ProviderId id) { return static_cast<std::int64_t>(id); }
std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }

Status read_user(Database& db, ArrivedPerson& person, std::int64_t id) {
  auto query = db.prepare("SELECT name, enabled FROM user WHERE id = ?");
  if (!query) return query.error();
  query->bind(1, id);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return Error::failure("an identity leads to no user");
  person.user = UserId(id);
  person.name = query->text(0);
  person.kind = query->integer(1) != 0 ? ArrivedPerson::Kind::known : ArrivedPerson::Kind::disabled;
  return Done{};
}

// Who signs in for the first time. An existing user of that name is somebody else.
Status take_in(Database& db, const Provider& provider, const ArrivingPerson& arriving, WallTime now,
               ArrivedPerson& person) {
  person.kind = ArrivedPerson::Kind::unknown;
  if (!provider.create_users) return Done{};
  person.kind = ArrivedPerson::Kind::no_name;
  if (!check_name(arriving.wanted_name, "name")) return Done{};
  person.kind = ArrivedPerson::Kind::name_taken;
  person.name = arriving.wanted_name;
  auto taken = db.integer("SELECT id FROM user WHERE name = ?", {arriving.wanted_name});
  if (!taken) return taken.error();
  if (*taken) return Done{};
  NL_TRY(db.run("INSERT INTO user (name, created_ms) VALUES (?, ?)", {arriving.wanted_name, to_ms(now)}));
  person.user = UserId(db.last_insert_id());
  NL_TRY(db.run("INSERT INTO identity VALUES (?, ?, ?, ?)",
                {raw(provider.id), arriving.subject, raw(person.user), to_ms(now)}));
  person.kind = ArrivedPerson::Kind::created;
  return Done{};
}

Status set_groups(Database& db, const Provider& provider, const std::vector<std::string>& claimed,
                  ArrivedPerson& person) {
  std::set<std::string> wanted;  // in lower case: names are the same in any
  for (const std::string& group : claimed) {
    const std::string name =
        lower(group.starts_with('/') ? group.substr(1) : group) + "@" + lower(provider.name);
    if (check_name(name, "group")) {
      wanted.insert(name);
    } else {
      ++person.groups_left_out;
    }
  }
  std::vector<std::int64_t> leave;
  auto query = db.prepare(
      "SELECT group_id, lower(g.name) FROM membership JOIN user_group g ON g.id = group_id WHERE user_id = "
      "?1 AND "
      "lower(substr(g.name, -length(?2))) = lower(?2)");
  if (query) query->bind(1, raw(person.user)).bind(2, "@" + provider.name);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    if (wanted.erase(s.text(1)) == 0) leave.push_back(s.integer(0));
    return Done{};
  }));
  for (const std::int64_t group : leave) {
    NL_TRY(db.run("DELETE FROM membership WHERE user_id = ? AND group_id = ?", {raw(person.user), group}));
  }
  for (const std::string& name : wanted) {
    NL_TRY(db.run("INSERT INTO user_group (name) VALUES (?) ON CONFLICT (name) DO NOTHING", {name}));
    NL_TRY(db.run("INSERT INTO membership SELECT ?, id FROM user_group WHERE name = ?",
                  {raw(person.user), name}));
  }
  if (leave.empty()) return Done{};
  return db.run(
      "DELETE FROM user_group WHERE id NOT IN (SELECT group_id FROM membership) "
      "AND id NOT IN (SELECT group_id FROM policy_group)");
}
// A logout that came while this sign-in was under way ends it, as it would have ended its session: all that
// is of the same session there, and what the person has shown before it.
Result<bool> left_meanwhile(Database& db, ProviderId provider, const ArrivingPerson& arriving) {
  auto found = db.integer(
      "SELECT 1 FROM logout_token WHERE provider_id = ?1 AND at_ms >= ?2 AND ((sid <> '' AND sid = ?3) OR "
      "(subject = ?4 AND at_ms >= ?5)) LIMIT 1",
      {raw(provider), to_ms(arriving.asked), arriving.session, arriving.subject,
       to_ms(arriving.authenticated - kClocksDiffer)});
  if (!found) return found.error();
  return found->has_value();
}
}  // namespace

Result<ArrivedPerson> person_of(Database& db, const Provider& provider, const ArrivingPerson& arriving,
                                WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  ArrivedPerson person;
  auto left = left_meanwhile(db, provider.id, arriving);
  if (!left) return left.error();
  if (*left) {
    person.kind = ArrivedPerson::Kind::logged_out;
    return person;
  }
  auto known = db.integer(
      "SELECT user_id FROM identity JOIN provider ON id = provider_id WHERE provider_id = ? AND "
      "subject = ? AND enabled",
      {raw(provider.id), arriving.subject});
  if (!known) return known.error();
  if (*known) {
    NL_TRY(read_user(db, person, **known));
  } else {
    auto there = db.integer("SELECT 1 FROM provider WHERE id = ? AND enabled", {raw(provider.id)});
    if (!there) return there.error();
    if (!*there) return Error::not_found("the provider was removed or disabled a moment ago");
    NL_TRY(take_in(db, provider, arriving, now, person));
  }
  if (person.kind != ArrivedPerson::Kind::known && person.kind != ArrivedPerson::Kind::created) return person;
  if (arriving.groups) NL_TRY(set_groups(db, provider, *arriving.groups, person));
  if (!arriving.session.empty()) {
    NL_TRY(db.run("DELETE FROM provider_session WHERE at_ms < ?", {to_ms(now - kSessionMemory)}));
    NL_TRY(db.run("INSERT INTO provider_session VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET at_ms = ?4",
                  {raw(provider.id), arriving.session, raw(person.user), to_ms(now)}));
  }
  NL_TRY(tx->commit());
  return person;
}

Result<std::vector<Identity>> list_identities(Database& db, std::string_view provider) {
  auto id = id_of(db, "provider", provider);
  if (!id) return id.error();
  std::vector<Identity> all;
  auto query = db.prepare(
      "SELECT provider.name, subject, user.name, identity.created_ms FROM identity JOIN user ON user.id = "
      "user_id "
      "JOIN provider ON provider.id = provider_id WHERE provider_id = ? ORDER BY user.name, subject");
  if (query) query->bind(1, *id);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    all.push_back({s.text(0), s.text(1), s.text(2), from_ms(s.integer(3))});
    return Done{};
  }));
  return all;
}

Status link_identity(Database& db, std::string_view provider, std::string_view subject, std::string_view user,
                     WallTime now) {
  if (subject.empty() || subject.size() > 255 || printable(subject) != subject) {
    return Error::usage("SUBJECT: a subject is plain text of at most 255 bytes",
                        "it is in the log of the refused sign-in: nightlatch log");
  }
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto provider_id = id_of(db, "provider", provider);
  if (!provider_id) return provider_id.error();
  auto user_id = id_of(db, "user", user);
  if (!user_id) return user_id.error();
  auto taken = db.integer("SELECT 1 FROM identity WHERE provider_id = ? AND subject = ?",
                          {*provider_id, std::string(subject)});
  if (!taken) return taken.error();
  if (*taken) {
    return Error::conflict(fmt::format("subject '{}' is somebody here already", printable(subject)),
                           fmt::format("see: nightlatch provider show {}", printable(provider)));
  }
  NL_TRY(db.run("INSERT INTO identity VALUES (?, ?, ?, ?)",
                {*provider_id, std::string(subject), *user_id, to_ms(now)}));
  return tx->commit();
}

Status unlink_identity(Database& db, std::string_view provider, std::string_view subject) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto provider_id = id_of(db, "provider", provider);
  if (!provider_id) return provider_id.error();
  auto user = db.integer("SELECT user_id FROM identity WHERE provider_id = ? AND subject = ?",
                         {*provider_id, std::string(subject)});
  if (!user) return user.error();
  if (!*user) {
    return Error::not_found(fmt::format("no subject '{}' of this provider is known here", printable(subject)),
                            fmt::format("see: nightlatch provider show {}", printable(provider)));
  }
  NL_TRY(db.run("DELETE FROM identity WHERE provider_id = ? AND subject = ?",
                {*provider_id, std::string(subject)}));
  NL_TRY(db.run("DELETE FROM presence WHERE user_id = ?", {**user}));
  auto other = db.integer("SELECT 1 FROM identity WHERE provider_id = ? AND user_id = ? LIMIT 1",
                          {*provider_id, **user});
  if (!other) return other.error();
  if (!*other) {  // what the provider said of the user is its word no longer
    NL_TRY(
        db.run("DELETE FROM provider_session WHERE provider_id = ? AND user_id = ?", {*provider_id, **user}));
    Provider of;
    of.name = provider;
    ArrivedPerson person;
    person.user = UserId(**user);
    NL_TRY(set_groups(db, of, {}, person));
  }
  return tx->commit();
}

Result<std::optional<std::vector<LoggedOut>>> use_logout_token(Database& db, ProviderId provider,
                                                               const LogoutNotice& notice, WallTime now) {
  using Found = std::optional<std::vector<LoggedOut>>;
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(db.run("DELETE FROM logout_token WHERE at_ms < ?", {to_ms(now - kLogoutMemory)}));
  NL_TRY(
      db.run("INSERT INTO logout_token (provider_id, jti, at_ms, subject, sid) VALUES (?, ?, ?, ?, ?) "
             "ON CONFLICT DO NOTHING",
             {raw(provider), notice.id, to_ms(now), notice.subject, notice.session}));
  if (db.changes() == 0) return Found();
  std::vector<LoggedOut> out;
  auto query = db.prepare(
      "SELECT id, name FROM user WHERE id IN (SELECT user_id FROM identity WHERE provider_id = ?1 AND "
      "subject = ?2) OR "
      "(?2 = '' AND id IN (SELECT user_id FROM provider_session WHERE provider_id = ?1 AND sid = ?3))");
  if (query) query->bind(1, raw(provider)).bind(2, notice.subject).bind(3, notice.session);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    out.push_back({UserId(s.integer(0)), s.text(1)});
    return Done{};
  }));
  NL_TRY(tx->commit());
  return Found(std::move(out));
}

Result<std::optional<ToldSignIn>> find_told_sign_in(Database& db, std::int64_t sign_in_id) {
  auto query =
      db.prepare("SELECT provider, at_ms, recorded_ms FROM sign_in WHERE id = ? AND provider <> 'local'");
  if (!query) return query.error();
  query->bind(1, sign_in_id);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<ToldSignIn>();
  return std::optional(ToldSignIn{query->text(0), from_ms(query->integer(1)), from_ms(query->integer(2))});
}

Result<std::string> provider_of_group(Database& db, std::string_view group) {
  auto query =
      db.prepare("SELECT name FROM provider WHERE lower(substr(?1, -length(name) - 1)) = '@' || lower(name)");
  if (!query) return query.error();
  query->bind(1, group);
  auto row = query->step();
  if (!row) return row.error();
  return *row ? query->text(0) : std::string();
}

}  // namespace nightlatch
