// The texts that are made from the table of commands: the man page, the reference and the shell's completion.
// The committed copies (docs/nightlatch.8, docs/cli.md) are what these functions give; a test checks that.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace nightlatch::cli {

[[nodiscard]] std::string man_page(const std::vector<Command>& table);         // mdoc(7)
[[nodiscard]] std::string reference(const std::vector<Command>& table);        // Markdown
[[nodiscard]] std::string bash_completion(const std::vector<Command>& table);  // a bash script

}  // namespace nightlatch::cli
