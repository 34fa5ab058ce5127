// What the site's own files share: work that is under way, and the signed-in browser's cookie. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "net/loop.h"
#include "web/site.h"

namespace nightlatch {

inline constexpr std::string_view kBrowserCookie = "__Host-nl";

// A password being checked, or an answer that waits. Gone work never calls back.
struct Site::Work {
  Ticket ticket;
  std::unique_ptr<Timer> timer;
};

inline std::string token_digest(std::string_view token) {
  const Digest digest = sha256(token);
  return {digest.begin(), digest.end()};
}

}  // namespace nightlatch
