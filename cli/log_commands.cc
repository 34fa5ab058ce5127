// log: the audit log, and what is added to it while one watches.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/audit.h"
#include "store/office_store.h"

namespace nightlatch::cli {

namespace {

constexpr std::int64_t kUsualLimit = 1000;
constexpr Millis kFollowPause{200};

Record record_of(const AuditRow& row) {
  const AuditEvent& e = row.event;
  Record record;
  record.add("id", row.id).add_time("at", e.at).add("event", e.event);
  record.add_if("user", e.user)
      .add_if("device", e.device)
      .add_if("resource", e.resource)
      .add_if("policy", e.policy);
  record.add_if("verdict", e.verdict).add_if("reason", e.reason);
  record.add_if("source", e.source).add_if("destination", e.destination);
  record.add_if("name", e.name)
      .add_if("named_by", e.named_by)
      .add_if("flow", e.flow)
      .add_if("machine", e.machine);
  record.add_if("detail", e.detail);
  if (e.bytes_up != 0 || e.bytes_down != 0)
    record.add("bytes_up", e.bytes_up).add("bytes_down", e.bytes_down);
  if (e.duration_ms != 0) record.add("duration_ms", e.duration_ms);
  return record;
}

Paint paint_of(const AuditEvent& e) {
  if (e.verdict == "allow") return Paint::good;
  return e.verdict == "deny" ? Paint::bad : Paint::attention;
}

// "2026-11-23T13:08:00Z  flow.open  alice@laptop  10.77.0.11:4711 > 10.88.0.2:5432 (payroll)  allow: fresh
// ..."
std::string line_of(const Context& context, const AuditRow& row) {
  const AuditEvent& e = row.event;
  std::string line = fmt::format("{}  {:<16}", format_rfc3339(e.at), printable(e.event));
  const auto part = [&](const std::string& text) {
    if (!text.empty()) line += "  " + text;
  };
  part(printable(e.device.empty() ? e.user : e.user.empty() ? "?@" + e.device : e.user + "@" + e.device));
  std::string way = printable(e.source);
  if (!e.destination.empty()) way += (way.empty() ? "> " : " > ") + printable(e.destination);
  if (!e.resource.empty()) way += (way.empty() ? "(" : " (") + printable(e.resource) + ")";
  part(way);
  std::string verdict = printable(e.verdict);
  if (!verdict.empty()) verdict = painted(context, paint_of(e), verdict);
  if (!e.reason.empty()) verdict += (verdict.empty() ? "" : ": ") + printable(e.reason);
  part(verdict);
  if (!e.policy.empty()) part("policy " + printable(e.policy));
  if (e.bytes_up != 0 || e.bytes_down != 0) part(fmt::format("{} B up, {} B down", e.bytes_up, e.bytes_down));
  if (e.duration_ms != 0) part("in " + format_age(Millis(e.duration_ms)));
  if (!e.flow.empty()) part("flow " + printable(e.flow));
  part(printable(e.detail));
  return line;
}

Result<WallTime> parse_since(const std::string& text) {
  if (const auto at = parse_rfc3339(text)) return *at;
  if (const Result<Seconds> ago = parse_duration(text, "--since")) return wall_now() - *ago;
  return Error::usage(fmt::format("--since: '{}' is neither a duration nor a time", printable(text)),
                      "for example 2h, 7d or 2026-11-23T13:00:00Z");
}

Result<AuditFilter> read_filter(const Context& context) {
  AuditFilter filter;
  filter.user = context.value("user");
  filter.device = context.value("device");
  filter.resource = context.value("resource");
  filter.verdict = context.value("verdict");
  filter.flow = context.value("flow");
  for (const char* option : {"user", "device", "resource", "flow"}) {
    if (context.given(option) && context.value(option).empty()) {
      return Error::usage(fmt::format("--{}: the value is empty", option), "leave the option out to see all");
    }
  }
  const std::vector<std::string> verdicts{"allow", "sign_in", "step_up", "deny"};
  if (context.given("verdict") &&
      std::find(verdicts.begin(), verdicts.end(), filter.verdict) == verdicts.end()) {
    return Error::usage(fmt::format("--verdict: '{}' is not a verdict", printable(filter.verdict)),
                        "say allow, sign_in, step_up or deny");
  }
  if (context.given("since")) {
    Result<WallTime> since = parse_since(context.value("since"));
    if (!since) return since.error();
    filter.since = *since;
  }
  filter.limit = kUsualLimit;
  if (context.given("limit")) {
    const std::string& text = context.value("limit");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), filter.limit);
    if (error != std::errc{} || end != text.data() + text.size() || filter.limit < 0) {
      return Error::usage(fmt::format("--limit: '{}' is not a number of rows", printable(text)),
                          "0 shows all");
    }
  }
  return filter;
}

void print_line(Context& context, const AuditRow& row) {
  context.io.out << (context.json() ? json_text(record_of(row)) : line_of(context, row)) << '\n';
}

// Until the reader goes away or it is interrupted.
Result<int> follow(Context& context, Database& log, AuditFilter filter) {
  filter.limit = 0;
  while (true) {
    context.io.out.flush();
    if (!context.io.out) return 0;
    // Nobody may be left to read it, long before there is something to write.
    pollfd reader{STDOUT_FILENO, 0, 0};
    if (poll(&reader, 1, static_cast<int>(kFollowPause.count())) > 0) return 0;
    Result<std::vector<AuditRow>> rows = read_audit(log, filter);
    if (!rows) return rows.error();
    for (const AuditRow& row : *rows) {
      print_line(context, row);
      filter.after_id = row.id;
    }
  }
}

Result<int> run_log(Context& context) {
  Result<AuditFilter> filter = read_filter(context);
  if (!filter) return filter.error();
  // The store is looked at too: without it a mistyped --store would read like an office where nothing
  // happened.
  if (Result<Database> store = context.open_read(); !store) return store.error();
  Result<Database> log = open_audit(context.store(), Database::Access::read);
  if (!log) return log.error();
  Result<std::vector<AuditRow>> rows = read_audit(*log, *filter);
  if (!rows) return rows.error();
  const bool following = context.given("follow");
  const bool cut = !context.given("limit") && static_cast<std::int64_t>(rows->size()) == kUsualLimit;
  if (cut) context.say("the last {} rows; --limit 0 shows all", kUsualLimit);
  if (context.json() && !following) {
    std::vector<Record> records;
    for (const AuditRow& row : *rows) records.push_back(record_of(row));
    context.io.out << json_text(records) << '\n';
    return 0;
  }
  for (const AuditRow& row : *rows) print_line(context, row);
  if (!following) {
    if (rows->empty()) context.say("nothing in the log fits");
    return 0;
  }
  if (!rows->empty()) filter->after_id = rows->back().id;
  return follow(context, *log, *filter);
}

Option text(const std::string& name, const std::string& value, const std::string& help,
            Words words = Words::none, std::vector<std::string> choices = {}) {
  return {.name = name,
          .kind = Option::Kind::text,
          .value = value,
          .help = help,
          .words = words,
          .choices = std::move(choices)};
}

}  // namespace

std::vector<Command> log_commands() {
  return {{
      .noun = "log",
      .summary = "show the audit log: flows, sign-ins, and what admins changed",
      .details =
          "With --json an array; with --json --follow one object a line. Fields that are empty are left out.",
      .options = {{.name = "follow", .help = "go on showing what is added, until interrupted", .letter = 'f'},
                  text("user", "USER", "only this user's", Words::user),
                  text("device", "DEVICE", "only this device's", Words::device),
                  text("resource", "RESOURCE", "only about this resource", Words::resource),
                  text("verdict", "VERDICT", "only these: allow, sign_in, step_up or deny", Words::choices,
                       {"allow", "sign_in", "step_up", "deny"}),
                  text("since", "WHEN", "a duration such as 2h, or a time as RFC 3339 writes it"),
                  text("flow", "ID", "only this flow's"),
                  text("limit", "N", "the last N rows; 0: all; else 1000")},
      .examples = {{"log --follow"},
                   {"log --user alice --since 2h"},
                   {"log --verdict deny --since 2026-11-23T08:00:00Z --json"}},
      .json = true,
      .run = run_log,
  }};
}

}  // namespace nightlatch::cli
