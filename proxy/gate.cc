#include "proxy/gate.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include "base/log.h"
#include "net/lifeline.h"
#include "net/privileges.h"
#include "proxy/housekeeper.h"
#include "proxy/rules_keeper.h"
#include "proxy/status_socket.h"
#include "proxy/token_uses.h"
#include "proxy/worker.h"
#include "store/office_store.h"

namespace nightlatch {

namespace {

constexpr Millis kGrace{5000};  // for flows under way when the gate is told to stop
constexpr int kStopped = 0, kFailed = 1, kInvalid = 5;

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int fail(const Error& e) {
  log_error("{}", e.message);
  if (!e.hint.empty()) log_info("{}", e.hint);
  return e.kind == ErrorKind::invalid ? kInvalid : kFailed;
}

std::string status_line(const std::vector<std::unique_ptr<Worker>>& workers, const RulesKeeper& rules,
                        const AuditWriter& audit, BootTime started) {
  std::uint64_t flows = 0, accepted = 0, allowed = 0, refused = 0, held = 0, bytes = 0, overloaded = 0;
  for (const auto& w : workers) {
    flows += w->stats().flows;
    accepted += w->stats().accepted;
    allowed += w->stats().allowed;
    refused += w->stats().refused;
    held += w->stats().held;
    bytes += w->stats().bytes;
    overloaded += w->stats().overloaded;
  }
  return fmt::format(
      R"({{"version":"{}","uptime_s":{},"workers":{},"rules_ok":{},"flows":{},"accepted":{},"allowed":{},)"
      R"("refused":{},"held":{},"overloaded":{},"bytes":{},"audit_dropped":{}}})",
      NIGHTLATCH_VERSION, (BootClock::now() - started).count() / 1000, workers.size(), rules.standing(),
      flows, accepted, allowed, refused, held, overloaded, bytes, audit.dropped());
}

}  // namespace

int run_gate(const GateOptions& options) {
  set_log_role("gate");
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  if (const Status dropped = drop_privileges(options.user, {"net_admin", "net_raw", "net_bind_service"});
      !dropped) {
    return fail(dropped.error());
  }
  // Refused before anything is opened: a gate without its store has nothing to judge by.
  {
    auto store = open_store(options.store_path, Database::Access::write);
    if (!store) return fail(store.error());
  }

  Loop loop;
  const BootTime started = BootClock::now();
  AuditWriter audit(options.store_path);
  auto desk = std::make_unique<HoldDesk>(options.store_path, audit);
  RulesKeeper rules(options.store_path, audit);
  auto names = NameKeeper::open(loop, options.store_path);
  if (!names) return fail(names.error());
  std::atomic<std::uint64_t> all_flows{0};
  TokenUses uses;

  std::vector<std::unique_ptr<Worker>> workers;
  const unsigned count =
      options.workers != 0 ? options.workers : std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) {
    workers.push_back(
        std::make_unique<Worker>(i, options.store_path, audit, *desk, **names, uses, all_flows));
    if (const Status opened = workers.back()->open(); !opened) return fail(opened.error());
  }
  // Listeners first, rules second: from their first instant the rules lead somewhere.
  if (const Status installed = rules.install(); !installed) return fail(installed.error());
  auto socket = StatusSocket::open(loop, status_socket_path(options.store_path),
                                   [&] { return status_line(workers, rules, audit, started); });
  if (!socket) return fail(socket.error());

  bool stopping = false;
  const auto stop = [&](Millis grace) {
    if (std::exchange(stopping, true)) return;
    for (const auto& w : workers) w->stop(grace);
    loop.stop();
  };
  {
    const SignalWatch term(loop, SIGTERM, [&] { stop(kGrace); });
    const SignalWatch interrupt(loop, SIGINT, [&] { stop(kGrace); });
    const SignalWatch hangup(loop, SIGHUP, [] {});
    Lifeline lifeline(loop, [&] { stop(Millis(0)); });
    const Housekeeper housekeeper(loop, options.store_path, uses);
    for (const auto& w : workers) w->start();
    rules.start();
    lifeline.ready();
    loop.run();
    // A second signal, as when a whole process group is told to stop, finds the handlers still there.
    for (const auto& w : workers) w->join();
  }
  desk.reset();  // while the workers that it answers still exist
  if (const auto used = uses.take(); !used.empty()) {
    auto store = open_store(options.store_path, Database::Access::write);
    if (store) (void)note_token_uses(*store, used);
  }
  return kStopped;
}

}  // namespace nightlatch
