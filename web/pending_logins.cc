#include "web/pending_logins.h"

#include <algorithm>

#include "base/crypto.h"

namespace nightlatch {

PendingLogins::PendingLogins(std::function<BootTime()> now, std::size_t capacity, std::size_t per_source)
    : now_(std::move(now)), capacity_(capacity), per_source_(per_source) {}

void PendingLogins::forget(const std::string& state) { logins_.erase(state); }

// What is over goes first, then the oldest of this source, then the oldest of all: who floods loses their
// own.
void PendingLogins::make_room(const std::string& source) {
  const auto gone = [&](const std::string& state) { return !logins_.contains(state); };
  const BootTime now = now_();
  while (!order_.empty()) {
    const auto oldest = logins_.find(order_.front());
    if (oldest != logins_.end() && oldest->second.ends + kPendingLogin > now)
      break;  // kept longer, to say "used"
    if (oldest != logins_.end()) logins_.erase(oldest);
    order_.pop_front();
  }
  const auto of_source = [&](const std::string& state) {
    const auto it = logins_.find(state);
    return it != logins_.end() && it->second.login.source == source;
  };
  if (static_cast<std::size_t>(std::count_if(order_.begin(), order_.end(), of_source)) >= per_source_) {
    forget(*std::find_if(order_.begin(), order_.end(), of_source));
  }
  order_.erase(std::remove_if(order_.begin(), order_.end(), gone), order_.end());
  if (logins_.size() >= capacity_) {
    forget(order_.front());
    order_.pop_front();
  }
}

std::string PendingLogins::add(PendingLogin login) {
  make_room(login.source);
  std::string state = random_token(24);
  logins_[state] = {std::move(login), now_() + kPendingLogin, false};
  order_.push_back(state);
  return state;
}

PendingLogins::Check PendingLogins::take(std::string_view state, const std::string& provider,
                                         std::string_view browser, std::string_view source,
                                         PendingLogin& out) {
  if (state.empty()) return Check::missing;
  const auto it = logins_.find(std::string(state));
  if (it == logins_.end()) return Check::unknown;
  Entry& entry = it->second;
  if (entry.login.browser.empty() || !equal_constant_time(entry.login.browser, browser))
    return Check::other_browser;
  if (entry.login.source != source) return Check::other_device;
  if (entry.login.provider != provider) return Check::other_provider;
  if (entry.used) return Check::used;
  if (now_() >= entry.ends) return Check::stale;
  entry.used = true;
  out = entry.login;
  wipe(entry.login.verifier);
  return Check::good;
}

std::string_view to_text(PendingLogins::Check check) {
  switch (check) {
    case PendingLogins::Check::good:
      return "good_state";
    case PendingLogins::Check::missing:
      return "missing_state";
    case PendingLogins::Check::unknown:
      return "unknown_state";
    case PendingLogins::Check::used:
      return "used_state";
    case PendingLogins::Check::stale:
      return "stale_state";
    case PendingLogins::Check::other_provider:
      return "state_of_another_provider";
    case PendingLogins::Check::other_browser:
      return "state_of_another_browser";
    case PendingLogins::Check::other_device:
      break;
  }
  return "state_of_another_device";
}

}  // namespace nightlatch
