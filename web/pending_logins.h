// PendingLogins: sign-ins that were sent to an OpenID provider and are awaited back. Each has a random state,
// good once, for ten minutes, in the browser and on the device that began it. In memory, in bounded room:
// after a restart nothing is awaited, and a browser that comes back begins anew. Owned by the site; loop's
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>

#include "auth/id_token.h"
#include "base/time.h"
#include "store/providers.h"

namespace nightlatch {

struct PendingLogin {
  ProviderId provider{};        // not its name, which another may have by now
  std::string nonce, verifier;  // OpenID Connect Core section 3.1.2.1, RFC 7636
  std::string browser;          // the form cookie of the browser that began it
  std::string source;           // the device: its MAC or address
  std::string counted_as;       // throttle_source() (web/site_work.h): whose room this takes
  std::string hold, login;      // what it is for (web/site.h, Onward)
  std::string resource;         // that asked for it, or empty
  Freshness wanted;
  bool second_factor = false;  // one was asked for
  WallTime asked{};
};

inline constexpr Millis kPendingLogin{600'000};
inline constexpr std::size_t kMostOfBrowser = 8;

class PendingLogins {
 public:
  explicit PendingLogins(std::function<BootTime()> now = BootClock::now, std::size_t capacity = 4096,
                         std::size_t per_source = 32);

  // One too many puts out another: one that is of no more use, or of the same browser, or of the same source;
  // somebody else's only when all is full and this source has no share of it.
  [[nodiscard]] std::string add(PendingLogin login);  // returns the state
  enum class Check : unsigned char {
    good,
    missing,
    unknown,
    used,
    stale,
    other_provider,
    other_browser,
    other_device
  };
  // `good` once; then the login is in `out`. One that is somebody else's stays for whom it belongs to.
  // `from_there` says whether who is back is the device of this source: it may come by another address.
  using FromThere = std::function<bool(const std::string& source)>;
  [[nodiscard]] Check take(std::string_view state, ProviderId provider, std::string_view browser,
                           const FromThere& from_there, PendingLogin& out);
  [[nodiscard]] std::size_t size() const { return logins_.size(); }

 private:
  struct Entry {
    std::string state;
    PendingLogin login;
    BootTime ends{};
    bool used = false;
  };
  using Of = std::function<bool(const Entry&)>;
  [[nodiscard]] std::size_t count(const Of& which) const;
  bool put_out(const Of& which);
  void make_room(const PendingLogin& next);
  [[nodiscard]] std::string largest_source() const;

  std::function<BootTime()> now_;
  std::size_t capacity_, per_source_;
  std::list<Entry> logins_;  // the oldest first
};

[[nodiscard]] std::string_view to_text(PendingLogins::Check check);  // "used_state": for the audit log

}  // namespace nightlatch
