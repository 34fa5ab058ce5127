#include "proxy/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "proxy/rules.h"

namespace nightlatch {

namespace {
constexpr unsigned kAcceptsPerWake = 8;
constexpr unsigned kRounds = 8;      // of epoll in one turn of the loop
constexpr unsigned kStoreTicks = 4;  // the store is looked at every fourth tick: 200 ms
constexpr Millis kPause{100};        // without accepting, when descriptors run out
constexpr Millis kComplain{60'000};  // between two messages about the same trouble
constexpr Millis kLogAgain{5'000};   // between two audit rows about the same refusal
constexpr std::size_t kMostLogged = 10'000;
constexpr Millis kClockJump{1'000};

Millis offset_now() { return wall_now().time_since_epoch() - BootClock::now().time_since_epoch(); }
}  // namespace

Worker::Worker(unsigned index, std::string store_path, AuditWriter& audit, HoldDesk& desk,
               std::atomic<std::uint64_t>& all_flows)
    : index_(index),
      store_path_(std::move(store_path)),
      audit_(audit),
      desk_(desk),
      all_flows_(all_flows),
      scratch_(std::make_unique<char[]>(kScratch)),  // NOLINT
      wheel_(BootClock::now()),
      wall_offset_(offset_now()) {}

Worker::~Worker() { join(); }

Status Worker::open() {
  auto judge = Judge::open(store_path_);
  if (!judge) return judge.error();
  judge_ = std::move(*judge);
  auto v4 = listen_transparent(true, kTproxyPort);
  if (!v4) return v4.error();
  listener4_ = std::move(*v4);
  auto v6 = listen_transparent(false, kTproxyPort);
  if (v6) {
    listener6_ = std::move(*v6);
  } else if (index_ == 0) {
    log_warning("IPv6 is not served: {}", v6.error().message);
  }
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  reserve_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!epoll_.valid() || !reserve_.valid()) return Error::failure(std::strerror(errno));
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
  watch_neighbours();
  listen_on(true);
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
    listen_on(false);
    listener4_.reset();
    listener6_.reset();
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

void Worker::listen_on(bool on) {
  if (on == listening_) return;
  for (const Fd* listener : {&listener4_, &listener6_}) {
    if (!listener->valid()) continue;
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = const_cast<Fd*>(listener);  // NOLINT: only compared
    epoll_ctl(epoll_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->get(), &e);
  }
  listening_ = on;
}

bool Worker::watch(Flow& flow, Relay::Side side, int fd) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.ptr = &flow.leg(side);
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0;
}

void Worker::unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Worker::turn() {
  std::array<epoll_event, 256> events{};
  for (unsigned round = 0; round < kRounds; ++round) {
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = events[static_cast<std::size_t>(i)];
      if (e.data.ptr == &listener4_ || e.data.ptr == &listener6_) {
        accept_some(static_cast<Fd*>(e.data.ptr)->get());
        continue;
      }
      const auto* leg = static_cast<Flow::Leg*>(e.data.ptr);
      const bool broken = (e.events & (EPOLLERR | EPOLLHUP)) != 0;
      leg->flow->on_ready(leg->side, broken || (e.events & (EPOLLIN | EPOLLRDHUP)) != 0,
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

void Worker::sweep() {
  for (const std::string& id : finished_) {
    if (flows_.erase(id) > 0) all_flows_.fetch_sub(1, std::memory_order_relaxed);
  }
  finished_.clear();
}

void Worker::accept_some(int listener) {
  for (unsigned i = 0; i < kAcceptsPerWake && listening_; ++i) {
    if (all_flows_.load(std::memory_order_relaxed) >= judge_->max_flows()) {
      accept_past_the_limit(listener);
      return;
    }
    Accepted accepted = accept_flow(listener);
    if (!accepted.fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        accept_past_the_limit(listener);
      return;
    }
    stats_.accepted.fetch_add(1, std::memory_order_relaxed);
    all_flows_.fetch_add(1, std::memory_order_relaxed);
    changed_ = judge_->refresh(wall_now()) || changed_;
    std::string id = fmt::format("w{}-{}", index_, ++next_flow_);
    auto flow = std::make_unique<Flow>(static_cast<Flow::Host&>(*this), id, std::move(accepted));
    Flow& f = *flow;
    flows_.emplace(std::move(id), std::move(flow));
    f.start();
  }
}

// Takes the connection that cannot be served with the descriptor kept for this, and resets it: it must not
// hang.
void Worker::accept_past_the_limit(int listener) {
  stats_.overloaded.fetch_add(1, std::memory_order_relaxed);
  reserve_.reset();
  Accepted refused = accept_flow(listener);
  const int error = refused.fd.valid() ? 0 : errno;
  if (refused.fd.valid()) reset_on_close(refused.fd.get());
  refused.fd.reset();  // before the reserve is taken again
  reserve_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (error != EAGAIN) pause_accepting("too many flows at a time");
}

void Worker::pause_accepting(const char* why) {
  const BootTime now = BootClock::now();
  if (complained_ == BootTime{} || now - complained_ > kComplain) {
    complained_ = now;
    log_warning(
        "{}: {} open; new ones are refused for now (see setting flows.max and the limit on open files)", why,
        all_flows_.load(std::memory_order_relaxed));
  }
  if (reserve_.valid()) return;  // the next one can be refused as quickly
  listen_on(false);
  resume_at_ = now + kPause;
}

void Worker::ask_hold(Flow& flow, HoldRequest request) {
  request.done = [this, id = flow.id()](const std::string& code) {
    post([this, id, code] {
      if (const auto it = flows_.find(id); it != flows_.end()) it->second->on_hold(code);
    });
  };
  desk_.ask(std::move(request));
}

bool Worker::log_refusal(const std::string& key) {
  const BootTime now = BootClock::now();
  if (logged_.size() > kMostLogged) logged_.clear();
  const auto [it, is_new] = logged_.try_emplace(key, now);
  if (!is_new && now - it->second < kLogAgain) return false;
  it->second = now;
  return true;
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

void Worker::rejudge_all() {
  for (const auto& [id, flow] : flows_) flow->rejudge();
  sweep();
}

void Worker::tick() {
  const BootTime now = BootClock::now();
  wheel_.advance(now, [](WheelTimer& t) { static_cast<Flow::Timer&>(t).flow->on_timer(); });
  if (++ticks_ % kStoreTicks == 0) {
    changed_ = judge_->refresh(wall_now()) || changed_;
    const Millis offset = offset_now();
    if (std::chrono::abs(offset - wall_offset_) > kClockJump) changed_ = true;
    wall_offset_ = offset;
    if (std::exchange(changed_, false)) rejudge_all();
    if (judge_->neighbours_generation() != neighbours_seen_) watch_neighbours();
  }
  sweep();
  if (!listening_ && !stopping_ && now >= resume_at_) {
    if (!reserve_.valid()) reserve_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    listen_on(true);
  }
  stats_.flows.store(flows_.size(), std::memory_order_relaxed);
  stats_.allowed.store(counters_.allowed, std::memory_order_relaxed);
  stats_.refused.store(counters_.refused, std::memory_order_relaxed);
  stats_.held.store(counters_.held, std::memory_order_relaxed);
  stats_.bytes.store(counters_.bytes, std::memory_order_relaxed);
  if (stopping_ && (flows_.empty() || now >= stop_at_)) {
    for (const auto& [id, flow] : flows_) flow->cut("gate_stopping");
    sweep();
    loop_.stop();
  }
}

}  // namespace nightlatch
