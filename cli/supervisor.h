// `serve` without a role: starts the gate and the portal, watches over them, and stops them. Its own process,
// one thread, no event loop. It parses nothing from the network and moves no traffic.
#pragma once

#include <string>

#include "base/result.h"
#include "store/database.h"

namespace nightlatch::cli {

struct ServeOptions {
  std::string store;  // an absolute path
  std::string user;
  unsigned workers = 0;
};

// Holds as long as this process lives; its children hold a part of it, so that the next `serve` waits until
// the ports of a supervisor that was killed are free. The descriptor is never closed.
[[nodiscard]] Status lock_store(const std::string& store);

// Returns the program's exit status, when both processes have ended. Restarts are written to `log`.
[[nodiscard]] int supervise(const ServeOptions& options, Database& log);

// Tells systemd, when it listens: "READY=1", "STOPPING=1".
void notify_service_manager(const std::string& state);

}  // namespace nightlatch::cli
