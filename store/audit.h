// The audit log: a file of its own beside the store (office.audit.db), append-only, each row chained to the
// one before it by SHA-256, so that a changed or missing row shows. `nightlatch log` reads it; `doctor`
// verifies the chain.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "store/database.h"

namespace nightlatch {

// One thing that happened. Empty fields are left out of `log --json`. Never holds a secret.
struct AuditEvent {
  WallTime at{};
  std::string
      event;  // "flow.open", "flow.end", "hold", "sign_in", "sign_in.refused", "session.end", "admin", ...
  std::string user, device, resource, policy;
  std::string verdict;  // allow, sign_in, step_up, deny
  std::string reason;
  std::string source, destination;  // endpoints
  std::string name;                 // the host that the flow is for, or several: "wiki.lan"
  std::string named_by;  // how that is known: asked, http, tls, quic, dns; or why it is not: none, encrypted
  std::string flow;      // its id: "w0-123"
  std::string machine;   // by what a device proved itself: "token nas-1", "certificate nas-1"
  std::string detail;    // free text for people
  std::int64_t bytes_up = 0, bytes_down = 0;
  std::int64_t duration_ms = 0;
};
struct AuditRow {
  std::int64_t id = 0;
  AuditEvent event;
};

[[nodiscard]] std::string audit_path(const std::string& store_path);  // office.db -> office.audit.db
[[nodiscard]] Result<Database> open_audit(const std::string& store_path,
                                          Database::Access access);  // write makes it
[[nodiscard]] Status append_audit(Database& audit,
                                  const std::vector<AuditEvent>& events);  // one transaction, durable

struct AuditFilter {
  std::string user, device, resource, verdict, flow;
  std::optional<WallTime> since;
  std::int64_t after_id = 0;  // rows with a greater id only: for --follow
  std::int64_t limit = 0;     // the last N; 0: all
};
[[nodiscard]] Result<std::vector<AuditRow>> read_audit(Database& audit, const AuditFilter& filter);
// Deletes rows older than `keep`; the chain then begins at an anchor that remembers the last deleted hash.
[[nodiscard]] Result<std::int64_t> prune_audit(Database& audit, WallTime now, Seconds keep);
// Empty when the chain holds; otherwise the first row that does not fit, in words.
[[nodiscard]] Result<std::optional<std::string>> verify_audit(Database& audit);

// Writes events in batches from a thread of its own: write() never waits and never allocates without bound.
// When the disk cannot keep up, events are dropped, counted, and the count is written as soon as there is
// room.
class AuditWriter {
 public:
  AuditWriter(std::string store_path, std::size_t capacity = 65536);
  ~AuditWriter();                // writes what is queued
  void write(AuditEvent event);  // any thread
  // Waits until what was queued before is on disk, or could not be: true when nothing is left to be written.
  // Not from a loop.
  bool flush();
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  void loop();
  [[nodiscard]] Status write_out(std::optional<Database>& audit, const std::vector<AuditEvent>& events) const;
  std::string path_;
  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::vector<AuditEvent> queue_;
  std::size_t kept_ = 0;  // taken from the queue and not written yet
  std::uint64_t queued_ = 0, done_ = 0, dropped_ = 0, unreported_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

// Everything acknowledged is durable, the audit rows too (semantics 15): waits until they are on disk.
[[nodiscard]] Status settle(AuditWriter& audit);

}  // namespace nightlatch
