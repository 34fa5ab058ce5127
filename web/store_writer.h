// StoreWriter: the thread that writes to the store for the portal, so that the event loop never waits for a
// lock or a disk. Jobs run one after another on the thread's own Database, and each is one transaction: an
// error leaves nothing of it behind. What follows a job runs on the loop. Owned by the portal; post() and the
// callbacks belong to the loop's thread. Destroying it waits for the job under way.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "net/loop.h"
#include "store/database.h"

namespace nightlatch {

class StoreWriter {
 public:
  // `now` is the jobs' clock, and called on the writer's thread.
  StoreWriter(Loop& loop, std::string store_path, std::function<WallTime()> now = wall_now,
              std::size_t most_waiting = 64);
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  // What a job is told: the store, and the time when its transaction began. One that had to wait must not
  // look like a clock that was set back (semantics 11).
  using Job = std::function<Status(Database&, WallTime now)>;
  // `job` runs on the writer's thread; `done`, with its result, on the loop, once it is on disk. Both are
  // destroyed on the loop. A store that cannot be opened is the result of the job then. False: too many wait
  // already, altogether or of this source, and nothing will run; an empty source is the office's own.
  [[nodiscard]] bool post(Job job, std::function<void(const Status&)> done, const std::string& source = {});

 private:
  struct Item {
    Job job;
    std::function<void(const Status&)> done;
    std::string source;
    Status result{Done{}};
  };
  void work();
  void deliver();
  [[nodiscard]] Status run(Database& db, const Job& job) const;

  std::string path_;
  std::function<WallTime()> now_;
  std::size_t most_waiting_;
  std::size_t waiting_ = 0;                              // posted and not yet delivered
  std::unordered_map<std::string, std::size_t> shares_;  // of them, by source
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> todo_, finished_;
  bool stop_ = false;
  Wakeup deliver_;
  std::thread thread_;
};

}  // namespace nightlatch
