#include "proxy/name_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "policy/special_address.h"
#include "store/office_store.h"

namespace nightlatch {

namespace {
constexpr Millis kRound{1000};
constexpr Millis kLookUpEvery{30'000};    // each host that a target names as it is
constexpr Millis kHeardAgain{5'000};      // a host below a wildcard, while it is heard of
constexpr Millis kWriteAgain{3'600'000};  // what is in the store already
constexpr std::size_t kMostHeard = 256;   // waiting to be looked up
constexpr std::size_t kMostAsked = 4096;

Status write_down(const std::string& path, const AddressesOfHosts& news) {
  auto db = open_store(path, Database::Access::write);
  if (!db) return db.error();
  return record_host_addresses(*db, news, wall_now());
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

void NameKeeper::take_heard() {
  std::set<std::string, std::less<>> names;
  {
    const std::lock_guard lock(mutex_);
    names.swap(heard_);
  }
  if (!follow_targets()) return;
  const BootTime now = BootClock::now();
  if (asked_.size() > kMostAsked) asked_.clear();
  for (const std::string& name : names) {
    const bool is_ours =
        std::any_of(hosts_.begin(), hosts_.end(), [&](const HostPattern& h) { return h.matches(name); });
    const auto last = asked_.find(name);
    if (is_ours && (last == asked_.end() || now - last->second >= kHeardAgain)) look_up(name);
  }
}

void NameKeeper::round() {
  if (const Status followed = follow_targets(); !followed) return;  // the workers say so, and pass nothing
  const BootTime now = BootClock::now();
  for (const HostPattern& host : hosts_) {
    if (host.wildcard()) continue;
    const auto last = asked_.find(host.text());
    if (last == asked_.end() || now - last->second >= kLookUpEvery) look_up(host.text());
  }
  if (!news_.empty()) write();
}

Status NameKeeper::follow_targets() {
  auto version = office_version(db_);
  if (!version) return version.error();
  if (*version == office_version_) return Done{};
  auto hosts = list_target_hosts(db_);
  if (!hosts) return hosts.error();
  // A host that was taken out of the resources has lost its addresses, and needs them again when it comes
  // back.
  if (*hosts != hosts_) written_.clear();
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
      const auto known = written_.find({host, address});
      if (known == written_.end() || now - known->second >= kWriteAgain) news_[host].push_back(address);
    }
  }
  if (!news_.empty()) write();
}

void NameKeeper::write() {
  if (writing_) return;
  writing_ = true;
  auto status = std::make_shared<Status>(Done{});
  auto news = std::make_shared<AddressesOfHosts>(std::exchange(news_, {}));
  ticket_ = run_in_pool(
      loop_, [path = path_, news, status] { *status = write_down(path, *news); },
      [this, news, status] {
        writing_ = false;
        if (*status) {
          const BootTime now = BootClock::now();
          for (const auto& [host, addresses] : *news) {
            for (const IpAddress& address : addresses) written_[{host, address}] = now;
          }
          complained_ = false;
          if (!news_.empty()) write();
          return;
        }
        if (!std::exchange(complained_, true))
          log_warning("the addresses of hosts cannot be written down: {}", status->error().message);
        news_.merge(*news);  // at the next round
      });
}

}  // namespace nightlatch
