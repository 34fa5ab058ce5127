// status: asks the running gate, over its socket beside the store, how it is.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ostream>

#include "base/fd.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/table.h"
#include "proxy/status_socket.h"

namespace nightlatch::cli {

namespace {

constexpr int kNotRunning = 6;
constexpr Millis kPatience{3000};
constexpr std::size_t kLongest = 1 << 20;

// The gate's answer; nullopt when nobody listens there.
Result<std::optional<std::string>> ask(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error::usage(fmt::format("--store: '{}' is too long for a socket's name", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<std::string>();
    return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)),  // NOLINT(concurrency-mt-unsafe)
                          errno == EACCES ? "run this as root or in the group nightlatch" : "");
  }
  std::string text;
  const BootTime limit = BootClock::now() + kPatience;
  while (text.size() < kLongest) {
    pollfd waiting{fd.get(), POLLIN, 0};
    const auto left = (limit - BootClock::now()).count();
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) {
      return Error::failure(fmt::format("the gate does not answer within {}", format_age(kPatience)),
                            "see what it says in its log: journalctl -u nightlatch");
    }
    std::array<char, 4096> part{};
    const ssize_t n = recv(fd.get(), part.data(), part.size(), 0);
    if (n == 0) return std::optional(text);
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    if (n < 0 && errno == ECONNRESET) return std::optional<std::string>();
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return Error::failure(
          fmt::format("{}: {}", path, std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
    }
  }
  return Error::failure("the gate's answer is too long");
}

Result<int> run_status(Context& context) {
  Result<std::optional<std::string>> answer = ask(status_socket_path(context.store()));
  if (!answer) return answer.error();
  if (!*answer || trim(**answer).empty()) {
    print_error(context.io.err, Error::failure("the gate is not running: protected destinations are closed",
                                               "start it: nightlatch serve"));
    if (context.json()) context.io.out << json_text(Record().add("running", Record::Value(false))) << '\n';
    return kNotRunning;
  }
  Result<Record> parsed = parse_json(std::string(trim(**answer)));
  if (!parsed) return Error::failure("the gate's answer is not what this version understands");
  Record record;
  record.add("running", Record::Value(true));
  for (const auto& [key, value] : parsed->fields()) {
    if (key != "running") record.add(key, value);
  }
  print_record(context, record);
  return 0;
}

}  // namespace

std::vector<Command> status_commands() {
  return {{
      .noun = "status",
      .summary = "show how the running gate is: flows, verdicts, rules",
      .details = "Ends with status 6 when the gate is not running.",
      .examples = {{"status"}, {"status --json"}},
      .json = true,
      .run = run_status,
  }};
}

}  // namespace nightlatch::cli
