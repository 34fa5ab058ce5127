// help, completion, man, reference: what the table of commands says about itself.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/table.h"
#include "store/access.h"
#include "store/office_store.h"
#include "store/people.h"
#include "store/providers.h"

namespace nightlatch::cli {

namespace {

Result<int> run_help(Context& context) {
  const std::string& noun = context.argument(0);
  const std::string& verb = context.argument(1);
  std::vector<std::string> known_nouns;
  std::vector<std::string> known_verbs;
  for (const Command& c : context.table) {
    if (c.noun == noun && c.verb == verb) {
      context.io.out << command_help(c);
      return 0;
    }
    known_nouns.push_back(c.noun);
    if (c.noun == noun) known_verbs.push_back(c.verb);
  }
  if (verb.empty() && (noun.empty() || !known_verbs.empty())) {
    context.io.out << noun_help(context.table, noun);
    return 0;
  }
  const bool noun_known = !known_verbs.empty();
  const std::string near = noun_known ? nearest(verb, known_verbs) : nearest(noun, known_nouns);
  return Error::usage(
      fmt::format("help: there is no command '{}'", printable(noun_known ? noun + " " + verb : noun)),
      near.empty() ? "see: nightlatch help" : fmt::format("did you mean '{}'?", near));
}

Result<int> run_bash(Context& context) {
  context.io.out << bash_completion(context.table);
  return 0;
}

template <typename Rows>
void print_names(Context& context, const Rows& rows) {
  for (const auto& row : rows) context.io.out << row.name << '\n';
}

Result<int> run_names(Context& context) {
  const std::string& kind = context.argument(0);
  const std::vector<std::string> kinds{"user",  "group",       "device",   "resource", "policy",
                                       "token", "certificate", "provider", "setting"};
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    return Error::usage(fmt::format("KIND: there are no names of '{}'", printable(kind)),
                        fmt::format("say one of: {}", fmt::join(kinds, ", ")));
  }
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  if (kind == "setting") {
    Result<std::vector<SettingRow>> settings = list_settings(*db);
    if (!settings) return settings.error();
    for (const SettingRow& s : *settings) context.io.out << s.key << '\n';
    return 0;
  }
  if (kind == "provider") {
    auto providers = list_providers(*db);
    if (!providers) return providers.error();
    print_names(context, *providers);
    return 0;
  }
  Result<OfficeData> office = load_office(*db);
  if (!office) return office.error();
  if (kind == "user") print_names(context, office->users);
  if (kind == "group") print_names(context, office->groups);
  if (kind == "device") print_names(context, office->devices);
  if (kind == "resource") print_names(context, office->resources);
  if (kind == "policy") print_names(context, office->policies);
  std::erase_if(office->tokens, [](const Token& t) { return t.revoked; });
  if (kind == "token") print_names(context, office->tokens);
  std::erase_if(office->certificates, [](const Certificate& c) { return c.revoked; });
  if (kind == "certificate") print_names(context, office->certificates);
  return 0;
}

Result<int> run_man(Context& context) {
  context.io.out << man_page(context.table);
  return 0;
}

Result<int> run_reference(Context& context) {
  context.io.out << reference(context.table);
  return 0;
}

}  // namespace

std::vector<Command> manual_commands() {
  return {
      {.noun = "help",
       .summary = "show help: examples first, then what the command takes",
       .arguments = {{.name = "COMMAND",
                      .help = "the command's first word",
                      .required = false,
                      .words = Words::command},
                     {.name = "VERB", .help = "its second word", .required = false}},
       .examples = {{"help"}, {"help policy add"}},
       .run = run_help},
      {.noun = "completion",
       .verb = "bash",
       .summary = "print the completion script for bash",
       .details = "It completes commands and options, and the names in the store for those who may read it.",
       .examples = {{"completion bash > /usr/share/bash-completion/completions/nightlatch"},
                    {"completion bash > ~/.nightlatch.bash", "then in ~/.bashrc: source ~/.nightlatch.bash"}},
       .run = run_bash},
      {.noun = "completion",
       .verb = "names",
       .summary = "print the names of one kind in the store, one a line",
       .arguments = {{.name = "KIND",
                      .help = "user, group, device, resource, policy, token, provider or setting",
                      .words = Words::choices,
                      .choices = {"user", "group", "device", "resource", "policy", "token", "provider",
                                  "setting"}}},
       .examples = {{"completion names user"}},
       .run = run_names},
      {.noun = "man",
       .summary = "print the manual page",
       .examples = {{"man > /usr/local/share/man/man8/nightlatch.8"}, {"man | man -l -", "read it at once"}},
       .run = run_man},
      {.noun = "reference",
       .summary = "print the reference of all commands as Markdown",
       .examples = {{"reference > docs/cli.md"}},
       .run = run_reference},
  };
}

}  // namespace nightlatch::cli
