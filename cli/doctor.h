// The checks of `doctor`: each looks at one thing and says ok, warn or fail, with what to do. They change
// nothing. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/database.h"

namespace nightlatch::cli {

struct Check {
  enum class State : std::uint8_t { ok, warn, fail } state = State::ok;
  std::string name;
  std::string says;
  std::string fix{};  // what to do, when it is not ok
};

// Those of the store and its files, and those of the machine around it.
void check_store(const std::string& store, std::vector<Check>& checks);
void check_machine(std::vector<Check>& checks);
// What `serve` warns of before it begins: the kernel's settings that would keep everybody out.
void check_kernel(Database& db, std::vector<Check>& checks);

}  // namespace nightlatch::cli
