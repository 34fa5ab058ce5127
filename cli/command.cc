#include "cli/command.h"

#include <algorithm>

namespace nightlatch::cli {

const std::vector<Option>& global_options() {
  static const std::vector<Option> options{
      {.name = "store",
       .kind = Option::Kind::text,
       .value = "FILE",
       .help = "the office's store; else $NIGHTLATCH_STORE, else /var/lib/nightlatch/office.db",
       .words = Words::file},
      {.name = "help", .help = "show examples and what the command takes", .letter = 'h'},
  };
  return options;
}

const Option& json_option() {
  static const Option option{.name = "json", .help = "print JSON"};
  return option;
}

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> all = command.options;
  if (command.json) all.push_back(json_option());
  all.insert(all.end(), global_options().begin(), global_options().end());
  return all;
}

std::string synopsis(const Command& command) {
  std::string line = command.words();
  for (const Argument& a : command.arguments) {
    const std::string shown = a.name + (a.repeats ? "..." : "");
    line += a.required ? " " + shown : " [" + shown + "]";
  }
  for (const Option& o : command.options) {
    line += " [--" + o.name + (o.value.empty() ? "" : " " + o.value) + "]";
    if (o.kind == Option::Kind::list) line += "...";
  }
  if (command.json) line += " [--json]";
  return line;
}

const std::vector<ExitStatus>& exit_statuses() {
  static const std::vector<ExitStatus> statuses{
      {0, "done"},
      {1, "it failed; what went wrong is on stderr"},
      {2, "the command line is wrong: the message names the argument and says what would be right"},
      {3, "a name on the command line is not in the store"},
      {4, "explain: the verdict is not allow; login: it was refused, or the resource is not open"},
      {5, "the store or the configuration is not what it should be"},
      {6, "the gate is not running"},
  };
  return statuses;
}

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::failure:
    case ErrorKind::busy:
      return 1;
    case ErrorKind::usage:
    case ErrorKind::conflict:
      return 2;
    case ErrorKind::not_found:
      return 3;
    case ErrorKind::invalid:
      return 5;
  }
  return 1;
}

}  // namespace nightlatch::cli
