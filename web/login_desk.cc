#include "web/login_desk.h"

#include <limits>

#include "store/logins.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostAskers = 4096;  // twice as many as there may be open logins
constexpr Millis kJitter{500};  // of a network: what arrives so much too soon was not sent too soon

// Of the codes that anybody in the office may try there are 2^40; ten wrong ones are more than typing
// explains.
ThrottleLimits code_limits() {
  ThrottleLimits limits;
  limits.source_failures = 10;
  limits.source_window = Seconds(600);
  limits.pair_failures = limits.account_failures =
      std::numeric_limits<int>::max();  // all codes are one account
  return limits;
}
}  // namespace

LoginDesk::LoginDesk(std::function<BootTime()> now) : now_(now), codes_(code_limits(), std::move(now)) {}

LoginDesk::Pace LoginDesk::asked(const std::string& device_sha256) {
  const BootTime now = now_();
  if (askers_.size() >= kMostAskers) {
    std::erase_if(askers_, [&](const auto& asker) { return asker.second.last + kLoginLifetime <= now; });
    if (askers_.size() >= kMostAskers) askers_.clear();
  }
  const auto [it, first] = askers_.try_emplace(device_sha256);
  Asker& asker = it->second;
  const bool too_fast = !first && now + kJitter < asker.last + asker.interval;
  if (too_fast) asker.interval += kPollInterval;
  asker.last = now;
  return {too_fast, asker.interval};
}

}  // namespace nightlatch
