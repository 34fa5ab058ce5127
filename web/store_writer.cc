#include "web/store_writer.h"

#include <algorithm>
#include <optional>

#include "store/office_store.h"

namespace nightlatch {

namespace {
constexpr std::size_t kShares = 4;  // so many sources it takes to fill the queue
}  // namespace

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

bool StoreWriter::post(Job job, std::function<void(const Status&)> done, const std::string& source) {
  if (waiting_ >= most_waiting_) return false;
  if (!source.empty()) {  // whoever asks for more leaves room for the others
    std::size_t& share = shares_[source];
    if (share >= std::max<std::size_t>(most_waiting_ / kShares, 1)) return false;
    ++share;
  }
  ++waiting_;
  {
    const std::lock_guard lock(mutex_);
    todo_.push_back({std::move(job), std::move(done), source});
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
    if (const auto share = shares_.find(item.source); share != shares_.end() && --share->second == 0)
      shares_.erase(share);
    item.done(item.result);
  }
}

}  // namespace nightlatch
