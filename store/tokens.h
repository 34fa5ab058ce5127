// Tokens: application passwords, with which a person says who they are in a connection (SOCKS5, HTTP proxy),
// and service tokens, by which a machine proves itself, there or at the portal.
// The secret is shown once and kept nowhere: the store has its SHA-256, which is enough for 128 random bits.
// The gate reads tokens with the office (store/office_store.h), so that a revocation is seen like any other
// change of the configuration. A revoked token's row stays, for the log; its name is free again. Each change
// is one transaction; every function runs on the Database's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct NewToken {
  std::string name;                      // empty: one is made from the user's or the device's
  std::string user;                      // must exist, like each resource; or empty, for a machine's
  std::vector<std::string> resources{};  // empty: it is good for every destination
  std::optional<Seconds> lifetime{};     // nothing: it does not expire
  std::string device{};                  // the machine: must exist then
};
struct AddedToken {
  TokenId id{};
  std::string name;
  std::string secret;  // wipe it (base/crypto.h)
};
[[nodiscard]] Result<AddedToken> add_token(Database& db, const NewToken& token, WallTime now);

struct TokenRow {
  TokenId id{};
  std::string name;
  std::string user, device;  // one of the two is empty
  bool limited = false;
  std::vector<std::string> resources;
  WallTime created{};
  std::optional<WallTime> expires, last_used, revoked;
};
[[nodiscard]] Result<std::vector<TokenRow>> list_tokens(Database& db);  // revoked ones too

struct TokenUse {
  TokenId token{};
  WallTime at{};
};
// Notes when tokens were last used; an earlier time than is there changes nothing.
[[nodiscard]] Status note_token_uses(Database& db, const std::vector<TokenUse>& uses);

// By its name, in any case, or its id; live flows that it let through end at once. A second time: conflict.
[[nodiscard]] Result<TokenRow> revoke_token(Database& db, std::string_view name_or_id, WallTime now);

}  // namespace nightlatch
