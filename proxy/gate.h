// The gate process: owns the traffic. run_gate() returns when the process should end.
#pragma once

#include <string>

namespace nightlatch {

struct GateOptions {
  std::string store_path;
  std::string user = "nightlatch";  // whom to become; root is given up before the first connection
  unsigned workers = 0;             // 0: one for each core
};
[[nodiscard]] int run_gate(const GateOptions& options);

}  // namespace nightlatch
