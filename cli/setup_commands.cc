// init, backup, version: the commands around the store itself.
#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <ostream>

#include "auth/office_ca.h"
#include "auth/secret_box.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/office_url.h"
#include "cli/output.h"
#include "cli/ownership.h"
#include "cli/table.h"
#include "store/access.h"
#include "store/office_store.h"

namespace nightlatch::cli {

namespace {

namespace fs = std::filesystem;

struct Plan {
  std::string lan;   // as the setting holds it
  std::string host;  // of the portal
};

// Looks at everything that can be wrong before anything is made.
Result<Plan> plan(Context& context) {
  Plan plan;
  plan.lan = context.value("lan");
  std::optional<IpAddress> address;
  if (context.given("lan")) {
    for (const std::string_view part : split(plan.lan, ',')) {
      const std::string name(trim(part));
      if (name.empty() || name.size() >= IFNAMSIZ || name.find('/') != std::string::npos ||
          printable(name) != name) {
        return Error::usage(fmt::format("--lan: '{}' is not an interface's name", printable(name)),
                            "give names as 'ip link' shows them, separated by commas");
      }
      if (if_nametoindex(name.c_str()) == 0) {
        context.say("nightlatch: warning: --lan: there is no interface '{}' on this machine now", name);
      }
      if (!address) address = first_address(name);
    }
  }
  if (context.given("portal")) {
    Result<std::string> host = check_host(context.value("portal"), "--portal");
    if (!host) return host.error();
    plan.host = *host;
    return plan;
  }
  if (!context.given("lan")) {
    return Error::usage("init: neither --lan nor --portal is given, so nobody could be told where to sign in",
                        "for example: nightlatch init --lan br0 --portal gate.office.example");
  }
  if (!address) {
    return Error::usage(
        fmt::format("--lan: '{}' has no address that the portal could be reached at", plan.lan),
        "give the interface an address, or say --portal HOST");
  }
  plan.host = address->text();
  return plan;
}

Status fill(Context& context, Database& db, const Plan& plan) {
  if (!plan.lan.empty()) NL_TRY(set_setting(db, "lan", plan.lan));
  NL_TRY(set_setting(db, "portal.url", portal_url(plan.host)));
  if (auto box = SecretBox::open(db); !box) return box.error();  // makes the key
  return ensure_office_ca(context.store(), plan.host, wall_now());
}

// Takes back a store that was made a moment ago and could not be filled.
void unmake(const std::string& store, bool had_key) {
  for (const char* extra : {"", "-wal", "-shm"}) unlink((store + extra).c_str());
  if (!had_key) unlink(key_path(store).c_str());
}

Result<int> run_init(Context& context) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(context.store(), ignored))) {
    return Error::conflict(fmt::format("--store: there is already a file '{}'", context.store()),
                           "it is left as it is; name another with --store, or remove it yourself");
  }
  Result<Plan> wanted = plan(context);
  if (!wanted) return wanted.error();
  if (context.io.manage_system) {
    Result<std::string> made = ensure_system_user();
    if (!made) return made.error();
    if (!made->empty()) context.say("{}", *made);
  }
  NL_TRY(prepare_folder(context.store()));
  const bool had_key = fs::exists(fs::symlink_status(key_path(context.store()), ignored));
  if (had_key)
    context.say("{} is there already, and is kept: backups may need it", key_path(context.store()));
  {
    Result<Database> db = create_store(context.store());
    if (!db) return db.error();
    share_store(context.store());  // the certificate's key goes to the store's group
    if (const Status filled = fill(context, *db, *wanted); !filled) {
      unmake(context.store(), had_key);
      return filled.error();
    }
  }
  NL_TRY(context.audit(context.words()));
  context.say("made {}; people sign in at {}", context.store(), portal_url(wanted->host));
  context.say("next, say who may sign in and what is protected:");
  context.io.out << "nightlatch user add NAME\n"
                 << "nightlatch resource add NAME --to ADDRESS:PORT\n";
  return 0;
}

Result<int> run_backup(Context& context) {
  const std::string& target = context.argument(0);
  std::error_code error;
  if (target.empty() || target.back() == '/' || fs::is_directory(target, error)) {
    return Error::usage(fmt::format("FILE: '{}' is not a file's name", printable(target)));
  }
  if (fs::exists(fs::symlink_status(target, error))) {
    return Error::conflict(fmt::format("FILE: there is already a file '{}'", printable(target)),
                           "it is left as it is; name another");
  }
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  // Beside its place first, so that a copy that was cut short never has the name that was asked for.
  const std::string partial = fmt::format("{}.part-{}", target, getpid());
  const mode_t before = umask(0077);
  const Status copied = db->backup_to(partial);
  umask(before);
  Status placed = Done{};
  if (copied && link(partial.c_str(), target.c_str()) != 0) {
    placed = Error::failure(fmt::format("FILE: '{}' could not be made: {}", printable(target),
                                        std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  unlink(partial.c_str());
  NL_TRY(copied);
  NL_TRY(placed);
  context.say("copied {} to {}", context.store(), target);
  context.say("the key of its secrets, {}, is not in it: keep a copy of that elsewhere",
              key_path(context.store()));
  return 0;
}

Result<int> run_version(Context& context) {
  Record record;
  record.add("version", NIGHTLATCH_VERSION).add("schema", kSchemaVersion);
  if (context.json()) {
    print_record(context, record);
  } else {
    context.io.out << "nightlatch " << NIGHTLATCH_VERSION << '\n';
  }
  return 0;
}

}  // namespace

std::vector<Command> setup_commands() {
  return {
      {.noun = "init",
       .summary = "create the store and the office's certificate, and print the next two commands",
       .details =
           "Makes the store, an office certificate authority beside it (tls/ca.pem, for your devices to "
           "trust) "
           "and, when run as root, the system user 'nightlatch' that the gate and the portal run as.\n\n"
           "Without --portal the portal is reached at the LAN interface's first address. A store that is "
           "already there is never touched.",
       .options = {{.name = "lan",
                    .kind = Option::Kind::text,
                    .value = "IFACE[,IFACE]",
                    .help = "the interfaces that the office's devices are on"},
                   {.name = "portal",
                    .kind = Option::Kind::text,
                    .value = "HOST",
                    .help = "the name or address at which people reach the portal"}},
       .examples = {{"init --lan br0 --portal gate.office.example"},
                    {"init --lan br0,br1", "the portal at br0's own address"}},
       .run = run_init},
      {.noun = "backup",
       .summary = "copy the store to a new file while it is in use",
       .details = "The copy is whole and consistent. A file that exists is not overwritten. To restore, stop "
                  "serve and put the copy in the store's place, with the key file that belongs to it.",
       .arguments = {{.name = "FILE", .help = "where the copy goes; must not exist", .words = Words::file}},
       .examples = {{"backup /root/office-2026-11-23.db"}},
       .run = run_backup},
      {.noun = "version",
       .summary = "print the version",
       .examples = {{"version"}, {"version --json"}},
       .json = true,
       .run = run_version},
  };
}

}  // namespace nightlatch::cli
