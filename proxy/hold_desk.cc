#include "proxy/hold_desk.h"

#include "base/log.h"
#include "store/office_store.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostWaiting = 4096;
constexpr std::size_t kMostKnown = 4096;
constexpr Millis kFresh{2000};
constexpr Millis kWait{1500};  // for another writer's lock; then the client is told without a code
}  // namespace

HoldDesk::HoldDesk(std::string store_path, AuditWriter& audit)
    : path_(std::move(store_path)), audit_(audit), thread_([this] { loop(); }) {}

HoldDesk::~HoldDesk() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void HoldDesk::ask(HoldRequest request) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kMostWaiting && !stop_) {
      waiting_.push_back(std::move(request));
      wake_.notify_one();
      return;
    }
  }
  request.done({});
}

void HoldDesk::loop() {
  while (true) {
    HoldRequest request;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    request.done(serve(request));
  }
}

std::string HoldDesk::serve(HoldRequest& request) {
  const auto key = std::pair(request.source, request.resource);
  const BootTime now = BootClock::now();
  const auto known = known_.find(key);
  const bool fresh = known != known_.end() && now - known->second.written < kFresh;
  if (fresh && (known->second.has_url || request.url.empty())) return known->second.code;
  if (!db_) {
    auto opened = open_store(path_, Database::Access::write, kWait);
    if (!opened) {
      log_error("holds: {}", opened.error().message);
      return {};
    }
    db_.emplace(std::move(*opened));
  }
  auto hold = open_hold(*db_, request.source, request.resource, request.url, wall_now());
  if (!hold) {
    log_warning("holds: {}", hold.error().message);
    return {};
  }
  if (hold->flows == 1) {
    request.event.detail = hold->code;
    audit_.write(std::move(request.event));
  }
  if (known_.size() >= kMostKnown) known_.clear();
  known_[key] = {hold->code, now, !hold->url.empty()};
  return hold->code;
}

}  // namespace nightlatch
