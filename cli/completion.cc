// Completion for bash, declared in manual.h.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/manual.h"
#include "cli/table.h"

namespace nightlatch::cli {

namespace {

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// What completes a word: "@file", "@names KIND", or the words themselves.
std::string source(Words words, const std::vector<std::string>& choices) {
  switch (words) {
    case Words::none:
      return "";
    case Words::file:
      return "@file";
    case Words::choices:
      return joined(choices);
    case Words::user:
      return "@names user";
    case Words::group:
      return "@names group";
    case Words::device:
      return "@names device";
    case Words::resource:
      return "@names resource";
    case Words::policy:
      return "@names policy";
    case Words::token:
      return "@names token";
    case Words::provider:
      return "@names provider";
    case Words::certificate:
      return "@names certificate";
    case Words::setting:
      return "@names setting";
    case Words::command: {
      std::vector<std::string> all;
      for (const Noun& n : nouns()) all.push_back(n.name);
      return joined(all);
    }
  }
  return "";
}

// One line of a case statement for each command: its options, its arguments, and what completes each option's
// value.
std::string command_case(const Command& c) {
  std::vector<std::string> options;
  std::string values;
  for (const Option& o : all_options(c)) {
    options.push_back("--" + o.name);
    if (!o.value.empty()) values += fmt::format("        [--{}]='{}'\n", o.name, source(o.words, o.choices));
  }
  std::string arguments;
  for (const Argument& a : c.arguments) arguments += fmt::format(" '{}'", source(a.words, a.choices));
  return fmt::format(
      "    '{}')\n      options='{}'\n      values=(\n{}      )\n      arguments=({} )\n      ;;\n",
      c.words(), joined(options), values, arguments);
}

constexpr const char* kEngine = R"bash(
_nightlatch_offer() { # WORD SOURCE: fills COMPREPLY
  local store=()
  [[ -n ${_nightlatch_store-} ]] && store=(--store "$_nightlatch_store")
  case $2 in
    '') ;;
    @file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$1") ;;
    '@names '*)
      mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" completion names "${2#@names }" "${store[@]}" 2>/dev/null)" -- "$1") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1") ;;
  esac
}

_nightlatch() {
  local word=${COMP_WORDS[COMP_CWORD]} noun='' verb='' options='--store --help' _nightlatch_store='' i=1 count=0 w before=''
  local -A values=([--store]='@file')
  local arguments=()
  COMPREPLY=()
  while ((i < COMP_CWORD)); do # the words before this one: the command, its arguments, an option that waits for a value
    w=${COMP_WORDS[i]}
    before=''
    if [[ $w == --* ]]; then
      if [[ ${COMP_WORDS[i + 1]-} == '=' ]]; then
        ((i + 2 < COMP_CWORD)) || before=$w
        [[ $w == --store ]] && _nightlatch_store=${COMP_WORDS[i + 2]-}
        ((i += 2))
      elif [[ -n ${values[$w]+x} ]]; then
        ((i + 1 < COMP_CWORD)) || before=$w
        [[ $w == --store ]] && _nightlatch_store=${COMP_WORDS[i + 1]-}
        ((i++))
      fi
    elif [[ -z $noun ]]; then
      noun=$w
      _nightlatch_command "$noun"
    elif [[ -n ${_nightlatch_verbs[$noun]-} && -z $verb ]]; then
      verb=$w
      _nightlatch_command "$noun $verb"
    else
      ((count++))
    fi
    ((i++))
  done
  [[ $word == '=' ]] && word=''
  if [[ -n $before ]]; then
    _nightlatch_offer "$word" "${values[$before]-}"
  elif [[ $word == -* ]]; then
    _nightlatch_offer "$word" "$options"
  elif [[ -z $noun ]]; then
    _nightlatch_offer "$word" "$_nightlatch_nouns"
  elif [[ -n ${_nightlatch_verbs[$noun]-} && -z $verb ]]; then
    _nightlatch_offer "$word" "${_nightlatch_verbs[$noun]}"
  elif [[ $noun == help && $count == 1 ]]; then
    _nightlatch_offer "$word" "${_nightlatch_verbs[${COMP_WORDS[COMP_CWORD - 1]}]-}"
  else
    _nightlatch_offer "$word" "${arguments[count]-}"
  fi
}

complete -F _nightlatch nightlatch
)bash";

}  // namespace

std::string bash_completion(const std::vector<Command>& table) {
  std::vector<std::string> noun_names;
  std::string verbs;
  for (const Noun& n : nouns()) {
    noun_names.push_back(n.name);
    std::vector<std::string> of_noun;
    for (const Command& c : table) {
      if (c.noun == n.name && !c.verb.empty()) of_noun.push_back(c.verb);
    }
    if (!of_noun.empty()) verbs += fmt::format("  [{}]='{}'\n", n.name, joined(of_noun));
  }
  std::string out = "# bash completion for nightlatch. Made by: nightlatch completion bash\n\n";
  out += fmt::format("_nightlatch_nouns='{}'\n", joined(noun_names));
  out += fmt::format("declare -gA _nightlatch_verbs=(\n{})\n\n", verbs);
  out += "_nightlatch_command() { # WORDS: sets options, values and arguments of the caller\n  case $1 in\n";
  for (const Command& c : table) out += command_case(c);
  return out + "  esac\n}\n" + kEngine;
}

}  // namespace nightlatch::cli
