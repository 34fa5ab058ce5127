#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/table.h"

namespace nightlatch::cli {

namespace {

constexpr std::size_t kWidth = 96;

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Two columns: what, and what it is, the second one filled.
std::string two_columns(const Pairs& pairs) {
  std::size_t width = 0;
  for (const auto& [left, right] : pairs) width = std::max(width, std::min<std::size_t>(left.size(), 34));
  std::string out;
  for (const auto& [left, right] : pairs) {
    const std::string indent(width + 4, ' ');
    const std::string text = filled(right, kWidth - indent.size(), indent);
    if (left.size() > width) {
      out += "  " + left + "\n" + text;
    } else {
      out += "  " + left + std::string(width - left.size() + 2, ' ') +
             (text.empty() ? "\n" : text.substr(indent.size()));
    }
  }
  return out;
}

std::string examples_text(const std::vector<Example>& examples) {
  std::string out = "Examples:\n";
  for (const Example& e : examples) {
    if (!e.says.empty()) out += "  # " + e.says + "\n";
    out += "  nightlatch " + e.line + "\n";
  }
  return out;
}

std::string option_text(const Option& option) {
  const std::string letter = option.letter == 0 ? "" : fmt::format("-{}, ", option.letter);
  return letter + "--" + option.name + (option.value.empty() ? "" : " " + option.value);
}

std::string first_run() {
  return "Examples:\n"
         "  nightlatch init --lan br0 --portal gate.office.example\n"
         "  nightlatch user add alice --password-file -\n"
         "  nightlatch resource add payroll --to 10.88.0.2:5432/tcp\n"
         "  nightlatch policy add payroll --resource payroll --user alice --session 8h\n"
         "  nightlatch serve\n"
         "  nightlatch explain --from 10.77.0.11 --to 10.88.0.2:5432\n";
}

}  // namespace

std::string filled(const std::string& text, std::size_t width, const std::string& indent) {
  std::string out;
  for (const std::string_view paragraph : split(text, '\n')) {
    std::string line;
    for (const std::string_view word : split(paragraph, ' ')) {
      if (word.empty()) continue;
      if (!line.empty() && line.size() + 1 + word.size() > width) {
        out += indent + line + "\n";
        line.clear();
      }
      if (!line.empty()) line += ' ';
      line += word;
    }
    out += line.empty() ? "\n" : indent + line + "\n";
  }
  return out;
}

std::string command_help(const Command& command) {
  std::string out = examples_text(command.examples);
  out += "\nUsage:\n" + filled("nightlatch " + synopsis(command), kWidth - 2, "  ");
  std::string summary = command.summary;
  if (summary[0] >= 'a' && summary[0] <= 'z') summary[0] = static_cast<char>(summary[0] - 'a' + 'A');
  out += "\n" + filled(summary + ".", kWidth, "");
  if (!command.details.empty()) out += "\n" + filled(command.details, kWidth, "");
  Pairs arguments;
  for (const Argument& a : command.arguments) arguments.emplace_back(a.name, a.help);
  if (!arguments.empty()) out += "\nArguments:\n" + two_columns(arguments);
  Pairs options;
  for (const Option& o : all_options(command)) {
    options.emplace_back(option_text(o), o.help + (o.kind == Option::Kind::list ? " (may be repeated)" : ""));
  }
  return out + "\nOptions:\n" + two_columns(options);
}

std::string noun_help(const std::vector<Command>& table, const std::string& noun) {
  if (noun.empty()) {
    std::string out = first_run() + "\nCommands:\n";
    Pairs pairs;
    for (const Noun& n : nouns()) pairs.emplace_back(n.name, n.summary);
    Pairs options;
    for (const Option& o : global_options()) options.emplace_back(option_text(o), o.help);
    options.emplace_back("--json", "print JSON, on every command that reads");
    Pairs statuses;
    for (const ExitStatus& s : exit_statuses()) statuses.emplace_back(std::to_string(s.status), s.meaning);
    return out + two_columns(pairs) + "\nOptions:\n" + two_columns(options) + "\nExit status:\n" +
           two_columns(statuses) + "\nMore: nightlatch help COMMAND, nightlatch COMMAND --help\n";
  }
  std::vector<Example> examples;
  Pairs pairs;
  for (const Command& c : table) {
    if (c.noun != noun) continue;
    if (c.verb.empty()) return command_help(c);
    examples.push_back(c.examples.front());
    pairs.emplace_back(c.words(), c.summary);
  }
  return examples_text(examples) + "\nCommands:\n" + two_columns(pairs) +
         fmt::format("\nMore: nightlatch {} VERB --help\n", noun);
}

}  // namespace nightlatch::cli
