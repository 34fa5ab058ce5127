#include "cli/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"

// Commas belong to the values here, and a regular expression would recurse once for each byte of an argument.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#define CXXOPTS_NO_REGEX
#include <cxxopts.hpp>

namespace nightlatch::cli {

namespace {

using Strings = std::vector<std::string>;

// Every option of every command by name: a name means the same kind everywhere (a test checks that).
std::map<std::string, const Option*> options_by_name(const std::vector<Command>& commands) {
  std::map<std::string, const Option*> all;
  for (const Command& c : commands) {
    for (const Option& o : c.options) all.emplace(o.name, &o);
  }
  for (const Option& o : global_options()) all.emplace(o.name, &o);
  all.emplace(json_option().name, &json_option());
  return all;
}

std::string option_name(const std::string& word) { return word.substr(2, word.find('=') - 2); }
bool is_long_option(const std::string& word) { return word.size() > 2 && word.starts_with("--"); }
bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-' && word != "--"; }

// The places of the words that are neither options nor options' values, up to "--".
std::vector<std::size_t> plain_words(const std::map<std::string, const Option*>& known,
                                     const Strings& words) {
  std::vector<std::size_t> plain;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (!is_option(words[i])) {
      plain.push_back(i);
      continue;
    }
    if (!is_long_option(words[i]) || words[i].find('=') != std::string::npos) continue;
    const auto option = known.find(option_name(words[i]));
    if (option != known.end() && option->second->kind != Option::Kind::flag) ++i;
  }
  return plain;
}

bool wants_help(const Strings& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(words.begin(), end, [](const std::string& w) { return w == "--help" || w == "-h"; });
}

std::string did_you_mean(const std::string& word, const Strings& candidates, const std::string& otherwise) {
  // What was only begun is meant before what merely looks alike.
  const auto begun = std::find_if(candidates.begin(), candidates.end(), [&](const std::string& c) {
    return word.size() > 4 && c.starts_with(word);
  });
  const std::string near = begun != candidates.end() ? *begun : nearest(word, candidates);
  return near.empty() ? otherwise : fmt::format("did you mean '{}'?", near);
}

Error unknown_command(const std::vector<Command>& commands, const std::string& word) {
  Strings nouns;
  for (const Command& c : commands) {
    if (nouns.empty() || nouns.back() != c.noun) nouns.push_back(c.noun);
  }
  // "list users" for "user list".
  for (const Command& c : commands) {
    if (!c.verb.empty() && c.verb == word) {
      return Error::usage(fmt::format("there is no command '{}'", word),
                          fmt::format("the noun comes first: nightlatch {} {}", c.noun, c.verb));
    }
  }
  return Error::usage(fmt::format("there is no command '{}'", printable(word)),
                      did_you_mean(word, nouns, "see: nightlatch help"));
}

Result<const Command*> find_verb(const std::vector<Command>& commands, const std::string& noun,
                                 const std::optional<std::string>& verb) {
  Strings verbs;
  for (const Command& c : commands) {
    if (c.noun != noun) continue;
    if (c.verb == verb.value_or("")) return &c;
    verbs.push_back(c.verb);
  }
  const std::string all = fmt::format("{}", fmt::join(verbs, ", "));
  if (!verb)
    return Error::usage(fmt::format("{}: what is to be done is missing", noun), "say one of: " + all);
  return Error::usage(fmt::format("{}: there is no '{}'", noun, printable(*verb)),
                      did_you_mean(*verb, verbs, "say one of: " + all));
}

// What cxxopts would take silently: an option twice, an option in the place of another's value.
Status check_options(const Command& command, const Strings& words) {
  std::map<std::string, const Option*> known;
  Strings names;
  const std::vector<Option> options = all_options(command);
  for (const Option& o : options) {
    known.emplace(o.name, &o);
    names.push_back("--" + o.name);
  }
  std::set<std::string> given;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (!is_option(word)) continue;
    if (!is_long_option(word)) {
      const bool letter =
          word.size() == 2 &&
          std::any_of(options.begin(), options.end(), [&](const Option& o) { return o.letter == word[1]; });
      if (letter) continue;
      return Error::usage(fmt::format("{}: there is no option '{}'", command.words(), printable(word)),
                          did_you_mean("-" + word, names, "see: nightlatch " + command.words() + " --help"));
    }
    const auto found = known.find(option_name(word));
    if (found == known.end()) {
      return Error::usage(
          fmt::format("{}: there is no option '--{}'", command.words(), printable(option_name(word))),
          did_you_mean(word.substr(0, word.find('=')), names,
                       "see: nightlatch " + command.words() + " --help"));
    }
    const Option& option = *found->second;
    if (option.kind == Option::Kind::text && !given.insert(option.name).second) {
      return Error::usage(fmt::format("--{} is given twice", option.name), "give it once");
    }
    if (option.kind == Option::Kind::flag || word.find('=') != std::string::npos) continue;
    const bool missing = i + 1 == words.size() || words[i + 1] == "--" ||
                         (is_long_option(words[i + 1]) && known.contains(option_name(words[i + 1])));
    if (missing) {
      return Error::usage(fmt::format("--{}: its value is missing", option.name),
                          fmt::format("write --{} {}", option.name, option.value));
    }
    ++i;
  }
  return Done{};
}

Status check_arguments(const Command& command, const Strings& arguments) {
  std::size_t required = 0;
  for (const Argument& a : command.arguments) required += a.required ? 1 : 0;
  const std::string usage = "usage: nightlatch " + synopsis(command);
  if (arguments.size() < required) {
    return Error::usage(
        fmt::format("{}: {} is missing", command.words(), command.arguments[arguments.size()].name), usage);
  }
  const bool open = !command.arguments.empty() && command.arguments.back().repeats;
  if (!open && arguments.size() > command.arguments.size()) {
    return Error::usage(fmt::format("{}: '{}' is one argument too many", command.words(),
                                    printable(arguments[command.arguments.size()])),
                        usage);
  }
  return Done{};
}

// cxxopts proper. Its exceptions end here.
Result<Values> parse_values(const Command& command, const Strings& words) {
  constexpr const char* kRest = "nightlatch-arguments";
  const std::vector<Option> known = all_options(command);
  try {
    cxxopts::Options options("nightlatch");
    auto add = options.add_options();
    for (const Option& o : known) {
      const std::string names = o.letter == 0 ? o.name : fmt::format("{},{}", o.letter, o.name);
      if (o.kind == Option::Kind::flag) add(names, "", cxxopts::value<bool>());
      if (o.kind == Option::Kind::text) add(names, "", cxxopts::value<std::string>());
      if (o.kind == Option::Kind::list) add(names, "", cxxopts::value<Strings>());
    }
    add(kRest, "", cxxopts::value<Strings>());
    options.parse_positional(kRest);

    std::vector<const char*> argv{"nightlatch"};
    for (const std::string& w : words) argv.push_back(w.c_str());
    const cxxopts::ParseResult result = options.parse(static_cast<int>(argv.size()), argv.data());

    Values values;
    if (result.count(kRest) > 0) values.arguments = result[kRest].as<Strings>();
    for (const Option& o : known) {
      if (result.count(o.name) == 0) continue;
      if (o.kind == Option::Kind::flag && result[o.name].as<bool>()) values.options[o.name] = {"true"};
      if (o.kind == Option::Kind::text) values.options[o.name] = {result[o.name].as<std::string>()};
      if (o.kind == Option::Kind::list) values.options[o.name] = result[o.name].as<Strings>();
    }
    return values;
  } catch (const std::exception& e) {  // cxxopts' own class has another name in each of its versions
    return Error::usage(fmt::format("{}: {}", command.words(), printable(e.what())),
                        "see: nightlatch " + command.words() + " --help");
  }
}

}  // namespace

Result<Parsed> parse(const std::vector<Command>& commands, const Strings& arguments) {
  for (const std::string& a : arguments) {
    if (a.find('\0') != std::string::npos) {
      return Error::usage(fmt::format("'{}' holds a NUL character", printable(a)), "leave it out");
    }
  }
  Strings words = arguments;
  Parsed parsed;
  parsed.help = wants_help(words);
  const std::vector<std::size_t> plain = plain_words(options_by_name(commands), words);
  if (plain.empty()) {
    const auto unknown = std::find_if(words.begin(), words.end(), [](const std::string& w) {
      return is_option(w) && w != "-h" && w != "--help" && w != "--json" && !w.starts_with("--store");
    });
    if (unknown == words.end() || parsed.help) {
      parsed.help = true;
      return parsed;
    }
    if (*unknown == "--version" || *unknown == "-V") {
      words = {"version"};
      parsed.command = &*std::find_if(commands.begin(), commands.end(),
                                      [](const Command& c) { return c.noun == "version"; });
      return parsed;
    }
    return Error::usage(fmt::format("there is no option '{}'", printable(*unknown)), "see: nightlatch help");
  }

  const std::string noun = words[plain[0]];
  const auto first =
      std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.noun == noun; });
  if (first == commands.end()) return unknown_command(commands, noun);
  const bool has_verbs = !first->verb.empty();
  std::optional<std::string> verb;
  if (has_verbs && plain.size() > 1) verb = words[plain[1]];
  if (parsed.help && has_verbs && !verb) {
    parsed.noun = noun;
    return parsed;
  }
  const Result<const Command*> command = find_verb(commands, noun, verb);
  if (!command) return command.error();
  parsed.command = *command;
  if (parsed.help) return parsed;

  if (has_verbs) words.erase(words.begin() + static_cast<std::ptrdiff_t>(plain[1]));
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(plain[0]));
  NL_TRY(check_options(**command, words));
  Result<Values> values = parse_values(**command, words);
  if (!values) return values.error();
  NL_TRY(check_arguments(**command, values->arguments));
  parsed.values = std::move(*values);
  return parsed;
}

}  // namespace nightlatch::cli
