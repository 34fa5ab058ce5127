#include "store/office_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "base/text.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/host_addresses.h"
#include "store/schema.h"

namespace nightlatch {

static_assert(kMigrations.size() == static_cast<std::size_t>(kSchemaVersion));

namespace {

Status add_version_triggers(Database& db) {
  for (const char* table : kOfficeTables) {
    for (const char* event : {"INSERT", "UPDATE", "DELETE"}) {
      const std::string sql = fmt::format(
          "DROP TRIGGER IF EXISTS office_{0}_{1}; CREATE TRIGGER office_{0}_{1} AFTER {1} ON {0} BEGIN "
          "UPDATE meta SET office_version = office_version + 1; END;",
          table, event);
      NL_TRY(db.execute(sql.c_str()));
    }
  }
  return Done{};
}

Status migrate(Database& db, std::int64_t from) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  // Another process may have migrated while this one waited for the lock.
  auto now_at = db.integer("PRAGMA user_version");
  if (!now_at) return now_at.error();
  from = std::max(from, now_at->value_or(0));
  for (std::int64_t v = from; v < kSchemaVersion; ++v) {
    NL_TRY(db.execute(kMigrations[static_cast<std::size_t>(v)]));
  }
  NL_TRY(add_version_triggers(db));
  const std::string mark =
      fmt::format("PRAGMA user_version = {}; PRAGMA application_id = {};", kSchemaVersion, kApplicationId);
  NL_TRY(db.execute(mark.c_str()));
  return tx->commit();
}

Error foreign_file(const std::string& path) {
  return Error::invalid(
      fmt::format("{}: this SQLite file is not a nightlatch store; it was left untouched", path),
      "name another file with --store");
}

// Looks at a file's first bytes before SQLite opens it, so that a foreign file is never written to, not even
// its -wal. Only once for each path, and before this process has it open: closing any descriptor of a file
// drops the locks that the whole process has on it (POSIX), and another process would then take away a
// write-ahead log that is in use.
Status check_header(const std::string& path) {
  static std::mutex mutex;
  static std::set<std::string> checked;
  const std::lock_guard lock(mutex);
  if (checked.contains(path)) return Done{};
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    const int e = errno;
    if (e == ENOENT) {
      return Error::invalid(fmt::format("{}: there is no store", path),
                            fmt::format("make one with: nightlatch init --store {}", path));
    }
    return Error::failure(fmt::format("{}: {}", path, std::strerror(e)));
  }
  std::array<unsigned char, 100> header{};  // https://www.sqlite.org/fileformat.html section 1.3
  const std::size_t n = std::fread(header.data(), 1, header.size(), file);
  std::fclose(file);
  const auto field = [&](std::size_t at) {
    return static_cast<std::int64_t>(header[at]) << 24 | header[at + 1] << 16 | header[at + 2] << 8 |
           header[at + 3];
  };
  if (n < header.size() || std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return Error::invalid(
        fmt::format("{}: this is not an SQLite file, or it is damaged; it was left untouched", path),
        "restore a backup, or name another file with --store");
  }
  if (field(68) != kApplicationId) return foreign_file(path);
  checked.insert(path);
  return Done{};
}

}  // namespace

Result<Database> create_store(const std::string& path) {
  std::error_code ec;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ec);
  if (ec) return Error::failure(fmt::format("{}: {}", folder.string(), ec.message()));
  if (std::filesystem::exists(path, ec)) {
    return Error::conflict(fmt::format("{}: there is a file already; it was left untouched", path),
                           "name another file with --store, or move this one away");
  }
  // Made under another name and moved into place whole: a crash never leaves half a store behind.
  const std::string making = path + ".making";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(making + suffix, ec);
  {
    auto db = Database::open(making, Database::Access::create, kBusyTimeout);
    if (!db) return db.error();
    NL_TRY(db->execute("PRAGMA journal_mode = WAL"));
    NL_TRY(migrate(*db, 0));
    const std::int64_t now = to_ms(wall_now());
    NL_TRY(db->run("INSERT INTO meta VALUES (1, 1, ?, 1, ?)", {now, now}));
    NL_TRY(db->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  if (::link(making.c_str(), path.c_str()) != 0) {
    return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::filesystem::remove(making, ec);
  NL_TRY(check_header(path));
  return Database::open(path, Database::Access::write, kBusyTimeout);
}

Result<Database> open_store(const std::string& path, Database::Access access, Millis busy_timeout) {
  NL_TRY(check_header(path));
  auto db = Database::open(path, access, busy_timeout);
  if (!db) return db.error();
  auto application = db->integer("PRAGMA application_id");
  if (!application) return application.error();
  if (application->value_or(0) != kApplicationId) return foreign_file(path);
  // The header on disk may be behind the write-ahead log: the connection's own answer counts.
  auto current = db->integer("PRAGMA user_version");
  if (!current) return current.error();
  const std::int64_t at = current->value_or(0);
  if (at > kSchemaVersion) {
    return Error::invalid(
        fmt::format("{}: this store was made by a newer nightlatch (schema {}, this one knows {}); "
                    "it was left untouched",
                    path, at, kSchemaVersion),
        "upgrade nightlatch, or restore the backup that the upgrade made");
  }
  auto whole = db->integer("SELECT count(*) FROM sqlite_schema WHERE name IN ('meta', 'presence')");
  if (!whole) return whole.error();
  if (at < kSchemaVersion) {
    if (access == Database::Access::read) {
      return Error::invalid(
          fmt::format("{}: this store has the older schema {}", path, at),
          "run 'nightlatch serve' or any command that changes something: it upgrades the store");
    }
    std::string backup = fmt::format("{}.before-v{}", path, kSchemaVersion);
    std::error_code ec;
    if (!std::filesystem::exists(backup, ec)) NL_TRY(db->backup_to(backup));
    NL_TRY(migrate(*db, at));
  } else if (whole->value_or(0) != 2) {
    return Error::invalid(fmt::format("{}: this store is damaged: its tables are missing", path),
                          "restore a backup");
  }
  return db;
}

Result<std::vector<std::string>> check_integrity(Database& db) {
  std::vector<std::string> wrong;
  auto check = db.prepare("PRAGMA integrity_check(20)");
  if (!check) return check.error();
  while (true) {
    auto row = check->step();
    if (!row) return row.error();
    if (!*row) break;
    if (check->text(0) != "ok") wrong.push_back(check->text(0));
  }
  auto keys = db.prepare("PRAGMA foreign_key_check");
  if (!keys) return keys.error();
  while (true) {
    auto row = keys->step();
    if (!row) return row.error();
    if (!*row) break;
    wrong.push_back(fmt::format("a row of {} refers to a missing row of {}", keys->text(0), keys->text(2)));
  }
  return wrong;
}

Result<std::int64_t> office_version(Database& db) {
  auto version = db.integer("SELECT office_version FROM meta");
  if (!version) return version.error();
  if (!*version) return Error::invalid("the store has no meta row: it is damaged", "restore a backup");
  return **version;
}

namespace {

// Calls row(statement) for each row of a query without parameters.
template <typename Row>
Status each(Database& db, const char* sql, Row&& row) {
  auto statement = db.prepare(sql);
  if (!statement) return statement.error();
  while (true) {
    auto more = statement->step();
    if (!more) return more.error();
    if (!*more) return Done{};
    NL_TRY(row(*statement));
  }
}

// A value that no command of ours could have written: the whole office is refused, so that nothing is half
// enforced.
Error damaged(const Error& e) {
  return Error::invalid(fmt::format("the store holds a bad value: {}", e.message));
}

Status load_people(Database& db, OfficeData& office) {
  std::map<std::int64_t, std::size_t> users;
  NL_TRY(each(db, "SELECT id, name, enabled FROM user ORDER BY id", [&](Statement& s) -> Status {
    users[s.integer(0)] = office.users.size();
    office.users.push_back({UserId(s.integer(0)), s.text(1), s.integer(2) != 0, {}});
    return Done{};
  }));
  NL_TRY(each(db, "SELECT id, name FROM user_group ORDER BY id", [&](Statement& s) -> Status {
    office.groups.push_back({GroupId(s.integer(0)), s.text(1)});
    return Done{};
  }));
  NL_TRY(each(db, "SELECT user_id, group_id FROM membership ORDER BY user_id, group_id",
              [&](Statement& s) -> Status {
                office.users[users.at(s.integer(0))].groups.push_back(GroupId(s.integer(1)));
                return Done{};
              }));
  std::map<std::int64_t, std::size_t> devices;
  NL_TRY(each(db, "SELECT id, name, mac, state, shared, owner_id FROM device ORDER BY id",
              [&](Statement& s) -> Status {
                Device d;
                d.id = DeviceId(s.integer(0));
                d.name = s.text(1);
                if (!s.null(2)) {
                  d.mac = Mac::parse(s.text(2));
                  if (!d.mac) return Error::invalid(fmt::format("device '{}' has a malformed MAC", d.name));
                }
                auto state = parse_device_state(s.text(3), "state");
                if (!state) return damaged(state.error());
                d.state = *state;
                d.shared = s.integer(4) != 0;
                d.owner = UserId(s.integer(5));
                devices[s.integer(0)] = office.devices.size();
                office.devices.push_back(std::move(d));
                return Done{};
              }));
  return each(db, "SELECT device_id, address FROM device_address ORDER BY device_id, address",
              [&](Statement& s) -> Status {
                const auto address = IpAddress::parse(s.text(1));
                if (!address) return Error::invalid(fmt::format("'{}' is no address", s.text(1)));
                office.devices[devices.at(s.integer(0))].addresses.push_back(*address);
                return Done{};
              });
}

Status load_policy_terms(Statement& s, Policy& p) {
  p.terms.session = Seconds(s.integer(4));
  if (!s.null(5)) p.terms.mfa = Seconds(s.integer(5));
  auto expiry = parse_expiry(s.text(6), "on_expiry");
  if (!expiry) return damaged(expiry.error());
  p.terms.on_expiry = *expiry;
  if (!s.null(7)) {
    auto hours = parse_hours(s.text(7), "hours");
    if (!hours) return damaged(hours.error());
    p.terms.hours = std::move(*hours);
  }
  if (!s.null(8)) p.terms.idle = Seconds(s.integer(8));
  auto binding = parse_binding(s.text(9), "min_binding");
  if (!binding) return damaged(binding.error());
  p.terms.min_binding = *binding;
  return Done{};
}

Status load_access(Database& db, OfficeData& office) {
  std::map<std::int64_t, std::size_t> resources, policies;
  NL_TRY(each(db, "SELECT id, name FROM resource ORDER BY id", [&](Statement& s) -> Status {
    resources[s.integer(0)] = office.resources.size();
    office.resources.push_back({ResourceId(s.integer(0)), s.text(1), {}});
    return Done{};
  }));
  NL_TRY(each(db, "SELECT resource_id, destination FROM target ORDER BY resource_id, destination",
              [&](Statement& s) -> Status {
                auto target = parse_target(s.text(1), "destination", HostTargets::stored);
                if (!target) return damaged(target.error());
                office.resources[resources.at(s.integer(0))].targets.push_back(*target);
                return Done{};
              }));
  auto host_addresses = list_host_addresses(db);
  if (!host_addresses) return host_addresses.error();
  office.host_addresses = std::move(*host_addresses);
  auto providers = list_provider_places(db);
  if (!providers) return providers.error();
  office.providers = std::move(*providers);
  NL_TRY(each(
      db,
      "SELECT id, name, deny, anyone, session_s, mfa_s, on_expiry, hours, idle_s, min_binding FROM policy "
      "ORDER BY position, id",
      [&](Statement& s) -> Status {
        Policy p;
        p.id = PolicyId(s.integer(0));
        p.name = s.text(1);
        p.deny = s.integer(2) != 0;
        p.anyone = s.integer(3) != 0;
        NL_TRY(load_policy_terms(s, p));
        policies[s.integer(0)] = office.policies.size();
        office.policies.push_back(std::move(p));
        return Done{};
      }));
  const auto policy = [&](Statement& s) -> Policy& { return office.policies[policies.at(s.integer(0))]; };
  NL_TRY(each(db, "SELECT policy_id, resource_id FROM policy_resource ORDER BY 1, 2",
              [&](Statement& s) -> Status {
                policy(s).resources.push_back(ResourceId(s.integer(1)));
                return Done{};
              }));
  NL_TRY(each(db, "SELECT policy_id, user_id FROM policy_user ORDER BY 1, 2", [&](Statement& s) -> Status {
    policy(s).users.push_back(UserId(s.integer(1)));
    return Done{};
  }));
  return each(db, "SELECT policy_id, group_id FROM policy_group ORDER BY 1, 2", [&](Statement& s) -> Status {
    policy(s).groups.push_back(GroupId(s.integer(1)));
    return Done{};
  });
}

Status load_tokens(Database& db, OfficeData& office) {
  std::map<std::int64_t, std::size_t> tokens;
  NL_TRY(each(db,
              "SELECT id, name, secret_sha256, user_id, device_id, limited, expires_ms, revoked_ms FROM "
              "token ORDER BY "
              "id",
              [&](Statement& s) -> Status {
                Token t;
                t.id = TokenId(s.integer(0));
                t.name = s.text(1);
                const std::string secret = s.text(2);
                if (secret.size() != t.secret_sha256.size())
                  return Error::invalid(fmt::format("token '{}' has a malformed hash", t.name));
                std::copy(secret.begin(), secret.end(), t.secret_sha256.begin());
                t.user = UserId(s.integer(3));
                t.device = DeviceId(s.integer(4));
                t.limited = s.integer(5) != 0;
                if (!s.null(6)) t.expires = from_ms(s.integer(6));
                t.revoked = !s.null(7);
                tokens[s.integer(0)] = office.tokens.size();
                office.tokens.push_back(std::move(t));
                return Done{};
              }));
  return each(db, "SELECT token_id, resource_id FROM token_resource ORDER BY 1, 2",
              [&](Statement& s) -> Status {
                office.tokens[tokens.at(s.integer(0))].resources.push_back(ResourceId(s.integer(1)));
                return Done{};
              });
}

Status load_machines(Database& db, OfficeData& office) {
  NL_TRY(each(db, "SELECT id, name, device_id, expires_ms, revoked_ms FROM certificate ORDER BY id",
              [&](Statement& s) -> Status {
                Certificate c{CertificateId(s.integer(0)), s.text(1), DeviceId(s.integer(2))};
                if (!s.null(3)) c.expires = from_ms(s.integer(3));
                c.revoked = !s.null(4);
                office.certificates.push_back(std::move(c));
                return Done{};
              }));
  std::map<std::int64_t, std::size_t> policies;
  for (std::size_t i = 0; i < office.policies.size(); ++i)
    policies[static_cast<std::int64_t>(office.policies[i].id)] = i;
  const auto policy = [&](Statement& s) -> Policy& { return office.policies[policies.at(s.integer(0))]; };
  NL_TRY(each(db, "SELECT policy_id, token_id FROM policy_token ORDER BY 1, 2", [&](Statement& s) -> Status {
    policy(s).tokens.push_back(TokenId(s.integer(1)));
    return Done{};
  }));
  return each(db, "SELECT policy_id, certificate_id FROM policy_certificate ORDER BY 1, 2",
              [&](Statement& s) -> Status {
                policy(s).certificates.push_back(CertificateId(s.integer(1)));
                return Done{};
              });
}

Status load_terms(Database& db, OfficeData& office) {
  auto enrol_text = get_setting(db, "enrol");
  auto mode_text = get_setting(db, "mode");
  auto unprotected = get_setting(db, "unprotected");
  auto session_max = get_setting(db, "session.max");
  for (const auto* r : {&enrol_text, &mode_text, &unprotected, &session_max}) {
    if (!*r) return r->error();
  }
  auto enrol = parse_enrol(*enrol_text, "enrol");
  if (!enrol) return damaged(enrol.error());
  auto mode = parse_mode(*mode_text, "mode");
  if (!mode) return damaged(mode.error());
  office.enrol = *enrol;
  office.mode = *mode;
  office.unprotected_allowed = *unprotected == "allow";
  if (!session_max->empty()) {
    auto limit = parse_duration(*session_max, "session.max");
    if (!limit) return damaged(limit.error());
    office.session_max = *limit;
  }
  auto fresh = get_setting(db, "cert.fresh");
  if (!fresh) return fresh.error();
  auto certified = parse_duration(*fresh, "cert.fresh");
  if (!certified) return damaged(certified.error());
  office.certificate_fresh = *certified;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  office.utc_offset = Seconds(local.tm_gmtoff);
  return Done{};
}

}  // namespace

Result<OfficeData> load_office(Database& db) {
  // One read transaction: the picture is of one instant.
  NL_TRY(db.execute("BEGIN"));
  OfficeData office;
  const auto load = [&]() -> Status {
    auto version = office_version(db);
    if (!version) return version.error();
    office.version = *version;
    NL_TRY(load_people(db, office));
    NL_TRY(load_access(db, office));
    NL_TRY(load_tokens(db, office));
    NL_TRY(load_machines(db, office));
    return load_terms(db, office);
  };
  const Status loaded = load();
  NL_TRY(db.execute("ROLLBACK"));
  if (!loaded) return loaded.error();
  return office;
}

}  // namespace nightlatch
