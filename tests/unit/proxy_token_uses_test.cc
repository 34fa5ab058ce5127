// When tokens were used, on the way to the store: from several threads, and back again when it was busy.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proxy/token_uses.h"

namespace nightlatch {
namespace {

TEST(TokenUses, TheLatestOfEachIsTakenOnce) {
  TokenUses uses;
  uses.note(TokenId(1), from_ms(50));
  uses.note(TokenId(2), from_ms(40));
  uses.note(TokenId(1), from_ms(30));
  const auto taken = uses.take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].at, from_ms(50));
  EXPECT_EQ(taken[1].at, from_ms(40));
  EXPECT_TRUE(uses.take().empty());
  uses.note(TokenId(2), from_ms(60));
  uses.put_back(taken);
  const auto again = uses.take();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[1].at, from_ms(60)) << "what was noted since is later";
}

TEST(TokenUses, FromManyThreads) {
  TokenUses uses;
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&uses, w] {
      for (int i = 1; i <= 1000; ++i) uses.note(TokenId(1 + i % 3), from_ms(w * 1000 + i));
    });
  }
  std::vector<TokenUse> seen;
  for (int i = 0; i < 100; ++i) {
    for (const TokenUse& use : uses.take()) seen.push_back(use);
  }
  for (std::thread& w : workers) w.join();
  for (const TokenUse& use : uses.take()) seen.push_back(use);
  WallTime last{};
  for (const TokenUse& use : seen) last = std::max(last, use.at);
  EXPECT_EQ(last, from_ms(4000));
}

}  // namespace
}  // namespace nightlatch
