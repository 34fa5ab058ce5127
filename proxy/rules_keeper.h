// RulesKeeper: a thread that keeps the kernel's rules as they should be while the gate runs. It installs
// them, follows changes of resources and of `lan`, notices rules that vanished, restores them and says so in
// the audit log; and says where an OpenID provider is not reached. Stopping leaves the rules: stopping never
// opens anything.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/rules.h"
#include "store/audit.h"

namespace nightlatch {

class RulesKeeper {
 public:
  RulesKeeper(std::string store_path, AuditWriter& audit) : path_(std::move(store_path)), audit_(audit) {}
  ~RulesKeeper();
  [[nodiscard]] Status install();  // waits; before start()
  void start();
  [[nodiscard]] bool standing() const { return standing_.load(std::memory_order_relaxed); }

 private:
  void loop();
  void look();
  [[nodiscard]] Status install_for(const RulesInput& input);
  void warn_of(std::vector<std::string> closed);
  void note(const char* event, const std::string& detail);

  std::string path_;
  AuditWriter& audit_;
  std::optional<Database> db_;
  RulesInput input_;
  std::string print_;                // the fingerprint after the last install
  std::vector<std::string> closed_;  // where providers are not reached: said already
  std::int64_t version_ = -1;
  Millis since_checked_{0};
  std::atomic<bool> standing_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nightlatch
