#include "store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace nightlatch {

namespace {
ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::invalid;
    default:
      return ErrorKind::failure;
  }
}

Error error_of(sqlite3* db, const std::string& path, std::string_view doing) {
  const int code = db != nullptr ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
  Error e{kind_of(code),
          fmt::format("{}: {}: {}", path, doing, db != nullptr ? sqlite3_errmsg(db) : "out of memory"),
          {}};
  if (e.kind == ErrorKind::busy) {
    e.message = fmt::format("{}: {}: another process holds the store for writing", path, doing);
    e.hint = "nothing was changed; finish the other transaction and try again";
  }
  if ((code & 0xff) == SQLITE_FULL) e.hint = "the disk is full; nothing was changed";
  if (e.kind == ErrorKind::invalid) e.hint = "the file is damaged: stop serve, keep it, and restore a backup";
  return e;
}
}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }

Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), at, value);
  return *this;
}
Statement& Statement::bind(int at, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), at, value.data() != nullptr ? value.data() : "", value.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_null(int at) {
  sqlite3_bind_null(statement_.get(), at);
  return *this;
}
Statement& Statement::bind_blob(int at, std::string_view bytes) {
  // An empty blob, and not NULL, also where there is no pointer.
  sqlite3_bind_blob64(statement_.get(), at, bytes.empty() ? "" : bytes.data(), bytes.size(),
                      SQLITE_TRANSIENT);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(statement_.get());
  const char* file = sqlite3_db_filename(db, "main");
  Error e = error_of(db, file != nullptr ? file : "store", "reading or writing");
  sqlite3_reset(statement_.get());
  return e;
}

Status Statement::run() {
  while (true) {
    auto row = step();
    if (!row) return row.error();
    if (!*row) break;
  }
  reset();
  return Done{};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
std::string Statement::text(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int n = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<std::size_t>(n));
}
bool Statement::null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Result<Database> Database::open(const std::string& path, Access access, Millis busy_timeout) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  // A reader opens for writing too where it may: WAL needs the -shm file. query_only then keeps it from
  // changing data.
  flags |= SQLITE_OPEN_READWRITE;
  if (access == Access::create) {
    // Made by ourselves: SQLite would take an existing file for its own. Group access, for the gate and the
    // portal.
    const int made = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0660);
    if (made < 0) {
      const int e = errno;
      return Error{e == EEXIST ? ErrorKind::conflict : ErrorKind::failure,
                   fmt::format("{}: {}", path, e == EEXIST ? "there is a file already" : std::strerror(e)),
                   {}};
    }
    ::close(made);
  }
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  if (code != SQLITE_OK && access == Access::read) {
    sqlite3_close_v2(raw);
    raw = nullptr;
    code =
        sqlite3_open_v2(path.c_str(), &raw, (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY, nullptr);
  }
  Database db(std::unique_ptr<sqlite3, Close>(raw), path);
  if (code != SQLITE_OK) return error_of(raw, path, "opening");
  if (access == Access::read && !db.readable()) {
    auto unchanging = open_unchanging(path);
    if (!unchanging) return unchanging.error();
    db = std::move(*unchanging);
    raw = db.db_.get();
  }
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  // Hostile schemas cannot run code, and a damaged file is noticed rather than believed.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  NL_TRY(
      db.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;"
                 "PRAGMA journal_size_limit = 16777216;"));
  if (access == Access::read) NL_TRY(db.execute("PRAGMA query_only = ON;"));
  return db;
}

// A first look. WAL keeps its index in a file beside the store: on a disk that takes none, nothing can be
// read.
bool Database::readable() {
  return sqlite3_exec(db_.get(), "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr) == SQLITE_OK ||
         sqlite3_errcode(db_.get()) != SQLITE_CANTOPEN;
}

// On a read-only disk nobody writes: SQLite may take the file as it is, without locks or index. Not so while
// a write-ahead log beside it holds commits that it would pass over.
Result<Database> Database::open_unchanging(const std::string& path) {
  struct stat log{};
  if (::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0) {
    return Error::failure(
        fmt::format("{}: the disk is read-only, and the last changes are still in {}-wal", path, path),
        "copy both files to where they can be written, and name the copy with --store");
  }
  std::string uri = "file:";
  for (const char c : path)
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      (uri + "?immutable=1").c_str(), &raw,
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  Database db(std::unique_ptr<sqlite3, Close>(raw), path);
  if (code != SQLITE_OK) return error_of(raw, path, "opening");
  return db;
}

Error Database::last_error(std::string_view doing) const { return error_of(db_.get(), path_, doing); }

Status Database::execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return last_error("reading or writing");
  return Done{};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw,
                         nullptr) != SQLITE_OK) {
    return last_error("preparing");
  }
  return Statement(raw);
}

namespace {
void bind_all(Statement& s, std::initializer_list<Database::Value> values) {
  int at = 1;
  for (const Database::Value& v : values) {
    if (!v) {
      s.bind_null(at);
    } else if (const auto* n = std::get_if<std::int64_t>(&*v)) {
      s.bind(at, *n);
    } else {
      s.bind(at, std::get<std::string>(*v));
    }
    ++at;
  }
}
}  // namespace

Status Database::run(std::string_view sql, std::initializer_list<Value> values) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  bind_all(*statement, values);
  return statement->run();
}

Result<std::optional<std::int64_t>> Database::integer(std::string_view sql,
                                                      std::initializer_list<Value> values) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  bind_all(*statement, values);
  auto row = statement->step();
  if (!row) return row.error();
  if (!*row || statement->null(0)) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(statement->integer(0));
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }
std::int64_t Database::changes() const { return sqlite3_changes64(db_.get()); }

Result<std::int64_t> Database::data_version() {
  if (!data_version_) {
    auto s = prepare("PRAGMA data_version");
    if (!s) return s.error();
    data_version_ = std::move(*s);
  }
  auto row = data_version_->step();
  if (!row) return row.error();
  const std::int64_t version = data_version_->integer(0);
  data_version_->reset();
  return version;
}

Status Database::backup_to(const std::string& path) {
  auto target = open(path, Access::create, Millis(0));
  if (!target) return target.error();
  sqlite3_backup* backup = sqlite3_backup_init(target->db_.get(), "main", db_.get(), "main");
  if (backup == nullptr) return target->last_error("backing up");
  // All pages in one step: a read transaction, so that the copy is of one instant.
  const int code = sqlite3_backup_step(backup, -1);
  const int end = sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE || end != SQLITE_OK) return target->last_error("backing up");
  return Done{};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

Result<Transaction> Transaction::begin(Database& db) {
  const bool inner = db.in_transaction();
  const BootTime asked = BootClock::now();
  NL_TRY(db.execute(inner ? "SAVEPOINT inner" : "BEGIN IMMEDIATE"));
  if (!inner) db.waited_ = std::chrono::duration_cast<Millis>(BootClock::now() - asked);
  return Transaction(db, inner);
}

Transaction::~Transaction() {
  if (db_ != nullptr) (void)db_->execute(inner_ ? "ROLLBACK TO inner; RELEASE inner" : "ROLLBACK");
}

Status Transaction::commit() {
  NL_TRY(db_->execute(inner_ ? "RELEASE inner" : "COMMIT"));
  db_ = nullptr;
  return Done{};
}

}  // namespace nightlatch
