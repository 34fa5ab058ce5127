#include "cli/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "net/lifeline.h"

namespace nightlatch::cli {

namespace {

// In the child, between fork and exec. The supervisor has one thread, so anything may be called here.
[[noreturn]] void become(const std::vector<std::string>& words, int lifeline, pid_t supervisor) {
  // Until the lifeline is watched; it also comes back as a plain end when privileges are given up.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != supervisor) _exit(1);
  setpgid(0, 0);  // Ctrl-C is the supervisor's alone: it stops both in its own way
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  fcntl(lifeline, F_SETFD, 0);
  // NOLINTBEGIN(concurrency-mt-unsafe)
  setenv(kLifelineVariable, std::to_string(lifeline).c_str(), 1);
  unsetenv("NOTIFY_SOCKET");
  // NOLINTEND(concurrency-mt-unsafe)
  std::vector<char*> argv;
  for (const std::string& w : words)
    argv.push_back(const_cast<char*>(w.c_str()));  // NOLINT: execv's old signature
  argv.push_back(nullptr);
  execv("/proc/self/exe", argv.data());
  _exit(127);
}

}  // namespace

Status start_child(Child& child, const ServeOptions& options) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return Error::failure(
        fmt::format("socketpair: {}", std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  Fd ours(pair[0]);
  const Fd theirs(pair[1]);
  std::vector<std::string> words{"nightlatch", "serve",       "--role", child.role,
                                 "--store",    options.store, "--user", options.user};
  if (options.workers > 0) {
    words.emplace_back("--workers");
    words.push_back(std::to_string(options.workers));
  }
  const pid_t supervisor = getpid();
  const pid_t pid = fork();
  if (pid < 0)
    return Error::failure(fmt::format("fork: {}", std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  if (pid == 0) become(words, theirs.get(), supervisor);
  child.pid = pid;
  child.lifeline = std::move(ours);
  child.said_ready = false;
  child.started = BootClock::now();
  return Done{};
}

std::optional<int> reap_child(Child& child) {
  int status = 0;
  if (child.pid <= 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) return std::nullopt;
  child.pid = 0;
  child.lifeline.reset();
  child.said_ready = false;
  return status;
}

std::string describe_end(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return fmt::format("was killed by signal {} ({})", signal,
                       strsignal(signal));  // NOLINT(concurrency-mt-unsafe)
  }
  return fmt::format("ended with status {}", WEXITSTATUS(wait_status));
}

bool is_exit(int wait_status, int status) {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == status;
}

}  // namespace nightlatch::cli
