// What a command is: one row of the table that parsing, help, completion, the man page and the reference all
// read. Plain values, made once at start and owned by the table (cli/table.h); main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace nightlatch::cli {

class Context;

// What a word may be, for completion. Names are looked up in the store.
enum class Words : std::uint8_t {
  none,
  file,
  choices,
  user,
  group,
  device,
  resource,
  policy,
  token,
  provider,
  certificate,
  setting,
  command
};

struct Argument {
  std::string name;  // upper case, as help shows it
  std::string help{};
  bool required = true;
  bool repeats = false;  // takes all that follow; only the last one may
  Words words = Words::none;
  std::vector<std::string> choices{};
};

struct Option {
  enum class Kind : std::uint8_t { flag, text, list };  // list: may be given again
  std::string name;                                     // without the dashes
  Kind kind = Kind::flag;
  std::string value{};  // upper case, what it takes; empty for a flag
  std::string help{};
  Words words = Words::none;
  std::vector<std::string> choices{};
  char letter = 0;
};

struct Example {
  std::string line;  // without the leading "nightlatch "
  std::string says{};
};

struct Command {
  std::string noun;
  std::string verb{};     // empty for a command of one word
  std::string summary{};  // one line, lower case, an imperative
  std::string details{};  // a paragraph or more for the man page and the reference; blank lines separate
  std::vector<Argument> arguments{};
  std::vector<Option> options{};
  std::vector<Example> examples{};
  bool json = false;  // it reads: --json is offered
  std::function<Result<int>(Context&)> run{};

  [[nodiscard]] std::string words() const { return verb.empty() ? noun : noun + " " + verb; }
};

struct Noun {
  std::string name;
  std::string summary;
};

// The options that every command takes, and --json of those that read.
[[nodiscard]] const std::vector<Option>& global_options();
[[nodiscard]] const Option& json_option();
[[nodiscard]] std::vector<Option> all_options(
    const Command& command);  // its own, then --json, then the global ones

// "user add NAME [--group GROUP]...": the line that says how it is called, without the program's name.
[[nodiscard]] std::string synopsis(const Command& command);

struct ExitStatus {
  int status;
  std::string meaning;
};
[[nodiscard]] const std::vector<ExitStatus>& exit_statuses();
[[nodiscard]] int exit_status(ErrorKind kind);

}  // namespace nightlatch::cli
