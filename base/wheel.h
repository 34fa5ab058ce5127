// Wheel: a hashed timer wheel. Thousands of timers that are set often and seldom fire cost nothing but a list
// node: setting and cancelling are O(1) and allocate nothing. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace nightlatch {

// Lives inside its owner; leaving scope takes it off the wheel.
class WheelTimer {
 public:
  WheelTimer() = default;
  WheelTimer(const WheelTimer&) = delete;
  WheelTimer& operator=(const WheelTimer&) = delete;
  ~WheelTimer() { unlink(); }
  void unlink() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }
  [[nodiscard]] bool set() const { return next_ != nullptr; }
  [[nodiscard]] BootTime due() const { return due_; }

 private:
  friend class Wheel;
  WheelTimer* next_ = nullptr;
  WheelTimer* previous_ = nullptr;
  BootTime due_{};
};

class Wheel {
 public:
  static constexpr Millis kTick{50};
  static constexpr std::size_t kSlots = 1024;

  explicit Wheel(BootTime now) : passed_(tick_of(now)) {
    for (WheelTimer& head : slots_) head.next_ = head.previous_ = &head;
  }
  ~Wheel() {
    for (WheelTimer& head : slots_) {
      while (head.next_ != &head) head.next_->unlink();
      head.next_ = nullptr;
    }
  }
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  void set(WheelTimer& timer, BootTime due) {
    timer.unlink();
    timer.due_ = due;
    std::int64_t tick = tick_of(due) + 1;  // never early
    if (tick <= passed_) tick = passed_ + 1;
    WheelTimer& head = slots_[static_cast<std::size_t>(tick) % kSlots];
    timer.next_ = &head;
    timer.previous_ = head.previous_;
    head.previous_->next_ = &timer;
    head.previous_ = &timer;
  }

  // Takes every timer that is due off the wheel and calls fire(timer); fire may set or unlink any timer.
  template <typename Fire>
  void advance(BootTime now, Fire&& fire) {
    const std::int64_t until = tick_of(now);
    std::int64_t first = passed_ + 1;
    // After a long sleep one round visits every slot.
    if (until - first >= static_cast<std::int64_t>(kSlots))
      first = until - static_cast<std::int64_t>(kSlots) + 1;
    for (std::int64_t tick = first; tick <= until; ++tick) {
      passed_ = tick;
      WheelTimer& head = slots_[static_cast<std::size_t>(tick) % kSlots];
      WheelTimer due;  // a list of its own: firing may change the slot
      due.next_ = due.previous_ = &due;
      for (WheelTimer* t = head.next_; t != &head;) {
        WheelTimer* const after = t->next_;
        if (t->due_ <= now) {
          t->unlink();
          t->next_ = &due;
          t->previous_ = due.previous_;
          due.previous_->next_ = t;
          due.previous_ = t;
        }
        t = after;
      }
      while (due.next_ != &due) {
        WheelTimer* const t = due.next_;
        t->unlink();
        fire(*t);
      }
      due.next_ = nullptr;
    }
  }

 private:
  static std::int64_t tick_of(BootTime t) { return t.time_since_epoch().count() / kTick.count(); }
  std::array<WheelTimer, kSlots> slots_;
  std::int64_t passed_;
};

}  // namespace nightlatch
