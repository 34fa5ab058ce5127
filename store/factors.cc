#include "store/factors.h"

#include "store/browsers.h"
#include "store/rows.h"

namespace nightlatch {

namespace {
std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }
std::string blob(const Digest& digest) { return {digest.begin(), digest.end()}; }
}  // namespace

Result<Factors> find_factors(Database& db, UserId user) {
  Factors factors;
  auto otp = db.integer("SELECT created_ms FROM otp WHERE user_id = ?", {raw(user)});
  if (!otp) return otp.error();
  if (*otp) factors.otp_since = from_ms(**otp);
  auto codes =
      db.integer("SELECT count(*) FROM recovery_code WHERE user_id = ? AND used_ms IS NULL", {raw(user)});
  if (!codes) return codes.error();
  factors.recovery_codes = codes->value_or(0);
  auto passkeys = db.integer("SELECT count(*) FROM passkey WHERE user_id = ?", {raw(user)});
  if (!passkeys) return passkeys.error();
  factors.passkeys = passkeys->value_or(0);
  return factors;
}

Result<std::optional<OtpRow>> find_otp(Database& db, UserId user) {
  auto query = db.prepare("SELECT secret, last_step FROM otp WHERE user_id = ?");
  if (!query) return query.error();
  query->bind(1, raw(user));
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<OtpRow>();
  return std::optional<OtpRow>(OtpRow{query->text(0), query->integer(1)});
}

Status set_otp(Database& db, UserId user, const std::function<Result<std::string>()>& seal,
               std::int64_t last_step, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto sealed = seal();
  if (!sealed) return sealed.error();
  if (sealed->empty()) return Error::failure("the secret could not be sealed");
  NL_TRY(db.run("DELETE FROM otp WHERE user_id = ?", {raw(user)}));
  if (db.changes() > 0) NL_TRY(forget_second_factor(db, user));
  auto insert = db.prepare("INSERT INTO otp VALUES (?, ?, ?, ?)");
  if (!insert) return insert.error();
  insert->bind(1, raw(user)).bind_blob(2, *sealed).bind(3, last_step).bind(4, now);
  NL_TRY(insert->run());
  return tx->commit();
}

Result<bool> use_otp_step(Database& db, UserId user, std::int64_t step) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(db.run("UPDATE otp SET last_step = ?1 WHERE user_id = ?2 AND last_step < ?1", {step, raw(user)}));
  const bool used = db.changes() == 1;
  NL_TRY(tx->commit());
  return used;
}

Status set_recovery_codes(Database& db, UserId user, const std::vector<Digest>& codes, WallTime now,
                          std::string_view spared) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(db.run("DELETE FROM recovery_code WHERE user_id = ?", {raw(user)}));
  if (db.changes() > 0) NL_TRY(forget_second_factor(db, user, spared));
  auto insert = db.prepare("INSERT INTO recovery_code VALUES (?, ?, ?, NULL)");
  if (!insert) return insert.error();
  for (const Digest& code : codes) {
    insert->bind(1, raw(user)).bind_blob(2, blob(code)).bind(3, now);
    NL_TRY(insert->run());
  }
  return tx->commit();
}

Result<bool> use_recovery_code(Database& db, UserId user, const Digest& code, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto update = db.prepare(
      "UPDATE recovery_code SET used_ms = ? WHERE user_id = ? AND code_sha256 = ? AND used_ms IS NULL");
  if (!update) return update.error();
  update->bind(1, now).bind(2, raw(user)).bind_blob(3, blob(code));
  NL_TRY(update->run());
  const bool used = db.changes() == 1;
  NL_TRY(tx->commit());
  return used;
}

Result<bool> remove_factor(Database& db, UserId user, FactorKind kind) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(db.run(kind == FactorKind::otp ? "DELETE FROM otp WHERE user_id = ?"
                                        : "DELETE FROM recovery_code WHERE user_id = ?",
                {raw(user)}));
  const bool removed = db.changes() > 0;
  if (removed) NL_TRY(forget_second_factor(db, user));
  NL_TRY(tx->commit());
  return removed;
}

}  // namespace nightlatch
