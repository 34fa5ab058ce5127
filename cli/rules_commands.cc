// rules: the kernel's rules that lead protected traffic to the gate. What they are is in proxy/rules.h.
#include <fmt/format.h>

#include <ostream>

#include "cli/context.h"
#include "cli/table.h"
#include "proxy/rules.h"
#include "store/office_store.h"

namespace nightlatch::cli {

namespace {

Result<RulesInput> input_of(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  return load_rules_input(*db);
}

Result<int> run_show(Context& context) {
  Result<RulesInput> input = input_of(context);
  if (!input) return input.error();
  context.io.out << as_script(install_steps(*input));
  return 0;
}

Result<int> change(Context& context, const std::vector<RuleStep>& steps, const std::string& said) {
  if (context.given("dry-run")) {
    context.io.out << as_script(steps);
    return 0;
  }
  NL_TRY(run_steps(steps));
  NL_TRY(context.audit(context.words()));
  context.say("{}", said);
  return 0;
}

Result<int> run_install(Context& context) {
  Result<RulesInput> input = input_of(context);
  if (!input) return input.error();
  return change(context, install_steps(*input),
                "the rules stand: protected destinations are reached through the gate only");
}

Result<int> run_remove(Context& context) {
  Result<RulesInput> input = input_of(context);
  if (!input) return input.error();
  return change(context, remove_steps(*input),
                "the rules are gone: nothing is protected by this machine now");
}

const Option kDryRun{.name = "dry-run", .help = "print what would be run, and change nothing"};

}  // namespace

std::vector<Command> rules_commands() {
  return {
      {.noun = "rules",
       .verb = "show",
       .summary = "print exactly what 'rules install' runs",
       .examples = {{"rules show"}},
       .run = run_show},
      {.noun = "rules",
       .verb = "install",
       .summary = "install the rules, or bring them up to date; safe to run again",
       .details =
           "'serve' does this when it starts. The rules of others are left alone. Without a gate protected "
           "traffic is dropped or refused, never forwarded.",
       .options = {kDryRun},
       .examples = {{"rules install"}, {"rules install --dry-run"}},
       .run = run_install},
      {.noun = "rules",
       .verb = "remove",
       .summary = "take the rules away: protected destinations are open to everybody then",
       .options = {kDryRun},
       .examples = {{"rules remove"}, {"rules remove --dry-run"}},
       .run = run_remove},
  };
}

}  // namespace nightlatch::cli
