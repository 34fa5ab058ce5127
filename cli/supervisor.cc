#include "cli/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "cli/child.h"
#include "store/audit.h"

namespace nightlatch::cli {

namespace {

constexpr Millis kFirstDelay{100};
constexpr Millis kLongestDelay{5000};
constexpr Millis kLongEnough{10'000};  // a child that lived so long, or served, starts over
constexpr Millis kStopLimit{15'000};
constexpr Millis kRemnantLimit{10'000};  // how long the children of a killed supervisor may take to leave
constexpr int kBadConfiguration = 5;
constexpr int kMostAttempts = 7;  // for a process that was never ready

struct Watched {
  Child child;
  bool was_ready = false;  // at any time
  int attempts = 0;
  Millis delay = kFirstDelay;
  std::optional<BootTime> start_at;  // when it is to be started (again)
  std::string ended;                 // how the one before ended, until the audit log has it
};

class Supervisor {
 public:
  Supervisor(const ServeOptions& options, Database& log) : options_(options), log_(log) {
    for (const char* role : {"portal", "gate"}) {
      Watched w;
      w.child.role = role;
      w.start_at = BootClock::now();
      watched_.push_back(std::move(w));
    }
  }
  int run();

 private:
  void start_due();
  void wait_for_news();
  void read_signals();
  void read_lifeline(Watched& w);
  void reap();
  void ended(Watched& w, int status, bool served);
  void audit_restart(Watched& w);
  void stop(int exit_status);
  void kill_all(int signal);
  [[nodiscard]] bool any_alive() const;
  [[nodiscard]] int poll_timeout() const;

  ServeOptions options_;
  Database& log_;
  std::vector<Watched> watched_;
  Fd signals_;
  bool announced_ = false;
  bool stopping_ = false;
  bool forced_ = false;
  BootTime kill_at_{};
  int exit_status_ = 0;
};

int Supervisor::run() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&mask, s);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  signals_ = Fd(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) {
    log_error("signals cannot be read: {}",
              std::strerror(errno));  // NOLINT(concurrency-mt-unsafe): one thread
    return 1;
  }
  while (!stopping_ || any_alive()) {
    start_due();
    wait_for_news();
    if (stopping_ && !forced_ && BootClock::now() >= kill_at_ && any_alive()) {
      log_warning("not everything ended within {}: killing what is left", format_age(kStopLimit));
      forced_ = true;
      exit_status_ = std::max(exit_status_, 1);
      kill_all(SIGKILL);
    }
  }
  return exit_status_;
}

void Supervisor::start_due() {
  const BootTime now = BootClock::now();
  for (Watched& w : watched_) {
    if (stopping_ || !w.start_at || *w.start_at > now) continue;
    w.start_at.reset();
    ++w.attempts;
    if (const Status started = start_child(w.child, options_); !started) {
      log_error("the {} could not be started: {}", w.child.role, started.error().message);
      w.start_at = now + w.delay;
      w.delay = std::min(w.delay * 2, kLongestDelay);
    } else if (!w.ended.empty()) {
      audit_restart(w);
    }
  }
}

int Supervisor::poll_timeout() const {
  std::optional<BootTime> next;
  for (const Watched& w : watched_) {
    if (w.start_at && !stopping_) next = next ? std::min(*next, *w.start_at) : *w.start_at;
  }
  if (stopping_ && !forced_) next = kill_at_;
  if (!next) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, (*next - BootClock::now()).count()));
}

void Supervisor::wait_for_news() {
  std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}};
  for (const Watched& w : watched_) fds.push_back({w.child.lifeline.get(), POLLIN, 0});  // -1 is passed over
  if (poll(fds.data(), fds.size(), poll_timeout()) <= 0) return;
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (fds[i + 1].revents != 0) read_lifeline(watched_[i]);
  }
  if (fds[0].revents != 0) read_signals();
}

void Supervisor::read_lifeline(Watched& w) {
  std::array<char, 64> text{};
  const ssize_t n = recv(w.child.lifeline.get(), text.data(), text.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {  // it is on its way out; reap() says how
    w.child.lifeline.reset();
    return;
  }
  w.child.said_ready = true;
  if (w.was_ready) log_info("the {} serves again", w.child.role);
  w.was_ready = true;
  const bool all =
      std::all_of(watched_.begin(), watched_.end(), [](const Watched& o) { return o.child.said_ready; });
  if (!all || announced_ || stopping_) return;
  announced_ = true;
  log_info("ready");
  notify_service_manager("READY=1");
}

void Supervisor::read_signals() {
  signalfd_siginfo info{};
  bool child_ended = false;
  while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) child_ended = true;
    if (signal == SIGHUP) kill_all(SIGHUP);
    if (signal != SIGTERM && signal != SIGINT) continue;
    if (stopping_) {  // said twice: now
      forced_ = true;
      kill_all(SIGKILL);
    }
    stop(0);
  }
  if (child_ended) reap();
}

void Supervisor::reap() {
  for (Watched& w : watched_) {
    const bool served = w.child.said_ready;
    if (const std::optional<int> status = reap_child(w.child)) ended(w, *status, served);
  }
}

void Supervisor::ended(Watched& w, int status, bool served) {
  const Millis lived = BootClock::now() - w.child.started;
  if (stopping_) {
    if (status != 0) log_warning("the {} {}", w.child.role, describe_end(status));
    return;
  }
  if (!w.was_ready && is_exit(status, kBadConfiguration)) {
    log_error("the {} cannot start with this configuration: giving up", w.child.role);
    stop(kBadConfiguration);
    return;
  }
  if (!w.was_ready && w.attempts >= kMostAttempts) {
    log_error("the {} {}, for the {}th time without having come up: giving up", w.child.role,
              describe_end(status), w.attempts);
    stop(1);
    return;
  }
  // Back-off is for one that cannot start: one that served comes back at once, however often it is killed.
  if (served || lived >= kLongEnough) w.delay = kFirstDelay;
  const std::string what =
      fmt::format("the {} {} after {}", w.child.role, describe_end(status), format_age(lived));
  if (is_exit(status, 0)) {
    log_info("{}; starting it again in {} ms", what, w.delay.count());
  } else {
    log_error("{}; starting it again in {} ms", what, w.delay.count());
  }
  w.ended = what;
  w.start_at = BootClock::now() + w.delay;
  w.delay = std::min(w.delay * 2, kLongestDelay);
}

// Once the next one is on its way: the log may be slow, and is no reason to be without a gate.
void Supervisor::audit_restart(Watched& w) {
  AuditEvent e;
  e.at = wall_now();
  e.event = "serve.restart";
  e.detail = std::exchange(w.ended, {});
  if (const Status written = append_audit(log_, {e}); !written)
    log_warning("the audit log does not know of this: {}", written.error().message);
}

void Supervisor::stop(int exit_status) {
  if (stopping_) return;
  stopping_ = true;
  exit_status_ = exit_status;
  kill_at_ = BootClock::now() + kStopLimit;
  notify_service_manager("STOPPING=1");
  kill_all(SIGTERM);
}

void Supervisor::kill_all(int signal) {
  for (const Watched& w : watched_) {
    if (w.child.pid > 0) kill(w.child.pid, signal);
  }
}

bool Supervisor::any_alive() const {
  return std::any_of(watched_.begin(), watched_.end(), [](const Watched& w) { return w.child.pid > 0; });
}

}  // namespace

Status lock_store(const std::string& store) {
  const std::string path = store + ".lock";
  // Not close-on-exec: the children inherit the flock. The record lock is this process's alone.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);  // NOLINT: inherited on purpose
  if (fd < 0) {
    return Error::failure(
        fmt::format("{}: {}", path, std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  struct flock own{};
  own.l_type = F_WRLCK;
  own.l_whence = SEEK_SET;
  if (fcntl(fd, F_SETLK, &own) != 0) {
    struct flock other = own;
    const bool known = fcntl(fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK && other.l_pid > 0;
    close(fd);
    return Error::failure(
        known ? fmt::format("another 'nightlatch serve' runs for this store: process {}", other.l_pid)
              : "another 'nightlatch serve' runs for this store",
        "stop it first, or see: nightlatch status");
  }
  const BootTime limit = BootClock::now() + kRemnantLimit;
  bool said = false;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || BootClock::now() > limit) {
      return Error::failure("processes of an earlier 'nightlatch serve' are still there",
                            fmt::format("see which: fuser {}", path));
    }
    if (!said) log_info("waiting for the processes of an earlier serve to end");
    said = true;
    std::this_thread::sleep_for(Millis(10));
  }
  return Done{};
}

int supervise(const ServeOptions& options, Database& log) { return Supervisor(options, log).run(); }

void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): one thread
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract socket
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return;
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
  (void)sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace nightlatch::cli
