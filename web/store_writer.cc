#include "web/store_writer.h"

#include <optional>

#include "store/office_store.h"

namespace nightlatch {

StoreWriter::StoreWriter(Loop& loop, std::string store_path, std::function<WallTime()> now,
                         std::size_t most_waiting)
    : path_(std::move(store_path)),
      now_(std::move(now)),
      most_waiting_(most_waiting),
      deliver_(loop, [this] { deliver(); }),
      thread_([this] { work(); }) {}

StoreWriter::~StoreWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool StoreWriter::post(Job job, std::function<void(const Status&)> done) {
  if (waiting_ >= most_waiting_) return false;
  ++waiting_;
  {
    const std::lock_guard lock(mutex_);
    todo_.push_back({std::move(job), std::move(done)});
  }
  wake_.notify_one();
  return true;
}

Status StoreWriter::run(Database& db, const Job& job) const {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  NL_TRY(job(db, now_()));
  return tx->commit();
}

void StoreWriter::work() {
  std::optional<Database> db;
  while (true) {
    Item item;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !todo_.empty(); });
      if (stop_) return;
      item = std::move(todo_.front());
      todo_.pop_front();
    }
    if (!db) {
      auto opened = open_store(path_, Database::Access::write);
      if (opened) {
        db = std::move(*opened);
      } else {
        item.result = opened.error();
      }
    }
    if (db) item.result = run(*db, item.job);
    {
      const std::lock_guard lock(mutex_);
      finished_.push_back(std::move(item));
    }
    deliver_.wake();
  }
}

void StoreWriter::deliver() {
  std::deque<Item> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(finished_);
  }
  for (const Item& item : ready) {
    --waiting_;
    item.done(item.result);
  }
}

}  // namespace nightlatch
