// Where a flow would go, as `explain --to HOST:PORT --name HOST` has it. One thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "policy/decide.h"

namespace nightlatch::cli {

// The names are those that the gate would hear.
struct Goal {
  std::vector<Destination> destinations;  // one for each address; their `names` lie in `names`
  std::vector<WireName> hosts;
  std::vector<std::string_view> names;
};

// By the gate's own resolver, in the order in which it would choose; that may take some seconds.
[[nodiscard]] Result<std::vector<IpAddress>> addresses_of(const std::string& host);

// Looks a name up as the gate does, in the order in which the gate would choose; that may take some seconds.
[[nodiscard]] Result<std::unique_ptr<Goal>> goal_of(const Context& context);

}  // namespace nightlatch::cli
