// HoldDesk: gives a hold its code. It writes to the store from a thread of its own, so that a lock held by
// somebody else keeps a refused client waiting and never a worker. Asked by any worker; answers on the desk's
// thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "policy/model.h"
#include "store/audit.h"
#include "store/database.h"

namespace nightlatch {

struct HoldRequest {
  std::string source;
  ResourceId resource = ResourceId::none;
  std::string url;
  AuditEvent event;                            // logged when the hold is new
  std::function<void(std::string code)> done;  // "" when the hold could not be written
};

class HoldDesk {
 public:
  HoldDesk(std::string store_path, AuditWriter& audit);
  ~HoldDesk();
  void ask(HoldRequest request);  // any thread; never waits. Past 4096 waiting requests the answer is ""

 private:
  void loop();
  [[nodiscard]] std::string serve(HoldRequest& request);
  struct Known {
    std::string code;
    BootTime written{};
    bool has_url = false;  // a browser can come back
  };

  std::string path_;
  AuditWriter& audit_;
  std::optional<Database> db_;
  std::map<std::pair<std::string, ResourceId>, Known>
      known_;  // what was written lately: a burst is one write
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<HoldRequest> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nightlatch
