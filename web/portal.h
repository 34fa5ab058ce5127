// The portal process: pages and sign-ins. run_portal() returns when the process should end.
#pragma once

#include <string>

namespace nightlatch {

struct PortalOptions {
  std::string store_path;
  std::string user = "nightlatch";  // whom to become once the ports are bound
};
[[nodiscard]] int run_portal(const PortalOptions& options);

}  // namespace nightlatch
