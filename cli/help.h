// Help as text, from the table: examples first. Pure; main thread.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace nightlatch::cli {

[[nodiscard]] std::string command_help(const Command& command);
// Of one noun, or of everything when `noun` is empty.
[[nodiscard]] std::string noun_help(const std::vector<Command>& table, const std::string& noun);

// Text filled to lines of at most `width` characters, each with `indent` in front; blank lines stay.
[[nodiscard]] std::string filled(const std::string& text, std::size_t width, const std::string& indent);

}  // namespace nightlatch::cli
