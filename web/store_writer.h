// StoreWriter: the thread that writes to the store for the portal, so that the event loop never waits for a
// lock or a disk. Jobs run one after another, each with the thread's own Database; what follows a job runs on
// the loop. Owned by the portal; post() and the callbacks belong to the loop's thread. Destroying it waits
// for the job under way.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "net/loop.h"
#include "store/database.h"

namespace nightlatch {

class StoreWriter {
 public:
  StoreWriter(Loop& loop, std::string store_path, std::size_t most_waiting = 64);
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  // `job` runs on the writer's thread; `done`, with its result, on the loop. Both are destroyed on the loop.
  // A store that cannot be opened is the result of the job then. False: too many wait already, nothing will
  // run.
  [[nodiscard]] bool post(std::function<Status(Database&)> job, std::function<void(const Status&)> done);
  [[nodiscard]] std::size_t waiting() const { return waiting_; }

 private:
  struct Item {
    std::function<Status(Database&)> job;
    std::function<void(const Status&)> done;
    Status result{Done{}};
  };
  void work();
  void deliver();

  std::string path_;
  std::size_t most_waiting_;
  std::size_t waiting_ = 0;  // posted and not yet delivered
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> todo_, finished_;
  bool stop_ = false;
  Wakeup deliver_;
  std::thread thread_;
};

}  // namespace nightlatch
