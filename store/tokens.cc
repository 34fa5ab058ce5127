#include "store/tokens.h"

#include <algorithm>
#include <charconv>

#include "base/crypto.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

constexpr std::size_t kSecretBytes = 16;
constexpr std::string_view kSecretPrefix =
    "nlt_";  // so that people, and scanners for leaks, know it when seen

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::optional<std::int64_t>> in_use(Database& db, std::string_view name) {
  return db.integer("SELECT id FROM token WHERE name = ? AND revoked_ms IS NULL", {std::string(name)});
}

// "alice-1", or the next number that is free.
Result<std::string> free_name(Database& db, std::string_view owner) {
  for (int n = 1;; ++n) {
    std::string name = fmt::format("{}-{}", owner, n);
    auto taken = in_use(db, name);
    if (!taken) return taken.error();
    if (!*taken) return name;
  }
}

Status check_free_name(Database& db, std::string_view name) {
  NL_TRY(check_name(name, "token"));
  if (is_number(name)) {
    return Error::usage(fmt::format("token: the name '{}' would be taken for an id", name),
                        "let it hold a letter");
  }
  auto taken = in_use(db, name);
  if (!taken) return taken.error();
  if (*taken) {
    return Error::conflict(fmt::format("there is already a token '{}'", name),
                           "choose another name, or see: nightlatch token list");
  }
  return Done{};
}

// The id behind a name or an id: not_found with the nearest name.
Result<std::int64_t> find(Database& db, std::string_view name_or_id) {
  auto named = in_use(db, name_or_id);
  if (!named) return named.error();
  if (*named) return **named;
  std::int64_t id = 0;
  const auto parsed = std::from_chars(name_or_id.data(), name_or_id.data() + name_or_id.size(), id);
  if (is_number(name_or_id) && parsed.ec == std::errc()) {
    auto row = db.integer("SELECT id FROM token WHERE id = ?", {id});
    if (!row) return row.error();
    if (*row) return **row;
  }
  std::vector<std::string> names;
  NL_TRY(each_row(db.prepare("SELECT name FROM token WHERE revoked_ms IS NULL ORDER BY name"),
                  [&](Statement& s) -> Status {
                    names.push_back(s.text(0));
                    return Done{};
                  }));
  const std::string meant = nearest(lower(name_or_id), names);
  return Error::not_found(
      fmt::format("there is no token '{}' in use", printable(name_or_id)),
      meant.empty() ? "see: nightlatch token list" : fmt::format("did you mean '{}'?", meant));
}

}  // namespace

Result<AddedToken> add_token(Database& db, const NewToken& token, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  const bool machine = token.user.empty();
  const std::string& of = machine ? token.device : token.user;
  auto owner = id_of(db, machine ? "device" : "user", of);
  if (!owner) return owner.error();
  AddedToken added;
  added.name = token.name;
  if (added.name.empty()) {
    auto made = free_name(db, lower(of));
    if (!made) return made.error();
    added.name = std::move(*made);
  } else {
    NL_TRY(check_free_name(db, added.name));
  }
  added.secret = std::string(kSecretPrefix) + random_token(kSecretBytes);
  const Digest hash = sha256(added.secret);
  auto insert = db.prepare(
      "INSERT INTO token (name, secret_sha256, user_id, device_id, limited, created_ms, expires_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  insert->bind(1, added.name)
      .bind_blob(2, std::string(hash.begin(), hash.end()))
      .bind(3, machine ? std::nullopt : std::optional(*owner))
      .bind(4, machine ? std::optional(*owner) : std::nullopt)
      .bind(5, std::int64_t{!token.resources.empty()})
      .bind(6, now)
      .bind(7, token.lifetime ? std::optional(now + *token.lifetime) : std::nullopt);
  NL_TRY(insert->run());
  added.id = TokenId(db.last_insert_id());
  for (const std::string& name : token.resources) {
    auto resource = id_of(db, "resource", name);
    if (!resource) return resource.error();
    NL_TRY(db.run("INSERT INTO token_resource VALUES (?, ?) ON CONFLICT DO NOTHING",
                  {static_cast<std::int64_t>(added.id), *resource}));
  }
  NL_TRY(tx->commit());
  return added;
}

Result<std::vector<TokenRow>> list_tokens(Database& db) {
  std::vector<TokenRow> tokens;
  NL_TRY(each_row(
      db.prepare("SELECT token.id, token.name, ifnull(user.name, ''), ifnull(device.name, ''), limited, "
                 "token.created_ms, expires_ms, last_used_ms, revoked_ms FROM token "
                 "LEFT JOIN user ON user.id = user_id LEFT JOIN device ON device.id = device_id "
                 "LEFT JOIN token_use ON token_id = token.id ORDER BY token.id"),
      [&](Statement& s) -> Status {
        const auto time = [&](int column) {
          return s.null(column) ? std::nullopt : std::optional(from_ms(s.integer(column)));
        };
        tokens.push_back({TokenId(s.integer(0)),
                          s.text(1),
                          s.text(2),
                          s.text(3),
                          s.integer(4) != 0,
                          {},
                          from_ms(s.integer(5)),
                          time(6),
                          time(7),
                          time(8)});
        return Done{};
      }));
  NL_TRY(each_row(
      db.prepare("SELECT token_id, name FROM token_resource JOIN resource ON resource.id = resource_id "
                 "ORDER BY token_id, name"),
      [&](Statement& s) -> Status {
        for (TokenRow& t : tokens) {
          if (static_cast<std::int64_t>(t.id) == s.integer(0)) t.resources.push_back(s.text(1));
        }
        return Done{};
      }));
  return tokens;
}

Status note_token_uses(Database& db, const std::vector<TokenUse>& uses) {
  if (uses.empty()) return Done{};
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  for (const TokenUse& use : uses) {
    // A token that has gone meanwhile leaves no row.
    NL_TRY(
        db.run("INSERT INTO token_use SELECT id, ?2 FROM token WHERE id = ?1 ON CONFLICT (token_id) "
               "DO UPDATE SET last_used_ms = max(last_used_ms, excluded.last_used_ms)",
               {static_cast<std::int64_t>(use.token), to_ms(use.at)}));
  }
  return tx->commit();
}

Result<TokenRow> revoke_token(Database& db, std::string_view name_or_id, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = find(db, name_or_id);
  if (!id) return id.error();
  NL_TRY(db.run("UPDATE token SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL", {to_ms(now), *id}));
  if (db.changes() == 0) {
    return Error::conflict(fmt::format("token {} is revoked already", *id), "see: nightlatch token list");
  }
  auto tokens = list_tokens(db);
  if (!tokens) return tokens.error();
  NL_TRY(tx->commit());
  const auto row = std::find_if(tokens->begin(), tokens->end(),
                                [&](const TokenRow& t) { return static_cast<std::int64_t>(t.id) == *id; });
  if (row == tokens->end()) return Error::failure("the token could not be read again");
  return std::move(*row);
}

}  // namespace nightlatch
