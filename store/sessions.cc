// Sign-ins, presence and the store's clock; holds are in holds.cc.
#include "store/sessions.h"

#include <algorithm>

#include "store/rows.h"

namespace nightlatch {

namespace {

std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }
std::int64_t raw(DeviceId id) { return static_cast<std::int64_t>(id); }

// A row of an older generation was made before the clock was set back: it does not count.
constexpr std::string_view kPresent =
    "SELECT user_id, signed_in_ms, second_factor_ms, sign_in_id FROM presence "
    "WHERE device_id = ?1 AND generation = (SELECT generation FROM meta)";

Result<std::optional<Presence>> present(Result<Statement> query, DeviceId device,
                                        std::optional<UserId> user) {
  if (!query) return query.error();
  query->bind(1, raw(device));
  if (user) query->bind(2, raw(*user));
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<Presence>();
  Presence p;
  p.user = UserId(query->integer(0));
  p.signed_in = from_ms(query->integer(1));
  if (!query->null(2)) p.second_factor = from_ms(query->integer(2));
  p.sign_in_id = query->integer(3);
  return std::optional<Presence>(p);
}

// An admin may have disabled the user, or revoked the device, while the password was being checked.
Status check_admitted(Database& db, const NewSignIn& sign_in) {
  auto enabled = db.integer(
      "SELECT 1 FROM user, device WHERE user.id = ? AND user.enabled AND device.id = ? "
      "AND device.state <> 'revoked'",
      {raw(sign_in.user), raw(sign_in.device)});
  if (!enabled) return enabled.error();
  if (!*enabled) return Error::not_found("the user or the device is no longer admitted");
  return Done{};
}

Status add_to_history(Database& db, const NewSignIn& sign_in, WallTime now, std::int64_t generation) {
  return db.run(
      "INSERT INTO sign_in (user_id, device_id, at_ms, recorded_ms, methods, second_factor, provider, "
      "address, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {raw(sign_in.user), raw(sign_in.device), to_ms(sign_in.at), to_ms(now), sign_in.methods,
       std::int64_t{sign_in.second_factor.has_value()}, sign_in.provider, sign_in.address, generation});
}

}  // namespace

Result<StoreClock> store_clock(Database& db) {
  auto query = db.prepare("SELECT clock_ms, generation FROM meta");
  if (!query) return query.error();
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return Error::invalid("the store has no meta row: it is damaged", "restore a backup");
  return StoreClock{from_ms(query->integer(0)), query->integer(1)};
}

Result<std::int64_t> move_clock(Database& db, WallTime now) {
  auto clock = store_clock(db);
  if (!clock) return clock.error();
  if (set_back(*clock, now + db.waited())) {
    // Every earlier sign-in and proof is void: its age can no longer be told (semantics 11).
    NL_TRY(db.run("UPDATE meta SET clock_ms = ?, generation = generation + 1", {to_ms(now)}));
    NL_TRY(db.run("DELETE FROM presence"));
    NL_TRY(db.run("DELETE FROM device_proof"));
    return clock->generation + 1;
  }
  if (now > clock->latest) NL_TRY(db.run("UPDATE meta SET clock_ms = ?", {to_ms(now)}));
  return clock->generation;
}

Status advance_clock(Database& db, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto generation = move_clock(db, now);
  if (!generation) return generation.error();
  return tx->commit();
}

Result<SignInResult> record_sign_in(Database& db, const NewSignIn& sign_in, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto generation = move_clock(db, now);
  if (!generation) return generation.error();
  NL_TRY(check_admitted(db, sign_in));

  SignInResult result;
  auto here = presence_on(db, sign_in.device);
  if (!here) return here.error();
  if (*here && (*here)->user != sign_in.user) result.handed_over_from = (*here)->user;
  auto before = presence_on(db, sign_in.device, sign_in.user);
  if (!before) return before.error();

  NL_TRY(add_to_history(db, sign_in, now, *generation));
  result.id = db.last_insert_id();

  WallTime at = sign_in.at;
  std::int64_t id = result.id;
  std::optional<WallTime> factor = sign_in.second_factor;
  if (*before) {                      // per-method freshness: the later of each (semantics 2)
    if ((*before)->signed_in > at) {  // a provider's word, or a hand-off, about an earlier one
      at = (*before)->signed_in;
      id = (*before)->sign_in_id;
    }
    if ((*before)->second_factor) {
      factor = factor ? std::max(*factor, *(*before)->second_factor) : (*before)->second_factor;
    }
  }
  NL_TRY(
      // A trigger ends the others' presence there, unless the device is shared.
      db.run("INSERT INTO presence VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (device_id, user_id) "
             "DO UPDATE SET sign_in_id = ?3, signed_in_ms = ?4, second_factor_ms = ?5, generation = ?6",
             {raw(sign_in.device), raw(sign_in.user), id, to_ms(at),
              factor ? Database::Value(to_ms(*factor)) : std::nullopt, *generation}));
  NL_TRY(tx->commit());
  return result;
}

Result<bool> record_second_factor(Database& db, const NewSignIn& sign_in, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto generation = move_clock(db, now);
  if (!generation) return generation.error();
  NL_TRY(check_admitted(db, sign_in));
  auto here = presence_on(db, sign_in.device, sign_in.user);
  if (!here) return here.error();
  if (!*here || !sign_in.second_factor) return false;
  NL_TRY(add_to_history(db, sign_in, now, *generation));
  const WallTime factor = std::max(*sign_in.second_factor, (*here)->second_factor.value_or(WallTime{}));
  NL_TRY(db.run("UPDATE presence SET second_factor_ms = ? WHERE device_id = ? AND user_id = ?",
                {to_ms(factor), raw(sign_in.device), raw(sign_in.user)}));
  NL_TRY(tx->commit());
  return true;
}

Result<std::optional<Presence>> presence_on(Database& db, DeviceId device) {
  return present(db.prepare(fmt::format("{} AND NOT (SELECT shared FROM device WHERE id = ?1)", kPresent)),
                 device, std::nullopt);
}

Result<std::optional<Presence>> presence_on(Database& db, DeviceId device, UserId user) {
  return present(db.prepare(fmt::format("{} AND user_id = ?2", kPresent)), device, user);
}

Result<std::vector<PresenceRow>> list_presence(Database& db) {
  std::vector<PresenceRow> rows;
  NL_TRY(each_row(
      db.prepare(
          "SELECT presence.device_id, presence.user_id, signed_in_ms, second_factor_ms, sign_in_id, methods, "
          "provider FROM presence JOIN sign_in ON sign_in.id = sign_in_id "
          "WHERE presence.generation = (SELECT generation FROM meta) ORDER BY presence.device_id, "
          "presence.user_id"),
      [&](Statement& s) -> Status {
        PresenceRow row;
        row.device = DeviceId(s.integer(0));
        row.presence.user = UserId(s.integer(1));
        row.presence.signed_in = from_ms(s.integer(2));
        if (!s.null(3)) row.presence.second_factor = from_ms(s.integer(3));
        row.presence.sign_in_id = s.integer(4);
        row.methods = s.text(5);
        row.provider = s.text(6);
        rows.push_back(std::move(row));
        return Done{};
      }));
  return rows;
}

Result<std::optional<SignInWay>> way_of(Database& db, DeviceId device, const Presence& presence) {
  auto query = db.prepare(
      "SELECT methods, provider FROM sign_in WHERE id = ?1 UNION ALL SELECT methods, provider FROM "
      "(SELECT methods, provider FROM sign_in WHERE device_id = ?2 AND user_id = ?3 AND second_factor "
      "AND at_ms = ?4 AND id <> ?1 ORDER BY id DESC LIMIT 1)");
  if (!query) return query.error();
  std::optional<std::int64_t> factor;
  if (presence.second_factor) factor = to_ms(*presence.second_factor);
  query->bind(1, presence.sign_in_id).bind(2, raw(device)).bind(3, raw(presence.user)).bind(4, factor);
  std::optional<SignInWay> way;
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    if (!way) {
      way = SignInWay{s.text(0), s.text(1)};
      return Done{};
    }
    const std::string had = " " + way->methods + " ";
    const std::string shown = s.text(0);
    for (const std::string_view word : split(shown, ' ')) {
      if (had.find(" " + std::string(word) + " ") == std::string::npos)
        way->methods += " " + std::string(word);
    }
    return Done{};
  }));
  return way;
}

Result<std::int64_t> end_sessions(Database& db, std::optional<UserId> user, std::optional<DeviceId> device,
                                  WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto generation = move_clock(db, now);
  if (!generation) return generation.error();
  NL_TRY(db.run("DELETE FROM presence WHERE (?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR device_id = ?2)",
                {user ? Database::Value(raw(*user)) : std::nullopt,
                 device ? Database::Value(raw(*device)) : std::nullopt}));
  std::int64_t ended = db.changes();
  if (!user) {  // what machines have proven ends with them
    NL_TRY(db.run("DELETE FROM device_proof WHERE ?1 IS NULL OR device_id = ?1",
                  {device ? Database::Value(raw(*device)) : std::nullopt}));
    ended += db.changes();
  }
  NL_TRY(tx->commit());
  return ended;
}

}  // namespace nightlatch
