#include "auth/throttle.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestKey = 64;  // as long as a name can be: more would only take up room

struct Keys {
  std::string pair, source, account, known;
  Keys(std::string_view account_name, std::string_view from) {
    const std::string name = lower(account_name.substr(0, kLongestKey));
    account = "a/" + name;
    source = "s/" + std::string(from);
    // A name cannot hold a line's end: no two pairs have the same key.
    pair = "p/" + std::string(from) + "\n" + name;
    known = "k" + pair;
  }
};
}  // namespace

Throttle::Throttle(const ThrottleLimits& limits, std::function<BootTime()> now)
    : limits_(limits), now_(std::move(now)) {}

Throttle::Counter* Throttle::find(const std::string& key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  if (it->second->ends <= now_()) {
    counters_.erase(it->second);
    index_.erase(it);
    return nullptr;
  }
  return &*it->second;
}

void Throttle::add(const std::string& key, Seconds window) {
  if (Counter* counter = find(key); counter != nullptr) {
    ++counter->failures;
    counters_.splice(counters_.begin(), counters_, index_[key]);
    return;
  }
  if (index_.size() >= limits_.capacity) {
    index_.erase(counters_.back().key);
    counters_.pop_back();
  }
  counters_.push_front({key, 1, false, now_() + window});
  index_[key] = counters_.begin();
}

void Throttle::take_back(const std::string& key) {
  Counter* counter = find(key);
  if (counter == nullptr || --counter->failures > 0) return;
  const auto it = index_.find(key);
  counters_.erase(it->second);
  index_.erase(it);
}

Throttle::Decision Throttle::attempt(std::string_view account, std::string_view source) {
  const Keys keys(account, source);
  Decision decision;
  const auto stop_at = [&](const std::string& key, int limit) {
    Counter* counter = find(key);
    if (counter == nullptr || counter->failures < limit) return;
    decision.allowed = false;
    decision.retry_after = std::max(decision.retry_after, std::chrono::ceil<Seconds>(counter->ends - now_()));
    decision.first_refusal = !std::exchange(counter->told, true) || decision.first_refusal;
  };
  stop_at(keys.pair, limits_.pair_failures);
  stop_at(keys.source, limits_.source_failures);
  if (limits_.account_stops && find(keys.known) == nullptr) stop_at(keys.account, limits_.account_failures);
  if (!decision.allowed) return decision;
  const Counter* guessed_at = find(keys.account);
  if (guessed_at != nullptr && guessed_at->failures >= limits_.account_failures)
    decision.delay = limits_.account_delay;
  add(keys.pair, limits_.pair_window);
  add(keys.source, limits_.source_window);
  add(keys.account, limits_.account_window);
  return decision;
}

void Throttle::succeeded(std::string_view account, std::string_view source) {
  const Keys keys(account, source);
  if (const auto it = index_.find(keys.pair); it != index_.end()) {
    counters_.erase(it->second);
    index_.erase(it);
  }
  take_back(keys.source);
  take_back(keys.account);
  if (limits_.account_stops && find(keys.known) == nullptr) add(keys.known, limits_.known_for);
}

void Throttle::undone(std::string_view account, std::string_view source) {
  const Keys keys(account, source);
  take_back(keys.pair);
  take_back(keys.source);
  take_back(keys.account);
}

}  // namespace nightlatch
