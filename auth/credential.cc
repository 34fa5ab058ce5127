#include "auth/credential.h"

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

CheckedCredential check_credential(const Office& office, std::string_view name, std::string_view secret,
                                   WallTime now) {
  const Token* token = office.token_with(sha256(secret));
  if (token == nullptr) return {};
  // A right secret under another's name proves nothing, and the log must not say that it did.
  const User* user = office.user(token->user);
  if (user == nullptr || lower(user->name) != lower(name)) return {};
  return {token->id, user->id, speaks_for(office, *token, now) != nullptr};
}

}  // namespace nightlatch
