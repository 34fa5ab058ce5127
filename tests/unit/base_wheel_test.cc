// The timer wheel: never early, at most two ticks late, whatever is set and cancelled meanwhile.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "base/wheel.h"

namespace nightlatch {
namespace {

const BootTime kStart{Millis(1'000'000)};

TEST(Wheel, FiresOnceNeverEarlyAndAtMostTwoTicksLate) {
  std::mt19937 random(3);
  Wheel wheel(kStart);
  std::vector<std::unique_ptr<WheelTimer>> timers;
  for (int i = 0; i < 2000; ++i) {
    timers.push_back(std::make_unique<WheelTimer>());
    wheel.set(*timers.back(), kStart + Millis(random() % 200'000));  // several rounds of the wheel
  }
  std::size_t fired = 0;
  for (BootTime now = kStart; now < kStart + Millis(201'000); now += Millis(random() % 70 + 1)) {
    wheel.advance(now, [&](const WheelTimer& t) {
      ++fired;
      EXPECT_GE(now, t.due());
      EXPECT_LE(now - t.due(), Wheel::kTick * 2 + Millis(70));
    });
  }
  EXPECT_EQ(fired, timers.size());
}

TEST(Wheel, AFiringTimerMayCancelOrSetOthersAndItself) {
  Wheel wheel(kStart);
  WheelTimer a, b, c;
  wheel.set(a, kStart + Millis(100));
  wheel.set(b, kStart + Millis(100));
  int fired = 0;
  const auto fire = [&](WheelTimer& t) {
    ++fired;
    if (&t == &a && fired == 1) {
      b.unlink();
      wheel.set(a, kStart + Millis(300));
      wheel.set(c, kStart);  // in the past: with the next tick
    }
  };
  wheel.advance(kStart + Millis(150), fire);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(b.set());
  wheel.advance(kStart + Millis(250), fire);
  EXPECT_EQ(fired, 2);
  wheel.advance(kStart + Millis(400), fire);
  EXPECT_EQ(fired, 3);
}

TEST(Wheel, ALongSleepFiresEverythingThatIsDue) {
  Wheel wheel(kStart);
  WheelTimer soon, late;
  wheel.set(soon, kStart + Millis(60));
  wheel.set(late, kStart + std::chrono::hours(48));
  int fired = 0;
  wheel.advance(kStart + std::chrono::hours(24), [&](WheelTimer&) { ++fired; });
  EXPECT_EQ(fired, 1);
  EXPECT_TRUE(late.set());
}

}  // namespace
}  // namespace nightlatch
