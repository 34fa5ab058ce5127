#include "auth/throttle.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestKey = 64;  // as long as a name can be: more would only take up room

struct Keys {
  std::string pair, source, account;
  Keys(std::string_view account_name, std::string_view from) {
    const std::string name = lower(account_name.substr(0, kLongestKey));
    account = "a/" + name;
    source = "s/" + std::string(from);
    // A name cannot hold a line's end: no two pairs have the same key.
    pair = "p/" + std::string(from) + "\n" + name;
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

int Throttle::failures(const std::string& key, Seconds& wait) {
  const Counter* counter = find(key);
  if (counter == nullptr) return 0;
  wait = std::chrono::ceil<Seconds>(counter->ends - now_());
  return counter->failures;
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
  counters_.push_front({key, 1, now_() + window});
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
  Seconds pair_wait{0};
  Seconds source_wait{0};
  Seconds account_wait{0};
  const bool pair_full = failures(keys.pair, pair_wait) >= limits_.pair_failures;
  const bool source_full = failures(keys.source, source_wait) >= limits_.source_failures;
  if (pair_full || source_full) {
    return {false, std::max(pair_full ? pair_wait : Seconds(0), source_full ? source_wait : Seconds(0)),
            Millis(0)};
  }
  const bool guessed_at = failures(keys.account, account_wait) >= limits_.account_failures;
  add(keys.pair, limits_.pair_window);
  add(keys.source, limits_.source_window);
  add(keys.account, limits_.account_window);
  return {true, Seconds(0), guessed_at ? limits_.account_delay : Millis(0)};
}

void Throttle::succeeded(std::string_view account, std::string_view source) {
  const Keys keys(account, source);
  if (const auto it = index_.find(keys.pair); it != index_.end()) {
    counters_.erase(it->second);
    index_.erase(it);
  }
  take_back(keys.source);
  take_back(keys.account);
}

void Throttle::undone(std::string_view account, std::string_view source) {
  const Keys keys(account, source);
  take_back(keys.pair);
  take_back(keys.source);
  take_back(keys.account);
}

}  // namespace nightlatch
