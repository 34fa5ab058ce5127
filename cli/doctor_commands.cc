// doctor: looks at everything that the office needs to work, and says what to do about what is wrong.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/doctor.h"
#include "cli/output.h"
#include "cli/table.h"

namespace nightlatch::cli {

namespace {

std::string to_text(Check::State state) {
  switch (state) {
    case Check::State::ok:
      return "ok";
    case Check::State::warn:
      return "warn";
    case Check::State::fail:
      break;
  }
  return "fail";
}

Paint paint_of(Check::State state) {
  if (state == Check::State::ok) return Paint::good;
  return state == Check::State::warn ? Paint::attention : Paint::bad;
}

Result<int> run_doctor(Context& context) {
  std::vector<Check> checks;
  check_store(context.store(), checks);
  check_machine(checks);
  std::vector<Record> rows;
  for (const Check& c : checks) {
    Record record;
    record.add("check", c.name).add("state", to_text(c.state)).add("says", c.says).add("fix", c.fix);
    rows.push_back(std::move(record));
  }
  if (context.json()) {
    context.io.out << json_text(rows) << '\n';
  } else {
    for (const Check& c : checks) {
      context.io.out << painted(context, paint_of(c.state), fmt::format("{:<4}", to_text(c.state)))
                     << fmt::format("  {:<16}  {}\n", c.name, printable(c.says));
      if (!c.fix.empty()) context.io.out << "                        do: " << printable(c.fix) << '\n';
    }
  }
  const bool failed =
      std::any_of(checks.begin(), checks.end(), [](const Check& c) { return c.state == Check::State::fail; });
  return failed ? 1 : 0;
}

}  // namespace

std::vector<Command> doctor_commands() {
  return {{
      .noun = "doctor",
      .summary =
          "check the store, the audit log's chain, the files, the rules and the machine; say what to do",
      .details = "Changes nothing. Ends with status 1 when a check fails.",
      .examples = {{"doctor"}, {"doctor --json"}},
      .json = true,
      .run = run_doctor,
  }};
}

}  // namespace nightlatch::cli
