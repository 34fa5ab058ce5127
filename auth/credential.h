// The check of a credential that a client sends in its connection: a user's name and an application password,
// or a device's name and a service token, as SOCKS5 (RFC 1929) and HTTP proxies (RFC 7617) carry them. Pure,
// and fast enough for an event loop: the secret is random, so one SHA-256 serves and argon2 is not needed.
// Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/decide.h"

namespace nightlatch {

struct CheckedCredential {
  TokenId token = TokenId::none;     // that name and secret prove; none: there is no such token
  UserId user = UserId::none;        // whose it is, or
  DeviceId device = DeviceId::none;  // which machine's
  bool good = false;            // it is in force, and its user enabled; decide() looks again for each verdict
  WallTime at{};                // when it was checked: a machine's is a proof of that moment,
  std::int64_t generation = 0;  // of the store's clock (store/sessions.h), which Judge adds
};

// The name is that of the token's user or device, in any case, as for signing in.
[[nodiscard]] CheckedCredential check_credential(const Office& office, std::string_view name,
                                                 std::string_view secret, WallTime now);

}  // namespace nightlatch
