// NameKeeper: finds out where the hosts are that resources name, and writes it into the store, so that their
// addresses are protected whatever name a client then says, and stay so after a restart. Each host is looked
// up every half minute; hosts below a wildcard when somebody was heard to ask for one. Only the gate's own
// resolver is believed. What no answer has said for a day goes, by the boot clock: the store is the truth of
// what is known, and nobody's wall clock makes it forget. On the gate's main loop; heard() is for any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"
#include "store/host_addresses.h"

namespace nightlatch {

class NameKeeper {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NameKeeper>> open(Loop& loop, const std::string& store_path);
  // A flow's name, or one that a client asked the DNS for. Too many at a time are forgotten: they come again.
  void heard(std::string_view name);

 private:
  NameKeeper(Loop& loop, std::string store_path, Database db, std::unique_ptr<Resolver> resolver);
  void round();
  void take_heard();
  Status follow_store();
  void look_up(const std::string& name);
  void found(const std::string& name, const std::vector<IpAddress>& addresses);
  void forget_old(const HostPattern& host, BootTime now);
  void write();

  Loop& loop_;
  std::string path_;
  Database db_;
  std::unique_ptr<Resolver> resolver_;
  std::vector<HostPattern> hosts_;  // that targets name, and those of providers
  std::int64_t office_version_ = -1;
  std::map<std::string, BootTime, std::less<>> asked_;  // when each name was looked up last
  std::set<std::string> asking_;
  unsigned heard_left_ = 0;                // names that may still be looked up in this round
  std::map<HostAddress, BootTime> known_;  // what is in the store, and when an answer last said it
  std::set<HostAddress> added_, removed_;  // to be written
  bool writing_ = false, complained_ = false;
  Ticket ticket_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> heard_;
  Wakeup wakeup_;
  Timer timer_;
};

}  // namespace nightlatch
