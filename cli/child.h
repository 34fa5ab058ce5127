// One process under the supervisor: this program again, with a role and one end of a lifeline
// (net/lifeline.h). Owned by the supervisor; its one thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/supervisor.h"

namespace nightlatch::cli {

struct Child {
  std::string role;  // "gate" or "portal"
  pid_t pid = 0;     // 0: not running
  Fd lifeline;       // our end
  bool said_ready = false;
  BootTime started{};
};

[[nodiscard]] Status start_child(Child& child, const ServeOptions& options);
// Its wait status, once it has ended.
[[nodiscard]] std::optional<int> reap_child(Child& child);
[[nodiscard]] std::string describe_end(
    int wait_status);  // "was killed by signal 9 (Killed)", "ended with status 1"
[[nodiscard]] bool is_exit(int wait_status, int status);

}  // namespace nightlatch::cli
