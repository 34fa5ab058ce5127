// The browsers that people signed in with. Each holds a random token, and the SHA-256 of it is here, with
// what its user has shown in that very browser: behind one address, or on a shared device, somebody else's
// may be beside it in the same session, and what decides about the user's own factors and logins is not for
// that one. A browser is gone with the session that it belongs to. On the Database's thread; each change is
// one transaction and durable when it returns.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct Browser {
  UserId user{};
  DeviceId device{};
  std::optional<Presence> shown;  // nothing: it signed in before that was kept
};
[[nodiscard]] Result<std::optional<Browser>> find_browser(Database& db, std::string_view token_sha256);

// A browser that has just signed in. `before`: the SHA-256 of the token that it had until now, or empty; what
// was shown with that counts on, if it was the same user's on the same device.
[[nodiscard]] Status remember_browser(Database& db, std::string_view token_sha256, DeviceId device,
                                      const Presence& shown, std::string_view before, WallTime now);

// A second factor was shown in it. Nothing happens when it is gone.
[[nodiscard]] Status note_factor_shown(Database& db, std::string_view token_sha256, WallTime at);

// Whoever had a factor that is gone may have shown it somewhere: what that opened is closed, in every browser
// and on every device of the user, but for what was shown in the browser that is spared.
[[nodiscard]] Status forget_second_factor(Database& db, UserId user, std::string_view spared_sha256 = {});

}  // namespace nightlatch
