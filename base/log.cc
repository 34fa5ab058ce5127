#include "base/log.h"

#include <unistd.h>

#include "base/text.h"

namespace nightlatch {

namespace {
std::string role_prefix = "nightlatch: ";  // NOLINT: set once, before threads start
}

void set_log_role(std::string_view role) { role_prefix = fmt::format("nightlatch {}: ", role); }

void log_line(std::string_view level, std::string_view text) {
  const std::string line = fmt::format("{}{}{}\n", role_prefix, level, printable(text));
  // One write, so that lines of two processes never mix.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace nightlatch
