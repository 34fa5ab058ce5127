// The writer's thread on a real store: whole jobs or none, and a time that is the job's own.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "net/loop.h"
#include "store_fixture.h"
#include "web/store_writer.h"

namespace nightlatch {
namespace {

using StoreWriterTest = TemporaryStore;

TEST_F(StoreWriterTest, AJobIsWholeOrNotAtAll) {
  Loop loop;
  {
    StoreWriter writer(loop, path());
    const auto add = [](Database& db, const char* name) {
      return db.run("INSERT INTO user (name, created_ms) VALUES (?, 0)", {std::string(name)});
    };
    int done = 0;
    const auto after = [&](bool good) {
      return [&, good](const Status& result) {
        EXPECT_EQ(result.ok(), good);
        if (++done == 2) loop.stop();
      };
    };
    ASSERT_TRUE(writer.post(
        [&](Database& db, WallTime) -> Status {
          NL_TRY(add(db, "half"));
          return Error::failure("and no further");
        },
        after(false)));
    ASSERT_TRUE(writer.post([&](Database& db, WallTime) { return add(db, "whole"); }, after(true)));
    loop.run();
  }
  EXPECT_EQ(loop.close_now(), 0);
  EXPECT_EQ(**db().integer("SELECT count(*) FROM user WHERE name = 'half'"), 0);
  EXPECT_EQ(**db().integer("SELECT count(*) FROM user WHERE name = 'whole'"), 1);
}

TEST_F(StoreWriterTest, OneSourceLeavesRoomForOthers) {
  Loop loop;
  {
    std::atomic<bool> go_on{false};
    StoreWriter writer(loop, path(), wall_now, 8);
    int left = 0;
    const auto post = [&](const std::string& source) {
      const bool taken = writer.post(
          [&](Database&, WallTime) -> Status {
            while (!go_on) std::this_thread::yield();
            return Done{};
          },
          [&](const Status&) {
            if (--left == 0) loop.stop();
          },
          source);
      if (taken) ++left;
      return taken;
    };
    EXPECT_TRUE(post("a") && post("a"));
    EXPECT_FALSE(post("a")) << "a quarter is what one source may have";
    EXPECT_TRUE(post("b") && post("b"));
    EXPECT_FALSE(post("b"));
    EXPECT_TRUE(post("") && post("") && post("")) << "the office's own is nobody's share";
    EXPECT_TRUE(post("c"));
    EXPECT_FALSE(post("c") || post("")) << "all places are taken";
    go_on = true;
    loop.run();
    EXPECT_TRUE(post("a") && post("a")) << "and free again";
    loop.run();
  }
  EXPECT_EQ(loop.close_now(), 0);
}

TEST_F(StoreWriterTest, AJobThatWaitedIsToldWhenItBegan) {
  Loop loop;
  {
    std::atomic<std::int64_t> clock{1000};
    std::atomic<bool> go_on{false};
    StoreWriter writer(loop, path(), [&] { return from_ms(clock); });
    WallTime first{}, second{};
    ASSERT_TRUE(writer.post(
        [&](Database&, WallTime now) -> Status {
          first = now;
          while (!go_on) std::this_thread::yield();
          return Done{};
        },
        [](const Status&) {}));
    ASSERT_TRUE(writer.post(
        [&](Database&, WallTime now) -> Status {
          second = now;
          return Done{};
        },
        [&](const Status&) { loop.stop(); }));
    clock = 9000;
    go_on = true;
    loop.run();
    EXPECT_EQ(second, from_ms(9000));
    EXPECT_TRUE(first == from_ms(1000) || first == from_ms(9000)) << "it began before or after";
  }
  EXPECT_EQ(loop.close_now(), 0);
}

}  // namespace
}  // namespace nightlatch
