// Runs one command line: finds the command, calls it, prints its error and gives the exit status. Main
// thread.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace nightlatch::cli {

[[nodiscard]] int run(Io& io, const std::vector<std::string>& arguments);

// "nightlatch: <message>" and the hint beneath it; nothing in it can act on a terminal.
void print_error(std::ostream& err, const Error& error);

}  // namespace nightlatch::cli
