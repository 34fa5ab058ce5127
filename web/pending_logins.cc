#include "web/pending_logins.h"

#include <algorithm>
#include <unordered_map>

#include "base/crypto.h"

namespace nightlatch {

PendingLogins::PendingLogins(std::function<BootTime()> now, std::size_t capacity, std::size_t per_source)
    : now_(std::move(now)), capacity_(capacity), per_source_(per_source) {}

std::size_t PendingLogins::count(const Of& which) const {
  return static_cast<std::size_t>(std::count_if(logins_.begin(), logins_.end(), which));
}

bool PendingLogins::put_out(const Of& which) {
  const auto oldest = std::find_if(logins_.begin(), logins_.end(), which);
  if (oldest == logins_.end()) return false;
  logins_.erase(oldest);
  return true;
}

std::string PendingLogins::largest_source() const {
  std::unordered_map<std::string_view, std::size_t> shares;
  for (const Entry& e : logins_) ++shares[e.login.counted_as];
  const auto largest = std::max_element(shares.begin(), shares.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  return largest == shares.end() ? std::string() : std::string(largest->first);
}

void PendingLogins::make_room(const PendingLogin& next) {
  const BootTime now = now_();
  // Kept longer than they are good for, to say why they are not.
  logins_.remove_if([&](const Entry& e) { return e.ends + kPendingLogin <= now; });
  const Of spent = [&](const Entry& e) { return e.used || e.ends <= now; };
  const Of of_browser = [&](const Entry& e) { return e.login.browser == next.browser; };
  const auto make_some_of = [&](const Of& which) {
    (void)(put_out([&](const Entry& e) { return which(e) && spent(e); }) ||
           put_out([&](const Entry& e) { return which(e) && of_browser(e); }) || put_out(which));
  };
  const auto of = [](const std::string& source) -> Of {
    return [source](const Entry& e) { return e.login.counted_as == source; };
  };
  const Of of_source = of(next.counted_as);
  if (count(of_browser) >= kMostOfBrowser) make_some_of(of_browser);
  if (count(of_source) >= per_source_) make_some_of(of_source);
  if (logins_.size() < capacity_ || put_out(spent)) return;
  make_some_of(count(of_source) > 1 ? of_source : of(largest_source()));
}

std::string PendingLogins::add(PendingLogin login) {
  make_room(login);
  std::string state = random_token(24);
  logins_.push_back({state, std::move(login), now_() + kPendingLogin, false});
  return state;
}

PendingLogins::Check PendingLogins::take(std::string_view state, ProviderId provider,
                                         std::string_view browser, const FromThere& from_there,
                                         PendingLogin& out) {
  if (state.empty()) return Check::missing;
  const auto it =
      std::find_if(logins_.begin(), logins_.end(), [&](const Entry& e) { return e.state == state; });
  if (it == logins_.end()) return Check::unknown;
  Entry& entry = *it;
  if (entry.login.browser.empty() || !equal_constant_time(entry.login.browser, browser))
    return Check::other_browser;
  if (!from_there(entry.login.source)) return Check::other_device;
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
