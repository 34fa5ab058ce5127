#include "store/browsers.h"

#include <algorithm>

#include "store/rows.h"

namespace nightlatch {

namespace {
std::int64_t raw(UserId id) { return static_cast<std::int64_t>(id); }
std::int64_t raw(DeviceId id) { return static_cast<std::int64_t>(id); }
}  // namespace

Result<std::optional<Browser>> find_browser(Database& db, std::string_view token_sha256) {
  auto query = db.prepare(
      "SELECT user_id, device_id, sign_in_id, signed_in_ms, second_factor_ms FROM browser "
      "WHERE token_sha256 = ?");
  if (!query) return query.error();
  query->bind_blob(1, token_sha256);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<Browser>();
  Browser browser{UserId(query->integer(0)), DeviceId(query->integer(1)), std::nullopt};
  if (!query->null(2) && !query->null(3)) {
    Presence& shown = browser.shown.emplace();
    shown.user = browser.user;
    shown.sign_in_id = query->integer(2);
    shown.signed_in = from_ms(query->integer(3));
    if (!query->null(4)) shown.second_factor = from_ms(query->integer(4));
  }
  return std::optional(browser);
}

Status remember_browser(Database& db, std::string_view token_sha256, DeviceId device, const Presence& shown,
                        std::string_view before, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  Presence counts = shown;
  auto had = find_browser(db, before);
  if (!had) return had.error();
  if (*had && (*had)->user == shown.user && (*had)->device == device && (*had)->shown) {
    const Presence& earlier = *(*had)->shown;  // the later of each, as in presence
    if (earlier.signed_in > counts.signed_in) {
      counts.signed_in = earlier.signed_in;
      counts.sign_in_id = earlier.sign_in_id;
    }
    counts.second_factor = std::max(counts.second_factor, earlier.second_factor);
  }
  auto insert = db.prepare(
      "INSERT INTO browser (token_sha256, device_id, user_id, created_ms, sign_in_id, signed_in_ms, "
      "second_factor_ms) VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  insert->bind_blob(1, token_sha256)
      .bind(2, raw(device))
      .bind(3, raw(shown.user))
      .bind(4, now)
      .bind(5, counts.sign_in_id)
      .bind(6, counts.signed_in)
      .bind(7, counts.second_factor);
  NL_TRY(insert->run());
  return tx->commit();
}

Status note_factor_shown(Database& db, std::string_view token_sha256, WallTime at) {
  auto update = db.prepare(
      "UPDATE browser SET second_factor_ms = max(ifnull(second_factor_ms, ?1), ?1) WHERE token_sha256 = ?2");
  if (!update) return update.error();
  update->bind(1, at).bind_blob(2, token_sha256);
  return update->run();
}

Status forget_second_factor(Database& db, UserId user, std::string_view spared_sha256) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  for (const char* change :
       {"UPDATE browser SET second_factor_ms = NULL WHERE user_id = ?1 AND token_sha256 <> ?2",
        "UPDATE presence SET second_factor_ms = (SELECT b.second_factor_ms FROM browser b WHERE "
        "b.token_sha256 = ?2 AND b.device_id = presence.device_id AND b.user_id = ?1) WHERE user_id = ?1"}) {
    auto update = db.prepare(change);
    if (!update) return update.error();
    update->bind(1, raw(user)).bind_blob(2, spared_sha256);
    NL_TRY(update->run());
  }
  return tx->commit();
}

}  // namespace nightlatch
