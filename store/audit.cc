#include "store/audit.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/log.h"
#include "store/office_store.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

constexpr std::int64_t kAuditApplicationId = 0x4e4c4155;  // "NLAU"

constexpr Millis kRetryEvery{500};

// event holds the row as JSON; hash = SHA-256(previous hash in hex, LF, at_ms, LF, event). Look-ups read the
// event itself: a copy beside it could be changed without breaking the chain, and hide the row.
constexpr const char* kSchema = R"sql(
CREATE TABLE audit (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms    INTEGER NOT NULL,
  event    TEXT NOT NULL,
  hash     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);
CREATE TABLE anchor (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  last_id INTEGER NOT NULL,  -- the last row that retention deleted
  hash    TEXT NOT NULL
) STRICT;
INSERT INTO anchor VALUES (1, 0, '');
)sql";

struct Field {
  const char* key;
  std::string AuditEvent::* member;
};
constexpr std::array kTextFields{Field{"event", &AuditEvent::event},
                                 Field{"user", &AuditEvent::user},
                                 Field{"device", &AuditEvent::device},
                                 Field{"resource", &AuditEvent::resource},
                                 Field{"policy", &AuditEvent::policy},
                                 Field{"verdict", &AuditEvent::verdict},
                                 Field{"reason", &AuditEvent::reason},
                                 Field{"source", &AuditEvent::source},
                                 Field{"destination", &AuditEvent::destination},
                                 Field{"name", &AuditEvent::name},
                                 Field{"named_by", &AuditEvent::named_by},
                                 Field{"flow", &AuditEvent::flow},
                                 Field{"machine", &AuditEvent::machine},
                                 Field{"detail", &AuditEvent::detail}};
struct Count {
  const char* key;
  std::int64_t AuditEvent::* member;
};
constexpr std::array kCounts{Count{"bytes_up", &AuditEvent::bytes_up},
                             Count{"bytes_down", &AuditEvent::bytes_down},
                             Count{"duration_ms", &AuditEvent::duration_ms}};

std::string to_json(const AuditEvent& e) {
  nlohmann::ordered_json j;
  for (const Field& f : kTextFields) {
    if (!(e.*f.member).empty()) j[f.key] = printable(e.*f.member);
  }
  for (const Count& c : kCounts) {
    if (e.*c.member != 0) j[c.key] = e.*c.member;
  }
  return j.dump();
}

AuditEvent from_json(WallTime at, const std::string& text) {
  AuditEvent e;
  e.at = at;
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) return e;
  for (const Field& f : kTextFields) {
    if (const auto it = j.find(f.key); it != j.end() && it->is_string()) e.*f.member = it->get<std::string>();
  }
  for (const Count& c : kCounts) {
    if (const auto it = j.find(c.key); it != j.end() && it->is_number_integer())
      e.*c.member = it->get<std::int64_t>();
  }
  return e;
}

std::string chain(const std::string& previous, std::int64_t at_ms, const std::string& event) {
  return hex(sha256(fmt::format("{}\n{}\n{}", previous, at_ms, event)));
}

struct Tail {
  std::int64_t id = 0;
  std::string hash;
};
Result<Tail> tail_of(Database& audit, const char* sql) {
  auto query = audit.prepare(sql);
  if (!query) return query.error();
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return Tail{};
  return Tail{query->integer(0), query->text(1)};
}

// Made under a name of its own and moved into place whole: whoever looks meanwhile sees all of it or nothing.
Status make_audit(const std::string& path) {
  const std::string making = fmt::format("{}.making-{}", path, random_code(8));
  {
    auto made = Database::open(making, Database::Access::create, kBusyTimeout);
    if (!made) return made.error();
    NL_TRY(made->execute("PRAGMA journal_mode = WAL"));
    NL_TRY(made->execute(fmt::format("PRAGMA application_id = {}", kAuditApplicationId).c_str()));
    NL_TRY(made->execute(kSchema));
    NL_TRY(made->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  std::error_code linked;
  std::filesystem::create_hard_link(making, path, linked);
  std::error_code ec;
  std::filesystem::remove(making, ec);
  // Another process may have been quicker: then there is one, which is all that is wanted.
  if (linked && linked != std::errc::file_exists) {
    return Error::failure(fmt::format("{}: {}", path, linked.message()));
  }
  return Done{};
}

}  // namespace

std::string audit_path(const std::string& store_path) {
  std::filesystem::path p(store_path);
  const std::string stem = p.stem().string();
  return (p.parent_path() / (stem + ".audit.db")).string();
}

Result<Database> open_audit(const std::string& store_path, Database::Access access) {
  const std::string path = audit_path(store_path);
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) {
    if (access == Database::Access::read) {
      return Error::invalid(fmt::format("{}: there is no audit log", path),
                            "it is made with the store, by 'init'");
    }
    NL_TRY(make_audit(path));
  }
  auto db = Database::open(path, access, kBusyTimeout);
  if (!db) return db.error();
  auto id = db->integer("PRAGMA application_id");
  if (!id) return id.error();
  if (id->value_or(0) != kAuditApplicationId && id->value_or(0) != 0) {
    return Error::invalid(fmt::format("{}: this is not an audit log; it was left untouched", path));
  }
  return db;
}

Status append_audit(Database& audit, const std::vector<AuditEvent>& events) {
  if (events.empty()) return Done{};
  auto tx = Transaction::begin(audit);
  if (!tx) return tx.error();
  auto tail = tail_of(audit, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1");
  if (!tail) return tail.error();
  if (tail->id == 0) {
    tail = tail_of(audit, "SELECT last_id, hash FROM anchor");
    if (!tail) return tail.error();
  }
  auto insert = audit.prepare("INSERT INTO audit (at_ms, event, hash) VALUES (?, ?, ?)");
  if (!insert) return insert.error();
  std::string hash = tail->hash;
  for (const AuditEvent& e : events) {
    const std::string text = to_json(e);
    hash = chain(hash, to_ms(e.at), text);
    NL_TRY(insert->bind(1, e.at).bind(2, text).bind(3, hash).run());
  }
  return tx->commit();
}

Result<std::vector<AuditRow>> read_audit(Database& audit, const AuditFilter& filter) {
  std::string where = "id > ?1";
  const auto clause = [&](const std::string& value, const char* key, int at) {
    if (!value.empty()) where += fmt::format(" AND event ->> '{}' = ?{} COLLATE NOCASE", key, at);
  };
  clause(filter.user, "user", 2);
  clause(filter.device, "device", 3);
  clause(filter.resource, "resource", 4);
  clause(filter.verdict, "verdict", 5);
  clause(filter.flow, "flow", 6);
  if (filter.since) where += " AND at_ms >= ?7";
  std::string sql = fmt::format("SELECT id, at_ms, event FROM audit WHERE {} ORDER BY id", where);
  if (filter.limit > 0) sql = fmt::format("SELECT * FROM ({} DESC LIMIT ?8) ORDER BY id", sql);
  auto query = audit.prepare(sql);
  if (query) {
    query->bind(1, filter.after_id).bind(2, filter.user).bind(3, filter.device).bind(4, filter.resource);
    query->bind(5, filter.verdict).bind(6, filter.flow).bind(7, filter.since).bind(8, filter.limit);
  }
  std::vector<AuditRow> rows;
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    rows.push_back({s.integer(0), from_json(from_ms(s.integer(1)), s.text(2))});
    return Done{};
  }));
  return rows;
}

Result<std::int64_t> prune_audit(Database& audit, WallTime now, Seconds keep) {
  auto tx = Transaction::begin(audit);
  if (!tx) return tx.error();
  // A prefix of the chain: everything before the first row that is young enough.
  auto last = audit.integer(
      "SELECT ifnull((SELECT min(id) FROM audit WHERE at_ms >= ?), "
      "(SELECT max(id) + 1 FROM audit)) - 1",
      {to_ms(now - keep)});
  if (!last) return last.error();
  if (!*last || **last <= 0) return std::int64_t{0};
  NL_TRY(
      audit.run("UPDATE anchor SET last_id = ?1, hash = (SELECT hash FROM audit WHERE id = ?1) "
                "WHERE EXISTS (SELECT 1 FROM audit WHERE id = ?1)",
                {**last}));
  NL_TRY(audit.run("DELETE FROM audit WHERE id <= ?", {**last}));
  const std::int64_t deleted = audit.changes();
  NL_TRY(tx->commit());
  return deleted;
}

Result<std::optional<std::string>> verify_audit(Database& audit) {
  auto anchor = tail_of(audit, "SELECT last_id, hash FROM anchor");
  if (!anchor) return anchor.error();
  std::string hash = anchor->hash;
  std::int64_t expected = anchor->id + 1;
  std::optional<std::string> wrong;
  const Status read = each_row(
      audit.prepare("SELECT id, at_ms, event, hash FROM audit ORDER BY id"), [&](Statement& s) -> Status {
        if (wrong) return Done{};
        if (s.integer(0) != expected) {
          wrong = fmt::format("rows {} to {} are missing", expected, s.integer(0) - 1);
        }
        hash = chain(hash, s.integer(1), s.text(2));
        if (!wrong && hash != s.text(3)) {
          wrong = fmt::format("row {} was changed, or one before it", s.integer(0));
        }
        ++expected;
        return Done{};
      });
  if (!read) return read.error();
  if (!wrong) {
    // AUTOINCREMENT remembers the greatest id ever given: rows cut off at the end show too.
    auto last = audit.integer("SELECT seq FROM sqlite_sequence WHERE name = 'audit'");
    if (!last) return last.error();
    if (last->value_or(0) >= expected) wrong = fmt::format("rows {} to {} are missing", expected, **last);
  }
  return wrong;
}

AuditWriter::AuditWriter(std::string store_path, std::size_t capacity)
    : path_(std::move(store_path)), capacity_(capacity), thread_([this] { loop(); }) {}

AuditWriter::~AuditWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void AuditWriter::write(AuditEvent event) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() + kept_ >= capacity_) {
    ++dropped_;
    ++unreported_;
    return;
  }
  queue_.push_back(std::move(event));
  ++queued_;
  if (queue_.size() == 1) wake_.notify_one();
}

bool AuditWriter::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = queued_;
  wake_.notify_one();
  written_.wait(lock, [&] { return done_ >= target; });
  return kept_ == 0 && unreported_ == 0;
}

std::uint64_t AuditWriter::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

Status AuditWriter::write_out(std::optional<Database>& audit, const std::vector<AuditEvent>& events) const {
  if (!audit) {
    auto opened = open_audit(path_, Database::Access::write);
    if (!opened) return opened.error();
    audit.emplace(std::move(*opened));
  }
  return append_audit(*audit, events);
}

void AuditWriter::loop() {
  std::optional<Database> audit;
  std::vector<AuditEvent> batch;  // what could not be written yet comes first
  bool failing = false;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto work = [&] { return stop_ || !queue_.empty(); };
    if (failing) {
      wake_.wait_for(lock, kRetryEvery, [&] { return stop_; });
    } else {
      wake_.wait(lock, work);
    }
    if (queue_.empty() && batch.empty()) {
      if (stop_) return;
      continue;
    }
    const std::size_t taken = queue_.size();
    std::move(queue_.begin(), queue_.end(), std::back_inserter(batch));
    queue_.clear();
    const std::uint64_t lost = unreported_;
    lock.unlock();
    std::vector<AuditEvent> rows = batch;
    if (lost > 0) {
      AuditEvent e;
      e.at = wall_now();
      e.event = "audit.dropped";
      e.detail = fmt::format("{} events were lost: they could not be written in time", lost);
      rows.push_back(std::move(e));
    }
    const Status written = write_out(audit, rows);
    lock.lock();
    if (written) {
      batch.clear();
      unreported_ -= lost;
      if (std::exchange(failing, false)) log_info("audit log: writing again");
    } else {
      if (!std::exchange(failing, true)) log_error("audit log: {}", written.error().message);
      if (stop_ || batch.size() > capacity_) {
        dropped_ += batch.size();
        unreported_ += batch.size();
        batch.clear();
      }
    }
    kept_ = batch.size();
    done_ += taken;
    written_.notify_all();
    if (stop_ && queue_.empty() && batch.empty()) return;
  }
}

Status settle(AuditWriter& audit) {
  if (audit.flush()) return Done{};
  return Error::failure("the audit log could not be written", "see the disk that the store is on");
}

}  // namespace nightlatch
