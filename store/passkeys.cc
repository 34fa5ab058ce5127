#include "store/passkeys.h"

#include <array>

#include "base/crypto.h"
#include "store/browsers.h"
#include "store/rows.h"

namespace nightlatch {

namespace {
std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }

// The methods that auth/passkey.cc records.
constexpr std::string_view kWithPasskey =
    "provider = 'local' AND (methods LIKE 'hwk%' OR methods LIKE 'swk%')";

constexpr std::string_view kRow =
    "SELECT passkey.id, user_id, passkey.name, credential_id, algorithm, public_key, sign_count, "
    "user_verified, backup_eligible, backed_up, rp_id, passkey.created_ms, last_used_ms, user.name, "
    "user.enabled "
    "FROM passkey JOIN user ON user.id = user_id";

PasskeyRow row_of(const Statement& s) {
  PasskeyRow row;
  row.id = s.integer(0);
  row.passkey = {UserId(s.integer(1)), s.text(2),         s.text(3),         s.integer(4),      s.text(5),
                 s.integer(6),         s.integer(7) != 0, s.integer(8) != 0, s.integer(9) != 0, s.text(10)};
  row.created = from_ms(s.integer(11));
  if (!s.null(12)) row.last_used = from_ms(s.integer(12));
  row.user_name = s.text(13);
  row.user_enabled = s.integer(14) != 0;
  return row;
}

// "laptop", or the first of "laptop 2", "laptop 3", ... that the user has not.
Result<std::string> free_name(Database& db, UserId user, const std::string& wanted) {
  for (std::int64_t i = 1; i <= kMostPasskeys + 1; ++i) {
    std::string name = i == 1 ? wanted : fmt::format("{} {}", wanted, i);
    auto taken = db.integer("SELECT 1 FROM passkey WHERE user_id = ? AND name = ?", {raw(user), name});
    if (!taken) return taken.error();
    if (!*taken) return name;
  }
  return Error::conflict("too many passkeys have this name");
}
}  // namespace

Result<std::string> add_passkey(Database& db, const NewPasskey& p, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto known = find_passkey(db, p.credential_id);
  if (!known) return known.error();
  if (*known) return Error::conflict("this passkey is known already");
  auto count = db.integer("SELECT count(*) FROM passkey WHERE user_id = ?", {raw(p.user)});
  if (!count) return count.error();
  if (**count >= kMostPasskeys) return Error::conflict("there are too many passkeys: remove one first");
  auto name = free_name(db, p.user, p.name);
  if (!name) return name.error();
  auto insert = db.prepare(
      "INSERT INTO passkey (user_id, name, credential_id, algorithm, public_key, sign_count, user_verified, "
      "backup_eligible, backed_up, rp_id, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  insert->bind(1, raw(p.user))
      .bind(2, *name)
      .bind_blob(3, p.credential_id)
      .bind(4, p.algorithm)
      .bind_blob(5, p.public_key)
      .bind(6, p.sign_count)
      .bind(7, std::int64_t{p.user_verified})
      .bind(8, std::int64_t{p.backup_eligible})
      .bind(9, std::int64_t{p.backed_up})
      .bind(10, p.rp_id)
      .bind(11, now);
  NL_TRY(insert->run());
  NL_TRY(tx->commit());
  return name;
}

Result<std::vector<PasskeyRow>> list_passkeys(Database& db, UserId user) {
  std::vector<PasskeyRow> rows;
  auto query = db.prepare(fmt::format("{} WHERE user_id = ? ORDER BY passkey.id", kRow));
  if (query) query->bind(1, raw(user));
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    rows.push_back(row_of(s));
    return Done{};
  }));
  return rows;
}

Result<std::optional<PasskeyRow>> find_passkey(Database& db, std::string_view credential_id) {
  auto query = db.prepare(fmt::format("{} WHERE credential_id = ?", kRow));
  if (!query) return query.error();
  query->bind_blob(1, credential_id);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<PasskeyRow>();
  return std::optional<PasskeyRow>(row_of(*query));
}

Result<bool> any_passkey(Database& db, const std::string& rp_id) {
  auto any = db.integer("SELECT EXISTS (SELECT 1 FROM passkey WHERE rp_id IN ('', ?))", {rp_id});
  if (!any) return any.error();
  return any->value_or(0) != 0;
}

Result<bool> use_passkey(Database& db, std::int64_t id, std::uint32_t sign_count, bool backed_up,
                         WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(
      db.run("UPDATE passkey SET sign_count = ?1, backed_up = ?2, last_used_ms = ?3 "
             "WHERE id = ?4 AND (sign_count < ?1 OR (sign_count = 0 AND ?1 = 0))",
             {std::int64_t{sign_count}, std::int64_t{backed_up}, to_ms(now), id}));
  const bool used = db.changes() == 1;
  NL_TRY(tx->commit());
  return used;
}

Result<RemovedPasskeys> remove_passkeys(Database& db, UserId user, const std::optional<std::string>& name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  RemovedPasskeys removed;
  NL_TRY(db.run("DELETE FROM passkey WHERE user_id = ?1 AND (?2 IS NULL OR name = ?2)",
                {raw(user), name ? Database::Value(*name) : std::nullopt}));
  removed.passkeys = db.changes();
  if (removed.passkeys > 0) {
    // A browser that signed in with one may be beside another, in a session that has a later sign-in.
    for (const char* of : {"browser", "presence"}) {
      NL_TRY(db.run(
          fmt::format("DELETE FROM {} WHERE user_id = ?1 AND sign_in_id IN (SELECT id FROM sign_in WHERE "
                      "user_id = ?1 AND {})",
                      of, kWithPasskey),
          {raw(user)}));
      removed.sessions = db.changes();
    }
    NL_TRY(forget_second_factor(db, user));
  }
  NL_TRY(tx->commit());
  return removed;
}

Result<std::optional<std::string>> find_user_handle(Database& db, UserId user) {
  auto query = db.prepare("SELECT handle FROM user_handle WHERE user_id = ?");
  if (!query) return query.error();
  query->bind(1, raw(user));
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<std::string>();
  return std::optional<std::string>(query->text(0));
}

Result<std::string> make_user_handle(Database& db, UserId user) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto known = find_user_handle(db, user);
  if (!known) return known.error();
  if (*known) return **known;
  std::array<unsigned char, 32> bytes{};
  random_bytes(bytes);
  const std::string handle(bytes.begin(), bytes.end());
  auto insert = db.prepare("INSERT INTO user_handle VALUES (?, ?)");
  if (!insert) return insert.error();
  insert->bind(1, raw(user)).bind_blob(2, handle);
  NL_TRY(insert->run());
  NL_TRY(tx->commit());
  return handle;
}

Result<bool> signed_in_with_passkey(Database& db, std::int64_t sign_in_id) {
  auto found =
      db.integer(fmt::format("SELECT 1 FROM sign_in WHERE id = ? AND {}", kWithPasskey), {sign_in_id});
  if (!found) return found.error();
  return found->has_value();
}

}  // namespace nightlatch
