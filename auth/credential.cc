#include "auth/credential.h"

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

CheckedCredential check_credential(const Office& office, std::string_view name, std::string_view secret,
                                   WallTime now) {
  const Token* token = office.token_with(sha256(secret));
  if (token == nullptr) return {};
  // A right secret under another's name proves nothing, and the log must not say that it did.
  if (const Device* device = office.device(token->device);
      token->user == UserId::none && device != nullptr && lower(device->name) == lower(name)) {
    return {token->id, UserId::none, device->id, machine_of(office, *token, now) != nullptr, now, 0};
  }
  const User* user = office.user(token->user);
  if (user == nullptr || lower(user->name) != lower(name)) return {};
  return {token->id, user->id, DeviceId::none, speaks_for(office, *token, now) != nullptr, now, 0};
}

}  // namespace nightlatch
