// LoginDesk: what the portal remembers of logins while it runs: how often each machine asks what came of its
// own, and where wrong codes come from. In bounded room; forgetting it all grants nothing. What must last is
// in the store (store/logins.h). Owned by the site; loop's thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "auth/throttle.h"
#include "base/time.h"

namespace nightlatch {

inline constexpr Seconds kPollInterval{5};  // RFC 8628 section 3.5

class LoginDesk {
 public:
  explicit LoginDesk(std::function<BootTime()> now = BootClock::now);

  struct Pace {
    bool too_fast = false;
    Seconds interval{kPollInterval};  // to keep from now on: 5 s longer after each time that was too soon
  };
  // A machine asks; it is known by the SHA-256 of its code.
  [[nodiscard]] Pace asked(const std::string& device_sha256);

  // Wrong codes, by where they come from: nobody can lock a colleague out.
  [[nodiscard]] Throttle::Decision try_code(const std::string& source) { return codes_.attempt("", source); }
  void right_code(const std::string& source) { codes_.undone("", source); }

 private:
  struct Asker {
    BootTime last{};
    Seconds interval{kPollInterval};
  };
  std::function<BootTime()> now_;
  Throttle codes_;
  std::unordered_map<std::string, Asker> askers_;
};

}  // namespace nightlatch
