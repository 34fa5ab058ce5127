// Seldom: keeps what may happen very often from filling a log. Of each kind of thing so many are worth a line
// in a while; the rest are not. In bounded room: when it is full it forgets, and says a line too many. One
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "base/time.h"

namespace nightlatch {

class Seldom {
 public:
  // `most` of one key in each `window`, which begins with the first of them.
  Seldom(int most, Millis window, std::size_t capacity = 10'000)
      : most_(most), window_(window), capacity_(capacity) {}

  [[nodiscard]] bool worth(const std::string& key, BootTime now = BootClock::now()) {
    if (seen_.size() >= capacity_ && !seen_.contains(key)) seen_.clear();
    Seen& seen = seen_[key];
    if (seen.count == 0 || now - seen.began >= window_) seen = {now, 0};
    if (seen.count >= most_) return false;
    ++seen.count;
    return true;
  }

 private:
  struct Seen {
    BootTime began{};
    int count = 0;
  };
  int most_;
  Millis window_;
  std::size_t capacity_;
  std::unordered_map<std::string, Seen> seen_;
};

}  // namespace nightlatch
