#include "store/logins.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/crypto.h"
#include "store/rows.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {

constexpr Seconds kKept{3600};  // beyond its end
constexpr std::int64_t kMostOpenHere = 5, kMostHere = 30, kMostOpen = 2000;
constexpr std::int64_t kMostRows = 20'000;  // settled ones too: who opens and withdraws cannot fill the disk

constexpr std::array<std::string_view, 5> kStates{"open", "approved", "refused", "withdrawn", "expired"};

constexpr std::string_view kColumns =
    "code, source, address, resource_id, asked_ms, expires_ms, state, user_id";
// As Login::over() says, with ?1 the time now and ?2 the tolerance.
constexpr std::string_view kOver = "(expires_ms <= ?1 OR asked_ms > ?1 + ?2)";

Login login_from(const Statement& s) {
  Login login;
  login.code = s.text(0);
  login.source = s.text(1);
  login.address = IpAddress::parse(s.text(2)).value_or(IpAddress());
  if (!s.null(3)) login.resource = ResourceId(s.integer(3));
  login.asked = from_ms(s.integer(4));
  login.expires = from_ms(s.integer(5));
  // The table's own check admits no other word.
  const auto* const state = std::find(kStates.begin(), kStates.end(), s.text(6));
  login.state = Login::State(std::min<std::ptrdiff_t>(state - kStates.begin(), 4));
  if (!s.null(7)) login.user = UserId(s.integer(7));
  return login;
}

Result<std::optional<Login>> one(Result<Statement>&& query) {
  std::optional<Login> found;
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    found = login_from(s);
    return Done{};
  }));
  return found;
}

}  // namespace

bool Login::over(WallTime now) const { return now >= expires || now + kClockTolerance < asked; }

std::string_view to_text(Login::State s) { return kStates[static_cast<std::size_t>(s)]; }

Result<std::optional<Seconds>> wait_for_login(Database& db, const std::string& counted_as, WallTime now) {
  const auto none = std::optional<Seconds>();
  auto query = db.prepare(
      "SELECT count(*) FILTER (WHERE counted_as = ?3), count(*) FILTER (WHERE counted_as = ?3 AND open), "
      "count(*) FILTER (WHERE open), min(expires_ms) FILTER (WHERE counted_as = ?3 AND open), "
      "min(expires_ms) FILTER (WHERE counted_as = ?3), min(expires_ms) FILTER (WHERE open) FROM (SELECT "
      "counted_as, expires_ms, state = 'open' AS open FROM login WHERE expires_ms > ?1 "
      "AND asked_ms <= ?1 + ?2)");
  if (!query) return query.error();
  query->bind(1, now).bind(2, kClockTolerance.count()).bind(3, counted_as);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return none;
  int first_to_end = 0;
  if (query->integer(2) >= kMostOpen) first_to_end = 5;
  if (query->integer(0) >= kMostHere) first_to_end = 4;
  if (query->integer(1) >= kMostOpenHere) first_to_end = 3;
  if (first_to_end == 0) return none;
  const WallTime ends = from_ms(query->integer(first_to_end));
  return std::optional(std::max(std::chrono::ceil<Seconds>(ends - now), Seconds(1)));
}

Result<OpenedLogin> open_login(Database& db, const NewLogin& fresh, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto wait = wait_for_login(db, fresh.counted_as, now);
  if (!wait) return wait.error();
  if (*wait) return OpenedLogin{std::nullopt, **wait};
  NL_TRY(db.run(
      "DELETE FROM login WHERE code IN (SELECT code FROM login WHERE state <> 'open' ORDER BY asked_ms "
      "LIMIT max(0, (SELECT count(*) FROM login) - ?))",
      {kMostRows - 1}));
  Login login;
  login.source = fresh.source;
  login.address = fresh.address;
  login.resource = fresh.resource;
  login.asked = now;
  login.expires = now + kLoginLifetime;
  auto insert = db.prepare(
      "INSERT INTO login (code, device_sha256, source, address, counted_as, resource_id, asked_ms, "
      "expires_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code) DO NOTHING");
  if (!insert) return insert.error();
  std::optional<std::int64_t> resource;
  if (login.resource) resource = static_cast<std::int64_t>(*login.resource);
  do {
    login.code = random_code(kLoginCodeSymbols);
    insert->bind(1, login.code).bind_blob(2, fresh.device_sha256).bind(3, login.source);
    insert->bind(4, login.address.text()).bind(5, fresh.counted_as).bind(6, resource);
    insert->bind(7, login.asked).bind(8, login.expires);
    NL_TRY(insert->run());
  } while (db.changes() == 0);
  NL_TRY(tx->commit());
  return OpenedLogin{std::move(login), Seconds(0)};
}

Result<std::optional<Login>> find_login(Database& db, std::string_view code) {
  auto query = db.prepare(fmt::format("SELECT {} FROM login WHERE code = ?", kColumns));
  if (query) query->bind(1, code);
  return one(std::move(query));
}

Result<std::optional<Login>> find_login_of(Database& db, const std::string& device_sha256) {
  auto query = db.prepare(fmt::format("SELECT {} FROM login WHERE device_sha256 = ?", kColumns));
  if (query) query->bind_blob(1, device_sha256);
  return one(std::move(query));
}

Result<bool> settle_login(Database& db, std::string_view code, Login::State state, std::optional<UserId> user,
                          WallTime now) {
  auto update = db.prepare(fmt::format(
      "UPDATE login SET state = ?3, user_id = ?4 WHERE code = ?5 AND state = 'open' AND NOT {}", kOver));
  if (!update) return update.error();
  std::optional<std::int64_t> id;
  if (user) id = static_cast<std::int64_t>(*user);
  update->bind(1, now).bind(2, kClockTolerance.count()).bind(3, to_text(state)).bind(4, id).bind(5, code);
  NL_TRY(update->run());
  return db.changes() == 1;
}

Result<bool> logins_to_expire(Database& db, WallTime now) {
  auto found = db.integer(fmt::format("SELECT 1 FROM login WHERE state = 'open' AND {} LIMIT 1", kOver),
                          {to_ms(now), kClockTolerance.count()});
  if (!found) return found.error();
  return found->has_value();
}

Result<std::vector<Login>> expire_logins(Database& db, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  std::vector<Login> expired;
  auto query = db.prepare(fmt::format("SELECT {} FROM login WHERE state = 'open' AND {}", kColumns, kOver));
  if (query) query->bind(1, now).bind(2, kClockTolerance.count());
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    expired.push_back(login_from(s));
    expired.back().state = Login::State::expired;
    return Done{};
  }));
  NL_TRY(db.run(fmt::format("UPDATE login SET state = 'expired' WHERE state = 'open' AND {}", kOver),
                {to_ms(now), kClockTolerance.count()}));
  NL_TRY(db.run("DELETE FROM login WHERE expires_ms <= ?", {to_ms(now - kKept)}));
  NL_TRY(tx->commit());
  return expired;
}

}  // namespace nightlatch
