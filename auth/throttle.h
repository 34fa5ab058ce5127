// Throttle: how often a password may be guessed. Counts failures in memory, in bounded room, on boot time.
// Nobody can lock a colleague out: what stops attempts is always tied to where they come from; an account
// that is guessed at from many places only gets slower. Owned by the portal; loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"

namespace nightlatch {

struct ThrottleLimits {
  int pair_failures = 5;  // of one account from one source
  Seconds pair_window{300};
  int source_failures = 20;  // of any account from one source
  Seconds source_window{600};
  int account_failures = 100;  // of one account from anywhere
  Seconds account_window{600};
  Millis account_delay{2000};       // what each attempt on such an account then takes longer
  bool account_stops = false;       // it is refused then, from anywhere: for what only few can try at all
  Seconds known_for{30LL * 86400};  // but from where it was good before: so long that place is known
  std::size_t capacity = 20'000;    // counters; the one that is longest without a failure goes first
};

class Throttle {
 public:
  explicit Throttle(const ThrottleLimits& limits = {}, std::function<BootTime()> now = BootClock::now);

  struct Decision {
    bool allowed = true;
    Seconds retry_after{0};      // when not allowed
    Millis delay{0};             // when allowed: wait so long before answering
    bool first_refusal = false;  // of this window: worth a line in the log
  };
  // Counts the attempt as a failure until succeeded() takes it back: attempts made at the same time all
  // count. `source` is the device's MAC or address as text; an unknown account counts like any other.
  [[nodiscard]] Decision attempt(std::string_view account, std::string_view source);
  // The attempt was good: forgets this account's failures from this source, and takes the attempt off the
  // others.
  void succeeded(std::string_view account, std::string_view source);
  // The attempt came to no answer (the store was busy): takes it back.
  void undone(std::string_view account, std::string_view source);
  [[nodiscard]] std::size_t counters() const { return index_.size(); }

 private:
  struct Counter {
    std::string key;
    int failures = 0;
    bool told = false;  // a refusal has been given because of it
    BootTime ends{};    // of the window that began with the first failure
  };
  Counter* find(const std::string& key);
  void add(const std::string& key, Seconds window);
  void take_back(const std::string& key);

  ThrottleLimits limits_;
  std::function<BootTime()> now_;
  std::list<Counter> counters_;  // the latest failure first
  std::unordered_map<std::string, std::list<Counter>::iterator> index_;
};

}  // namespace nightlatch
