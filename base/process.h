// Runs another program to its end: for the few that do what no library of ours does (iptables-restore, ipset,
// ip). Waits: never call it on an event loop's thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace nightlatch {

struct ProcessResult {
  int status = 0;  // exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};
// `argv[0]` is looked up in PATH, then in /usr/sbin and /sbin. At most 4 MiB of output is kept. A program
// that is still running after `timeout` is killed, which is a failure.
[[nodiscard]] Result<ProcessResult> run_process(const std::vector<std::string>& argv,
                                                const std::string& input, Millis timeout);

}  // namespace nightlatch
