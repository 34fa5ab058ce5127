// From the words of the command line to a command and its values. The only file that knows cxxopts.
// Options may stand anywhere, before or after the command's own words, and as --name VALUE or --name=VALUE.
// Pure; main thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/command.h"

namespace nightlatch::cli {

struct Values {
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>> options;  // a flag that is set: {"true"}
};

struct Parsed {
  const Command* command = nullptr;  // nullptr: only help is wanted
  std::string noun;                  // help for one noun, when command is nullptr; empty: for everything
  bool help = false;
  Values values;
};

// `arguments` without the program's name. `commands` must outlive what is returned.
[[nodiscard]] Result<Parsed> parse(const std::vector<Command>& commands,
                                   const std::vector<std::string>& arguments);

}  // namespace nightlatch::cli
