// Messages for the person who runs the program: one line each, to stderr. Any thread.
// What happened to flows and sign-ins belongs in the audit log (store/audit.h), not here.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace nightlatch {

void set_log_role(std::string_view role);  // the prefix of every line of this process: "gate", "portal"
void log_line(std::string_view level, std::string_view text);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line("", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line("warning: ", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line("error: ", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace nightlatch
