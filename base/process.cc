#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/fd.h"

extern char** environ;  // NOLINT: POSIX's name

namespace nightlatch {

namespace {

constexpr std::size_t kMostOutput = 4U << 20U;

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

// Moves bytes until the child has closed its output or time is up. False when time was up.
bool exchange(Fd& in, Fd& out, Fd& err, std::string_view input, ProcessResult& result, BootTime deadline) {
  while (out.valid() || err.valid()) {
    const Millis left = deadline - BootClock::now();
    if (left.count() <= 0) return false;
    std::array<pollfd, 3> fds{
        {{in.valid() ? in.get() : -1, POLLOUT, 0}, {out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
    if (in.valid() && fds[0].revents != 0) {
      const ssize_t n = send(in.get(), input.data(), input.size(), MSG_NOSIGNAL);
      if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
      if (n < 0 || input.empty()) in.reset();
    }
    for (const auto& [fd, text, events] :
         {std::tuple{&out, &result.out, fds[1].revents}, std::tuple{&err, &result.err, fds[2].revents}}) {
      if (events == 0) continue;
      std::array<char, 16384> buffer{};
      const ssize_t n = read(fd->get(), buffer.data(), buffer.size());
      if (n > 0 && text->size() < kMostOutput) text->append(buffer.data(), static_cast<std::size_t>(n));
      if (n <= 0) fd->reset();
    }
  }
  return true;
}

}  // namespace

Result<ProcessResult> run_process(const std::vector<std::string>& argv, const std::string& input,
                                  Millis timeout) {
  const std::string program = find_program(argv[0]);
  if (program.empty()) {
    return Error::failure(fmt::format("there is no program '{}'", argv[0]),
                          fmt::format("install it: apt-get install {}", argv[0] == "ip"      ? "iproute2"
                                                                        : argv[0] == "ipset" ? "ipset"
                                                                                             : "iptables"));
  }
  std::array<int, 2> in_pair{};
  std::array<int, 2> out_pair{};
  std::array<int, 2> err_pair{};
  // Standard input is a socket, so that writing to a program that has gone gives an error and no SIGPIPE.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in_pair.data()) != 0) {
    return Error::failure(fmt::format("{}: {}", argv[0], std::strerror(errno)));
  }
  Fd in(in_pair[0]), in_child(in_pair[1]);
  if (pipe2(out_pair.data(), O_CLOEXEC) != 0) return Error::failure(std::strerror(errno));
  Fd out(out_pair[0]), out_child(out_pair[1]);
  if (pipe2(err_pair.data(), O_CLOEXEC) != 0) return Error::failure(std::strerror(errno));
  Fd err(err_pair[0]), err_child(err_pair[1]);

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in_child.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out_child.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err_child.get(), STDERR_FILENO);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  sigset_t none{};
  sigemptyset(&none);
  sigset_t defaults{};
  sigemptyset(&defaults);
  for (const int s : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&defaults, s);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = argv;
  std::vector<char*> raw;
  raw.reserve(words.size() + 1);
  for (std::string& w : words) raw.push_back(w.data());
  raw.push_back(nullptr);
  pid_t pid = 0;
  const int spawned = posix_spawn(&pid, program.c_str(), &actions, &attributes, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (spawned != 0) return Error::failure(fmt::format("{}: {}", argv[0], std::strerror(spawned)));
  in_child.reset();
  out_child.reset();
  err_child.reset();
  if (input.empty()) in.reset();

  ProcessResult result;
  const bool finished = exchange(in, out, err, input, result, BootClock::now() + timeout);
  if (!finished) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!finished)
    return Error::failure(fmt::format("{}: still running after {} ms", argv[0], timeout.count()));
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace nightlatch
