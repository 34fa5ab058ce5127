#include "cli/context.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "base/text.h"
#include "cli/ownership.h"
#include "store/audit.h"
#include "store/office_store.h"

namespace nightlatch::cli {

namespace {
const std::string kEmpty;
const std::vector<std::string> kNone;

// Who runs this: the person behind sudo, else the account.
std::string person() {
  if (geteuid() == 0) {
    if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return printable(sudo);
  }
  const passwd* entry = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
  return entry != nullptr ? entry->pw_name : fmt::format("uid {}", getuid());
}

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_of(" '\"\\$`&|;<>()*?[]#~") == std::string::npos;
  return plain ? printable(word) : "'" + printable(word) + "'";
}
}  // namespace

Context::Context(Io& io_in, const std::vector<Command>& table_in, const Command& command_in, Values values)
    : io(io_in), table(table_in), command(command_in), values_(std::move(values)) {
  store_ = given("store") ? value("store") : io.default_store;
}

const std::string& Context::argument(std::size_t at) const {
  return at < values_.arguments.size() ? values_.arguments[at] : kEmpty;
}

const std::string& Context::value(const std::string& option) const {
  const auto found = values_.options.find(option);
  return found == values_.options.end() ? kEmpty : found->second.front();
}

const std::vector<std::string>& Context::list(const std::string& option) const {
  const auto found = values_.options.find(option);
  return found == values_.options.end() ? kNone : found->second;
}

Status Context::names_once(const std::string& option) const {
  std::vector<std::string> seen;
  for (const std::string& name : list(option)) {
    NL_TRY(check_name(name, "--" + option));
    if (std::find(seen.begin(), seen.end(), lower(name)) != seen.end()) {
      return Error::usage(fmt::format("--{}: '{}' is given twice", option, name), "give each name once");
    }
    seen.push_back(lower(name));
  }
  return Done{};
}

void Context::write_message(const std::string& text) { io.err << text << '\n'; }

Result<Database> Context::open_read() const { return open_store(store_, Database::Access::read); }

Result<Database> Context::open_write() const { return open_store(store_, Database::Access::write); }

std::string Context::words() const {
  std::string text = command.words();
  for (const std::string& a : values_.arguments) text += " " + quoted(a);
  for (const Option& o : command.options) {
    for (const std::string& v : list(o.name)) {
      text += " --" + o.name;
      if (o.kind != Option::Kind::flag) text += " " + quoted(v);
    }
  }
  return text;
}

Status Context::audit(std::string detail) const {
  AuditEvent event;
  event.at = wall_now();
  event.event = "admin";
  event.user = person();
  event.detail = std::move(detail);
  const auto append = [&]() -> Status {
    Result<Database> log = open_audit(store_, Database::Access::write);
    if (!log) return log.error();
    return append_audit(*log, {event});
  };
  const Status written = append();
  share_store(store_);
  if (!written) {
    return Error::failure(
        fmt::format("the change is made, but not in the audit log: {}", written.error().message),
        written.error().hint);
  }
  return Done{};
}

}  // namespace nightlatch::cli
