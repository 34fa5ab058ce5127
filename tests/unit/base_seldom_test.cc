#include <gtest/gtest.h>

#include "base/seldom.h"

namespace nightlatch {
namespace {

BootTime at(int ms) { return BootTime(Millis(ms)); }

TEST(Seldom, SoManyOfEachInAWhile) {
  Seldom seldom(2, Millis(100));
  EXPECT_TRUE(seldom.worth("a", at(0)));
  EXPECT_TRUE(seldom.worth("a", at(50)));
  EXPECT_FALSE(seldom.worth("a", at(99)));
  EXPECT_TRUE(seldom.worth("b", at(99))) << "another kind";
  EXPECT_TRUE(seldom.worth("a", at(100))) << "the next while";
}

TEST(Seldom, ForgetsWhenItIsFull) {
  Seldom seldom(1, Millis(100), 2);
  EXPECT_TRUE(seldom.worth("a", at(0)));
  EXPECT_TRUE(seldom.worth("b", at(0)));
  EXPECT_FALSE(seldom.worth("a", at(0)));
  EXPECT_TRUE(seldom.worth("c", at(0)));
  EXPECT_TRUE(seldom.worth("a", at(0))) << "a line too many";
}

}  // namespace
}  // namespace nightlatch
