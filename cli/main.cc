#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "cli/run.h"
#include "store/office_store.h"

namespace {

bool has_value(const char* variable) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value != nullptr && *value != '\0';
}

bool wants_colour() {
  const char* terminal = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  return isatty(STDOUT_FILENO) == 1 && !has_value("NO_COLOR") && terminal != nullptr &&
         std::string(terminal) != "dumb";
}

}  // namespace

int main(int argc, char** argv) {
  // What the group may write, it may write from the first instant: a store's files get no second mode.
  umask(0007);
  std::ios::sync_with_stdio(false);
  nightlatch::cli::Io io{.in = std::cin, .out = std::cout, .err = std::cerr};
  io.colour = wants_colour();
  io.terminal = isatty(STDIN_FILENO) == 1;
  io.default_store = has_value("NIGHTLATCH_STORE")
                         ? std::getenv("NIGHTLATCH_STORE")  // NOLINT(concurrency-mt-unsafe)
                         : nightlatch::kDefaultStore;
  return nightlatch::cli::run(io, std::vector<std::string>(argv + 1, argv + argc));
}
