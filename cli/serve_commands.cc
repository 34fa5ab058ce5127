// serve: both processes under a supervisor, or one of them by its role.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "auth/office_ca.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/doctor.h"
#include "cli/office_url.h"
#include "cli/ownership.h"
#include "cli/run.h"
#include "cli/supervisor.h"
#include "cli/table.h"
#include "proxy/gate.h"
#include "store/access.h"
#include "store/audit.h"
#include "store/office_store.h"
#include "store/sessions.h"
#include "web/portal.h"

namespace nightlatch::cli {

namespace {

constexpr unsigned kMostWorkers = 256;

Result<unsigned> parse_workers(const std::string& text) {
  unsigned n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error == std::errc{} && end == text.data() + text.size() && n >= 1 && n <= kMostWorkers) return n;
  return Error::usage(
      fmt::format("--workers: '{}' is not a number from 1 to {}", printable(text), kMostWorkers));
}

// A store that cannot be used is a configuration error here, whatever kind it is elsewhere; held by somebody
// is not.
Error as_invalid(Error error) {
  if (error.kind != ErrorKind::busy) error.kind = ErrorKind::invalid;
  return error;
}

Status check_store(const std::string& store) {
  Result<Database> db = open_store(store, Database::Access::write);
  if (!db) return as_invalid(db.error());
  Result<std::vector<std::string>> damage = check_integrity(*db);
  if (!damage && damage.error().kind == ErrorKind::busy) return damage.error();
  if (!damage || !damage->empty()) {
    return Error::invalid(
        fmt::format("{}: the store is damaged: {}", store, damage ? damage->front() : damage.error().message),
        "it is left as it is; restore a backup");
  }
  if (const auto office = load_office(*db); !office) return as_invalid(office.error());

  Result<Database> log = open_audit(store, Database::Access::write);
  if (!log) return as_invalid(log.error());

  const Result<std::string> certificate = get_setting(*db, "portal.certificate");
  const Result<std::string> url = get_setting(*db, "portal.url");
  if (!certificate) return as_invalid(certificate.error());
  if (!url) return as_invalid(url.error());
  if (!certificate->empty()) return Done{};
  if (url->empty()) {
    return Error::invalid("portal.url: it is not set, so nobody could be told where to sign in",
                          "nightlatch set portal.url https://gate.office.example");
  }
  return ensure_office_ca(store, host_of(*url), wall_now());
}

// Kept open while serve runs. The files that SQLite needs beside a store are then there before the gate and
// the portal look for them, with the group's modes: whoever finds one that it may only read stays a reader.
// And a first commit takes the room that its shared memory needs: where blocks are small, a full disk would
// end the process that touches it first with SIGBUS.
struct Kept {
  Database store, log;
};

Result<Kept> keep_open(const std::string& path) {
  Result<Database> store = open_store(path, Database::Access::write);
  if (!store) return store.error();
  Result<Database> log = open_audit(path, Database::Access::write);
  if (!log) return log.error();
  AuditEvent start;
  start.at = wall_now();
  start.event = "serve.start";
  start.detail = NIGHTLATCH_VERSION;
  for (const Status& written : {advance_clock(*store, start.at), append_audit(*log, {start})}) {
    if (!written) log_warning("{}", written.error().message);  // sessions that run may go on
  }
  return Kept{std::move(*store), std::move(*log)};
}

void warn_of_kernel(Database& store) {
  std::vector<Check> checks;
  check_kernel(store, checks);
  for (const Check& c : checks) {
    if (c.state != Check::State::ok) log_warning("{} {}: {}", c.name, c.says, c.fix);
  }
}

Result<int> run_serve(Context& context) {
  std::error_code ignored;
  ServeOptions options{.store = std::filesystem::absolute(context.store(), ignored), .user = kSystemUser};
  if (context.given("user")) options.user = context.value("user");
  if (options.user.empty()) return Error::usage("--user: the name is empty");
  if (context.given("workers")) {
    Result<unsigned> workers = parse_workers(context.value("workers"));
    if (!workers) return workers.error();
    options.workers = *workers;
  }
  const std::string& role = context.value("role");
  if (context.given("role") && role != "gate" && role != "portal") {
    return Error::usage(fmt::format("--role: '{}' is not a role", printable(role)), "say gate or portal");
  }
  if (role == "gate")
    return run_gate({.store_path = options.store, .user = options.user, .workers = options.workers});
  if (role == "portal") return run_portal({.store_path = options.store, .user = options.user});

  // The store before its lock: serve never makes a file where there is no store.
  if (Result<Database> db = open_store(options.store, Database::Access::read); !db)
    return as_invalid(db.error());
  NL_TRY(lock_store(options.store));
  share_store(options.store);  // the certificate's key goes to the store's group
  NL_TRY(check_store(options.store));
  Result<Kept> kept = keep_open(options.store);
  if (!kept) return kept.error();
  warn_of_kernel(kept->store);
  share_store(options.store);
  return supervise(options, kept->log);
}

}  // namespace

std::vector<Command> serve_commands() {
  return {{
      .noun = "serve",
      .summary = "run the gate and the portal, supervised, until SIGTERM",
      .details = "Starts both processes, starts one again that dies, and prints 'ready' on stderr (and tells "
                 "systemd) "
                 "when all listeners and rules stand. SIGHUP reads certificates again. The rules stay when "
                 "it stops, "
                 "so that stopping opens nothing: see 'rules remove'.\n\n"
                 "Needs root to begin with. The gate then keeps only the capabilities it needs; the portal "
                 "keeps none.",
      .options = {{.name = "role",
                   .kind = Option::Kind::text,
                   .value = "ROLE",
                   .help = "run only this one, without a supervisor: gate or portal",
                   .words = Words::choices,
                   .choices = {"gate", "portal"}},
                  {.name = "workers",
                   .kind = Option::Kind::text,
                   .value = "N",
                   .help = "the gate's event loops; else one for each core"},
                  {.name = "user",
                   .kind = Option::Kind::text,
                   .value = "NAME",
                   .help = "the account that both run as; else nightlatch"}},
      .examples = {{"serve"}, {"serve --role portal", "one process, for a unit of its own"}},
      .run = run_serve,
  }};
}

}  // namespace nightlatch::cli
