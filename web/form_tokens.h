// FormTokens: the hidden token of each form (CSRF). A token is bound to the browser's form cookie and to what
// the form does, lasts 15 minutes and is good once. Owned by the site; loop's thread. The key lives as long
// as the process: after a restart open forms are answered with a fresh one.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/time.h"

namespace nightlatch {

class FormTokens {
 public:
  explicit FormTokens(std::function<BootTime()> now = BootClock::now, std::size_t capacity = 50'000,
                      Millis lifetime = Millis(15 * 60 * 1000));

  [[nodiscard]] std::string issue(std::string_view cookie, std::string_view purpose) const;
  enum class Check : unsigned char { good, used, stale, foreign };
  // `good` once for each token; `foreign`: not ours, or made for another browser or purpose.
  [[nodiscard]] Check redeem(std::string_view token, std::string_view cookie, std::string_view purpose);

 private:
  [[nodiscard]] std::string mac(std::string_view stamp, std::string_view cookie,
                                std::string_view purpose) const;

  std::function<BootTime()> now_;
  std::size_t capacity_;
  Millis lifetime_;
  std::string key_;
  std::deque<std::pair<BootTime, std::string>> used_;  // when it ends, the token's stamp; in order of use
  std::unordered_set<std::string> used_stamps_;
  BootTime floor_{};  // tokens that end by then are stale: what was forgotten for want of room
};

}  // namespace nightlatch
