// Holds, declared in sessions.h: one for each source and resource, found again by a short code that grants
// nothing.
#include "base/crypto.h"
#include "store/rows.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {

constexpr std::size_t kCodeSymbols = 6;      // 30 bits: short enough to read aloud
constexpr std::int64_t kMostHolds = 20'000;  // a flood of made-up sources cannot fill the disk
constexpr std::size_t kLongestUrl = 2048;

constexpr std::string_view kColumns = "code, source, resource_id, opened_ms, last_ms, flows, url";

Hold hold_from(const Statement& s) {
  return {s.text(0),    s.text(1), ResourceId(s.integer(2)), from_ms(s.integer(3)), from_ms(s.integer(4)),
          s.integer(5), s.text(6)};
}

}  // namespace

Result<std::optional<Hold>> find_hold(Database& db, std::string_view code) {
  auto query = db.prepare(fmt::format("SELECT {} FROM hold WHERE code = ?", kColumns));
  if (!query) return query.error();
  query->bind(1, code);
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<Hold>();
  return std::optional<Hold>(hold_from(*query));
}

Result<Hold> open_hold(Database& db, std::string_view source, ResourceId resource, std::string_view url,
                       WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  const std::string kept_url(url.size() <= kLongestUrl ? url : std::string_view());
  const auto id = static_cast<std::int64_t>(resource);

  auto query =
      db.prepare(fmt::format("SELECT {} FROM hold WHERE source = ? AND resource_id = ? AND last_ms > ? ORDER "
                             "BY last_ms DESC LIMIT 1",
                             kColumns));
  if (!query) return query.error();
  query->bind(1, source).bind(2, id).bind(3, now - kHoldLifetime);
  auto row = query->step();
  if (!row) return row.error();
  Hold hold;
  if (*row) {
    hold = hold_from(*query);
    query->reset();
    hold.last = now;
    ++hold.flows;
    if (!kept_url.empty()) hold.url = kept_url;
    NL_TRY(db.run("UPDATE hold SET last_ms = ?, flows = ?, url = ? WHERE code = ?",
                  {to_ms(now), hold.flows, hold.url, hold.code}));
  } else {
    query->reset();
    NL_TRY(db.run("DELETE FROM hold WHERE last_ms <= ?", {to_ms(now - kHoldLifetime)}));
    NL_TRY(
        db.run("DELETE FROM hold WHERE code IN (SELECT code FROM hold ORDER BY last_ms "
               "LIMIT max(0, (SELECT count(*) FROM hold) - ?))",
               {kMostHolds - 1}));
    hold = {{}, std::string(source), resource, now, now, 1, kept_url};
    while (true) {
      hold.code = random_code(kCodeSymbols);
      NL_TRY(db.run("INSERT INTO hold VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT (code) DO NOTHING",
                    {hold.code, hold.source, id, to_ms(now), to_ms(now), kept_url}));
      if (db.changes() == 1) break;
    }
  }
  NL_TRY(tx->commit());
  return hold;
}

}  // namespace nightlatch
