// Worker: one thread with its own event loop, listeners (SO_REUSEPORT), store reader, timer wheel and flows.
// Workers share nothing on the path of a flow; other threads reach one only through post() and its atomic
// counters. Descriptors of flows are in an edge-triggered epoll set, each added once, which libuv polls as
// one handle: uv_poll itself would cost two system calls for every change of mind.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/seldom.h"
#include "net/loop.h"
#include "proxy/dns_watch.h"
#include "proxy/explicit_listener.h"
#include "proxy/flow_host.h"
#include "proxy/name_keeper.h"
#include "proxy/tcp_listener.h"
#include "proxy/token_uses.h"
#include "proxy/udp_listener.h"

namespace nightlatch {

struct WorkerStats {  // written by the worker, read by anybody
  std::atomic<std::uint64_t> flows{0}, accepted{0}, allowed{0}, refused{0}, held{0}, bytes{0}, overloaded{0};
};

class Worker final : private FlowHost {
 public:
  Worker(unsigned index, std::string store_path, AuditWriter& audit, HoldDesk& desk, NameKeeper& names,
         TokenUses& uses, std::atomic<std::uint64_t>& all_flows);
  ~Worker() override;
  [[nodiscard]] Status open();  // binds; before start()
  void start();
  // Takes no more flows, gives those under way until `grace` is over, then ends them. Returns at once; then
  // join().
  void stop(Millis grace);
  void join();
  [[nodiscard]] const WorkerStats& stats() const { return stats_; }

 private:
  Judge& judge() override { return *judge_; }
  Wheel& wheel() override { return wheel_; }
  AuditWriter& audit() override { return audit_; }
  std::span<char> scratch() override { return {scratch_.get(), kScratch}; }
  Datagrams& datagrams() override { return datagrams_; }
  Resolver& resolver() override { return *resolver_; }
  std::span<const IpAddress> own_addresses() override { return own_addresses_; }
  Counters& counters() override { return counters_; }
  bool watch(Ready& ready, int fd) override;
  bool listen(Ready& ready, int fd) override;
  void unwatch(int fd) override;
  void look_at_store() override;
  void heard(const WireName& host) override;
  std::vector<WireName> told(const Source& source, const IpAddress& address) override;
  bool room() override { return all_flows_.load(std::memory_order_relaxed) < judge_->max_flows(); }
  std::string next_id() override;
  LiveFlow& adopt(std::unique_ptr<LiveFlow> flow) override;
  void run_again(LiveFlow& flow) override { again_.push_back(flow.id()); }
  void finished(LiveFlow& flow) override;
  void ask_hold(const std::string& flow, HoldRequest request) override;
  bool log_refusal(const std::string& key) override { return logged_.worth(key); }
  void used(TokenId token) override;
  Millis delay_of_wrong(const IpAddress& source) override {
    return wrong_.worth(source.text()) ? Millis(0) : Millis(1'000);
  }
  std::uint64_t most_refusing() override { return judge_->max_flows() / 8 + 1; }
  bool take_share(const std::string& key, std::size_t most) override;
  void give_share(const std::string& key) override;

  static constexpr std::size_t kScratch = 128UL * 1024;
  void run();
  void post(std::function<void()> what);  // any thread
  void turn();  // everything that epoll has, then the flows whose budget was used up
  void tick();
  void rejudge_all();
  void watch_neighbours();
  void sweep();  // frees the flows that have ended
  void follow_settings();
  void follow_dns();
  void overhear();
  void publish();

  unsigned index_;
  std::string store_path_;
  AuditWriter& audit_;
  HoldDesk& desk_;
  NameKeeper& names_;
  TokenUses& uses_;
  std::atomic<std::uint64_t>& all_flows_;
  WorkerStats stats_;
  Counters counters_;
  std::unique_ptr<char[]> scratch_;  // NOLINT
  Wheel wheel_;
  std::unique_ptr<Judge> judge_;
  Fd epoll_;
  Loop loop_;
  std::unique_ptr<Wakeup> wakeup_;
  std::unique_ptr<Timer> ticker_;
  std::unique_ptr<ReadWatch> epoll_watch_, neighbour_watch_;
  std::uint64_t neighbours_seen_ = 0;
  Datagrams datagrams_;
  TcpListener tcp_{*this};
  std::optional<UdpListener> udp_;
  ExplicitListener socks_, http_;
  DnsWatch dns_;
  bool watching_dns_ = false;
  std::unique_ptr<Resolver> resolver_;
  std::vector<IpAddress> own_addresses_;
  std::unordered_map<std::string, std::unique_ptr<LiveFlow>> flows_;
  std::vector<std::string> again_, finished_;
  Seldom logged_{1, Millis(5'000)};  // audit rows about the same refusal
  // Nobody is shut out by what others behind the same address send: only who is wrong waits.
  Seldom wrong_{20, Millis(600'000)};
  std::unordered_map<TokenId, BootTime> used_;  // when each was last noted
  std::unordered_map<std::string, std::size_t> shares_;
  std::mutex mailbox_mutex_;
  std::vector<std::function<void()>> mailbox_;
  std::uint64_t next_flow_ = 0;
  unsigned ticks_ = 0;
  bool changed_ = false, stopping_ = false;
  BootTime stop_at_ = BootTime::max();
  Millis wall_offset_{};  // wall − boot: a jump means that somebody set the clock
  std::thread thread_;
};

}  // namespace nightlatch
