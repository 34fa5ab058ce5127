#include "proxy/worker.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "net/interfaces.h"
#include "proxy/http_client.h"
#include "proxy/socks_client.h"

namespace nightlatch {

namespace {
constexpr unsigned kRounds = 8;  // of epoll in one turn of the loop
constexpr std::uint16_t kSocksPort = 1080, kHttpProxyPort = 3128;
constexpr unsigned kSettingsTicks = 20;  // listeners and addresses follow the settings every second
constexpr unsigned kStoreTicks = 4;      // the store is looked at every fourth tick: 200 ms
constexpr Millis kUsedAgain{60'000};     // between two notes that the same token was used
constexpr Millis kClockJump{1'000};

Millis offset_now() { return wall_now().time_since_epoch() - BootClock::now().time_since_epoch(); }
}  // namespace

Worker::Worker(unsigned index, std::string store_path, AuditWriter& audit, HoldDesk& desk, NameKeeper& names,
               TokenUses& uses, std::atomic<std::uint64_t>& all_flows)
    : index_(index),
      store_path_(std::move(store_path)),
      audit_(audit),
      desk_(desk),
      names_(names),
      uses_(uses),
      all_flows_(all_flows),
      scratch_(std::make_unique<char[]>(kScratch)),  // NOLINT
      wheel_(BootClock::now()),
      socks_(*this, "the SOCKS proxy listens", kSocksPort,
             [this](std::string id, Accepted accepted) {
               return std::make_unique<SocksClient>(static_cast<FlowHost&>(*this), std::move(id),
                                                    std::move(accepted));
             }),
      http_(*this, "the HTTP proxy listens", kHttpProxyPort,
            [this](std::string id, Accepted accepted) {
              return std::make_unique<HttpProxyClient>(static_cast<FlowHost&>(*this), std::move(id),
                                                       std::move(accepted));
            }),
      wall_offset_(offset_now()) {}

Worker::~Worker() { join(); }

Status Worker::open() {
  auto judge = Judge::open(store_path_);
  if (!judge) return judge.error();
  judge_ = std::move(*judge);
  std::string no_v6;
  NL_TRY(tcp_.open(&no_v6));
  auto icmp = IcmpSender::open();
  if (!icmp) return icmp.error();
  udp_.emplace(static_cast<FlowHost&>(*this), std::move(*icmp));
  NL_TRY(udp_->open(&no_v6));
  if (!no_v6.empty() && index_ == 0) log_warning("IPv6 is not served: {}", no_v6);
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return Error::failure(std::strerror(errno));
  wakeup_ = std::make_unique<Wakeup>(loop_, [this] {
    std::vector<std::function<void()>> letters;
    {
      const std::lock_guard lock(mailbox_mutex_);
      letters.swap(mailbox_);
    }
    for (const auto& read : letters) read();
    turn();
  });
  epoll_watch_ = std::make_unique<ReadWatch>(loop_, epoll_.get(), [this] { turn(); });
  ticker_ = std::make_unique<Timer>(loop_, [this] { tick(); });
  ticker_->every(Wheel::kTick);
  auto resolver = Resolver::open(loop_);
  if (!resolver) return resolver.error();
  resolver_ = std::move(*resolver);
  watch_neighbours();
  follow_settings();
  follow_dns();
  tcp_.listen(true);
  udp_->listen(true);
  return Done{};
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  loop_.run();
  // The handles die on the loop's own thread.
  finished_.clear();
  flows_.clear();
  resolver_.reset();
  neighbour_watch_.reset();
  epoll_watch_.reset();
  ticker_.reset();
  const std::lock_guard lock(mailbox_mutex_);
  wakeup_.reset();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::stop(Millis grace) {
  post([this, grace] {
    tcp_.close();
    udp_->close();
    socks_.close();
    http_.close();
    stopping_ = true;
    stop_at_ = BootClock::now() + grace;
  });
}

void Worker::post(std::function<void()> what) {
  const std::lock_guard lock(mailbox_mutex_);
  if (!wakeup_) return;
  mailbox_.push_back(std::move(what));
  wakeup_->wake();
}

bool Worker::watch(Ready& ready, int fd) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.ptr = &ready;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0;
}

bool Worker::listen(Ready& ready, int fd) {
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.ptr = &ready;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0;
}

void Worker::unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Worker::turn() {
  std::array<epoll_event, 256> events{};
  for (unsigned round = 0; round < kRounds; ++round) {
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = events[static_cast<std::size_t>(i)];
      const bool broken = (e.events & (EPOLLERR | EPOLLHUP)) != 0;
      static_cast<Ready*>(e.data.ptr)
          ->on_ready(broken || (e.events & (EPOLLIN | EPOLLRDHUP)) != 0,
                     broken || (e.events & EPOLLOUT) != 0);
    }
    sweep();
    std::vector<std::string> again;
    again.swap(again_);
    for (const std::string& id : again) {
      if (const auto it = flows_.find(id); it != flows_.end()) it->second->pump();
    }
    sweep();
    if (n <= 0 && again_.empty()) return;
  }
  wakeup_->wake();  // there is more, but timers and letters come first
}

std::string Worker::next_id() { return fmt::format("w{}-{}", index_, ++next_flow_); }

LiveFlow& Worker::adopt(std::unique_ptr<LiveFlow> flow) {
  all_flows_.fetch_add(1, std::memory_order_relaxed);
  LiveFlow& f = *flow;
  flows_.emplace(f.id(), std::move(flow));
  return f;
}

void Worker::finished(LiveFlow& flow) {
  all_flows_.fetch_sub(1, std::memory_order_relaxed);
  finished_.push_back(flow.id());
}

void Worker::sweep() {
  for (const std::string& id : finished_) flows_.erase(id);
  finished_.clear();
}

void Worker::ask_hold(const std::string& flow, HoldRequest request) {
  request.done = [this, id = flow](const std::string& code) {
    post([this, id, code] {
      if (const auto it = flows_.find(id); it != flows_.end()) it->second->on_hold(code);
    });
  };
  desk_.ask(std::move(request));
}

void Worker::used(TokenId token) {
  const BootTime now = BootClock::now();
  const auto [it, is_new] = used_.try_emplace(token, now);
  if (!is_new && now - it->second < kUsedAgain) return;
  it->second = now;
  uses_.note(token, wall_now());
}

bool Worker::take_share(const std::string& key, std::size_t most) {
  std::size_t& taken = shares_[key];
  if (taken >= most) return false;
  ++taken;
  return true;
}

void Worker::give_share(const std::string& key) {
  const auto share = shares_.find(key);
  if (--share->second == 0) shares_.erase(share);
}

void Worker::watch_neighbours() {
  neighbours_seen_ = judge_->neighbours_generation();
  neighbour_watch_ = std::make_unique<ReadWatch>(loop_, judge_->neighbours().changes_fd(), [this] {
    const bool all_seen =
        judge_->neighbours().read_changes([this](const IpAddress& address, std::optional<Mac> mac) {
          if (!mac) return;  // an entry that has aged says nothing about who is there
          for (const auto& [id, flow] : flows_) flow->on_neighbour(address, *mac);
        });
    if (!all_seen) {
      for (const auto& [id, flow] : flows_) flow->recheck_neighbour();
    }
    sweep();
  });
}

void Worker::look_at_store() {
  changed_ = judge_->refresh(wall_now()) || changed_;
  overhear();
}

// The flow that is about to be judged may be for a host that its device was told of a moment ago.
void Worker::overhear() {
  if (!watching_dns_) return;
  dns_.read([this](const DnsWatch::Told& told) {
    if (!judge_->is_named(told.name.text())) return;
    dns_.remember(judge_->identify(told.client).text(), told.name, told.addresses, BootClock::now());
    heard(told.name);
  });
}

std::vector<WireName> Worker::told(const Source& source, const IpAddress& address) {
  return dns_.names_of(source.text(), address, BootClock::now());
}

void Worker::heard(const WireName& host) {
  if (log_refusal(fmt::format("host/{}", host.text()))) names_.heard(host.text());
}

void Worker::follow_dns() {
  if (std::exchange(watching_dns_, judge_->overhears_dns()) == watching_dns_) return;
  if (!watching_dns_) {
    dns_ = {};
    return;
  }
  if (const Status opened = dns_.open(judge_->lan()); !opened && index_ == 0)
    log_warning("the DNS answers of devices cannot be seen: {}", opened.error().message);
}

void Worker::rejudge_all() {
  for (const auto& [id, flow] : flows_) flow->rejudge();
  sweep();
}

void Worker::tick() {
  const BootTime now = BootClock::now();
  wheel_.advance(now, [](WheelTimer& t) { static_cast<FlowTimer&>(t).ring(); });
  if (++ticks_ % kStoreTicks == 0) {
    changed_ = judge_->refresh(wall_now()) || changed_;
    const Millis offset = offset_now();
    if (std::chrono::abs(offset - wall_offset_) > kClockJump) changed_ = true;
    wall_offset_ = offset;
    if (std::exchange(changed_, false)) rejudge_all();
    if (judge_->neighbours_generation() != neighbours_seen_) {
      watch_neighbours();
      watching_dns_ = false;  // other interfaces
    }
    follow_dns();
  }
  overhear();
  if (ticks_ % kSettingsTicks == 0 && !stopping_) follow_settings();
  sweep();
  tcp_.resume(now);
  publish();
  if (stopping_ && (flows_.empty() || now >= stop_at_)) {
    for (const auto& [id, flow] : flows_) flow->cut("gate_stopping");
    sweep();
    loop_.stop();
  }
}

void Worker::follow_settings() {
  own_addresses_ = nightlatch::own_addresses();
  socks_.follow(judge_->socks_listen(), judge_->lan(), index_ == 0);
  http_.follow(judge_->http_listen(), judge_->lan(), index_ == 0);
}

void Worker::publish() {
  const auto put = [](std::atomic<std::uint64_t>& to, std::uint64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  put(stats_.flows, flows_.size());
  put(stats_.accepted, tcp_.accepted() + udp_->accepted() + socks_.accepted() + http_.accepted());
  put(stats_.overloaded, tcp_.overloaded() + udp_->overloaded());
  put(stats_.allowed, counters_.allowed);
  put(stats_.refused, counters_.refused);
  put(stats_.held, counters_.held);
  put(stats_.bytes, counters_.bytes);
}

}  // namespace nightlatch
