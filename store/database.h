// The only file that knows SQLite: connections, statements, transactions.
// A Database belongs to one thread. Its reads never wait; its writes wait at most `busy_timeout` for another
// writer and then fail with ErrorKind::busy, having changed nothing. Never write from an event loop's thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace nightlatch {

class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  // Parameters are numbered from 1. Text is copied.
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::string_view value);
  Statement& bind(int at, const char* value) { return bind(at, std::string_view(value)); }
  Statement& bind(int at, const std::string& value) { return bind(at, std::string_view(value)); }
  Statement& bind(int at, WallTime t) { return bind(at, to_ms(t)); }
  Statement& bind_null(int at);
  Statement& bind_blob(int at, std::string_view bytes);
  template <typename T>
  Statement& bind(int at, const std::optional<T>& value) {
    return value ? bind(at, *value) : bind_null(at);
  }

  // True while there is a row. An error ends the rows.
  [[nodiscard]] Result<bool> step();
  Status run();  // steps to the end; then reset
  void reset();  // ready to be bound and run again

  // Columns are numbered from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // also blobs
  [[nodiscard]] bool null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  explicit Statement(sqlite3_stmt* s) : statement_(s) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Access : std::uint8_t { read, write, create };

  // Opens an SQLite file as it is: WAL, foreign keys, synchronous = FULL. `create` fails when the file
  // exists.
  static Result<Database> open(const std::string& path, Access access, Millis busy_timeout);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;

  Status execute(const char* sql);  // one or more statements without parameters
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  // Binds `values` in order and runs: for writes in one line.
  using Value = std::optional<std::variant<std::int64_t, std::string>>;
  Status run(std::string_view sql, std::initializer_list<Value> values = {});
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view sql,
                                                            std::initializer_list<Value> values = {});

  [[nodiscard]] bool in_transaction() const;
  // How long the transaction under way, or the last one, waited for another writer before it began: a time
  // that was read before is older by this.
  [[nodiscard]] Millis waited() const { return waited_; }
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] std::int64_t changes() const;  // rows changed by the last statement
  // Changes whenever another connection commits (SQLite's PRAGMA data_version).
  [[nodiscard]] Result<std::int64_t> data_version();
  [[nodiscard]] Status backup_to(const std::string& path);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Error last_error(std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  static Result<Database> open_unchanging(const std::string& path);
  [[nodiscard]] bool readable();
  Database(std::unique_ptr<sqlite3, Close> db, std::string path)
      : db_(std::move(db)), path_(std::move(path)) {}
  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
  std::optional<Statement> data_version_;
  friend class Transaction;
  Millis waited_{0};
};

// BEGIN IMMEDIATE; rolls back unless commit() was reached and succeeded. Inside another one it is a part of
// that: rolled back by itself, and on disk only once the outer one has committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)), inner_(other.inner_) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  [[nodiscard]] Status commit();

 private:
  Transaction(Database& db, bool inner) : db_(&db), inner_(inner) {}
  Database* db_;
  bool inner_;
};

}  // namespace nightlatch
