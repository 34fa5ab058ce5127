#include "proxy/name_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "policy/special_address.h"
#include "store/office_store.h"

namespace nightlatch {

namespace {
constexpr Millis kRound{1000};
constexpr Millis kLookUpEvery{30'000};  // each host that a target names as it is
constexpr Millis kHeardAgain{5'000};    // a host below a wildcard, while it is heard of
// Clients keep what they were told: an address counts for a day after an answer has last said it.
constexpr Millis kLifetime{24LL * 3600 * 1000};
constexpr std::size_t kMostAddresses = 1024;  // of one host; beyond it the one not heard for longest goes
constexpr std::size_t kMostHeard = 256;       // names below wildcards, waiting or being looked up
constexpr unsigned kHeardInRound = 50;
constexpr std::size_t kMostAsked = 4096;

Status write_down(const std::string& path, const std::set<HostAddress>& added,
                  const std::set<HostAddress>& removed) {
  auto db = open_store(path, Database::Access::write);
  if (!db) return db.error();
  return change_host_addresses(*db, {added.begin(), added.end()}, {removed.begin(), removed.end()},
                               wall_now());
}
}  // namespace

Result<std::unique_ptr<NameKeeper>> NameKeeper::open(Loop& loop, const std::string& store_path) {
  auto db = open_store(store_path, Database::Access::read, Millis(0));
  if (!db) return db.error();
  auto resolver = Resolver::open(loop);
  if (!resolver) return resolver.error();
  return std::unique_ptr<NameKeeper>(new NameKeeper(loop, store_path, std::move(*db), std::move(*resolver)));
}

NameKeeper::NameKeeper(Loop& loop, std::string store_path, Database db, std::unique_ptr<Resolver> resolver)
    : loop_(loop),
      path_(std::move(store_path)),
      db_(std::move(db)),
      resolver_(std::move(resolver)),
      wakeup_(loop, [this] { take_heard(); }),
      timer_(loop, [this] { round(); }) {
  round();
  timer_.every(kRound);
}

void NameKeeper::heard(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (heard_.size() < kMostHeard && heard_.emplace(name).second) wakeup_.wake();
}

// Anybody can make names up: those below wildcards never crowd out the hosts that targets name.
void NameKeeper::take_heard() {
  std::set<std::string, std::less<>> names;
  {
    const std::lock_guard lock(mutex_);
    names.swap(heard_);
  }
  if (!follow_store()) return;
  const BootTime now = BootClock::now();
  if (asked_.size() > kMostAsked) asked_.clear();
  for (const std::string& name : names) {
    if (heard_left_ == 0 || asking_.size() >= kMostHeard) return;
    const bool is_ours =
        std::any_of(hosts_.begin(), hosts_.end(), [&](const HostPattern& h) { return h.matches(name); });
    const auto last = asked_.find(name);
    if (!is_ours || (last != asked_.end() && now - last->second < kHeardAgain)) continue;
    --heard_left_;
    look_up(name);
  }
}

void NameKeeper::round() {
  heard_left_ = kHeardInRound;
  if (const Status followed = follow_store(); !followed) return;  // the workers say so, and pass nothing
  const BootTime now = BootClock::now();
  for (const HostPattern& host : hosts_) {
    if (host.wildcard()) continue;
    const auto last = asked_.find(host.text());
    if (last == asked_.end() || now - last->second >= kLookUpEvery) look_up(host.text());
  }
  write();
}

Status NameKeeper::follow_store() {
  auto version = office_version(db_);
  if (!version) return version.error();
  if (*version == office_version_) return Done{};
  auto hosts = list_known_hosts(db_);
  if (!hosts) return hosts.error();
  auto stored = list_host_addresses(db_);
  if (!stored) return stored.error();
  const BootTime now = BootClock::now();
  std::map<HostAddress, BootTime> known;
  for (const HostAddress& h : *stored) {
    const auto before = known_.find(h);
    known.emplace(h, before == known_.end() ? now : before->second);
  }
  for (const auto& [here, last] : known_) {
    if (!known.contains(here)) asked_.erase(here.host.text());  // somebody took it away: is it right?
  }
  known_ = std::move(known);
  hosts_ = std::move(*hosts);
  office_version_ = *version;
  return Done{};
}

void NameKeeper::look_up(const std::string& name) {
  if (!asking_.insert(name).second) return;
  asked_[name] = BootClock::now();
  resolver_->resolve(name, [this, name](const Result<std::vector<IpAddress>>& answer) {
    asking_.erase(name);
    if (answer) found(name, *answer);
  });
}

void NameKeeper::found(const std::string& name, const std::vector<IpAddress>& addresses) {
  const BootTime now = BootClock::now();
  for (const HostPattern& host : hosts_) {
    if (!host.matches(name)) continue;
    for (const IpAddress& address : addresses) {
      if (is_special(address)) continue;  // no resource is there: names do not lead inward
      const HostAddress here{host, address};
      removed_.erase(here);
      if (const auto known = known_.find(here); known != known_.end()) {
        known->second = now;
      } else {
        added_.insert(here);
      }
    }
    forget_old(host, now);
  }
  write();
}

// Only after an answer: a resolver that is silent makes nobody forget.
void NameKeeper::forget_old(const HostPattern& host, BootTime now) {
  std::vector<std::pair<BootTime, HostAddress>> of_host;
  for (const auto& [here, last] : known_) {
    if (here.host == host) of_host.emplace_back(last, here);
  }
  std::sort(of_host.begin(), of_host.end());
  std::size_t left = of_host.size();
  for (const auto& [last, here] : of_host) {
    if (now - last < kLifetime && left <= kMostAddresses) break;
    removed_.insert(here);
    --left;
  }
}

void NameKeeper::write() {
  if (writing_ || (added_.empty() && removed_.empty())) return;
  writing_ = true;
  const auto status = std::make_shared<Status>(Done{});
  ticket_ = run_in_pool(
      loop_,
      [path = path_, added = added_, removed = removed_, status] {
        *status = write_down(path, added, removed);
      },
      [this, added = added_, removed = removed_, status] {
        writing_ = false;
        if (!*status) {  // at the next round once more
          if (!std::exchange(complained_, true))
            log_warning("the addresses of hosts cannot be written down: {}", status->error().message);
          return;
        }
        complained_ = false;
        for (const HostAddress& h : added) added_.erase(h);
        for (const HostAddress& h : removed) removed_.erase(h);
        (void)follow_store();
        write();
      });
}

}  // namespace nightlatch
