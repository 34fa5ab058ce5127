#include "cli/run.h"

#include <ostream>

#include "base/text.h"
#include "cli/help.h"
#include "cli/table.h"

namespace nightlatch::cli {

void print_error(std::ostream& err, const Error& error) {
  err << "nightlatch: " << printable(error.message) << '\n';
  if (error.hint.empty()) return;
  for (const std::string_view line : split(error.hint, '\n')) err << "  " << printable(line) << '\n';
}

int run(Io& io, const std::vector<std::string>& arguments) {
  const std::vector<Command>& table = commands();
  Result<Parsed> parsed = parse(table, arguments);
  if (!parsed) {
    print_error(io.err, parsed.error());
    return exit_status(parsed.error().kind);
  }
  int status = 0;
  if (parsed->help) {
    // Asked for by name it is data; the program called with nothing at all is a mistake.
    std::ostream& out = arguments.empty() ? io.err : io.out;
    out << (parsed->command != nullptr ? command_help(*parsed->command) : noun_help(table, parsed->noun));
    status = arguments.empty() ? 2 : 0;
  } else {
    Context context(io, table, *parsed->command, std::move(parsed->values));
    const Result<int> done = parsed->command->run(context);
    if (done) {
      status = *done;
    } else {
      io.out.flush();
      print_error(io.err, done.error());
      status = exit_status(done.error().kind);
    }
  }
  io.out.flush();
  if (!io.out) {
    print_error(io.err, Error::failure("the output could not be written"));
    if (status == 0) status = 1;
  }
  return status;
}

}  // namespace nightlatch::cli
