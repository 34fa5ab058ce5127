#include "auth/device_proof.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/revocation_list.h"
#include "base/text.h"
#include "policy/parse.h"
#include "policy/proofs.h"
#include "store/access.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/rows.h"
#include "store/sessions.h"
#include "store/tokens.h"

namespace nightlatch {

namespace {

struct Machine {  // the device, as far as it matters here
  std::int64_t id = 0;
  std::string name;
  DeviceState state = DeviceState::active;
  bool shared = false, placed = false;
};

// Whose the token or the certificate is.
struct Holder {
  std::optional<std::int64_t> device;  // nothing: a certificate of a given CA that was never seen
  std::string by;
  std::optional<WallTime> expires;
  std::string_view refusal;
  Proof proof;
};

class Proving {
 public:
  Proving(Database& db, const ShownProof& shown, const SignInPlace& place, WallTime now)
      : db_(db), shown_(shown), place_(place), now_(now) {}

  Result<ProofOutcome> run() {
    auto tx = Transaction::begin(db_);
    if (!tx) return tx.error();
    auto generation = move_clock(db_, now_);
    if (!generation) return generation.error();
    auto holder = shown_.certificate ? holder_of_certificate() : holder_of_token();
    if (!holder) return holder.error();
    outcome_.by = holder->by;
    if (!holder->refusal.empty()) return refused(holder->refusal);
    auto at = device_here();
    if (!at) return at.error();
    auto here = machine(at->value_or(0));
    if (!here) return here.error();
    auto device = holder->device ? machine(*holder->device) : Result<std::optional<Machine>>(*here);
    if (!device) return device.error();
    if (!*device) {
      if (holder->device) return refused("no_such_device");
      device = take_in();
      if (!device) return device.error();
      if (!*device) return refused("not_enrolled");
    }
    const Machine& m = **device;
    outcome_.device = m.name;
    if (m.state == DeviceState::revoked) return refused("device_revoked");
    if (m.shared) return refused("shared_device");
    const bool at_its_place = *here && (*here)->id == m.id;
    if (!at_its_place && !outcome_.enrolled) {
      if (*here || m.placed) return refused(place_.mac ? "another_mac" : "another_address");
      auto placed = give_place(m);
      if (!placed) return placed.error();
      if (!*placed) return refused("not_enrolled");
    }
    if (!holder->device) {
      // A stranger's certificate is not this machine's when the machine has one: its MAC may be copied.
      auto other = db_.integer("SELECT 1 FROM certificate WHERE device_id = ? LIMIT 1", {m.id});
      if (!other) return other.error();
      if (*other) return refused("another_certificate");
      NL_TRY(know_certificate(*holder, m));
    }
    holder->proof.proven = now_;
    NL_TRY(record_proof(db_, DeviceId(m.id), holder->proof, source_text(place_), *generation));
    if (shown_.certificate) NL_TRY(refresh_certificate(holder->proof.certificate));
    NL_TRY(tx->commit());
    proof_ = holder->proof;
    outcome_.kind = m.state == DeviceState::pending || made_pending_ ? ProofOutcome::Kind::pending
                                                                     : ProofOutcome::Kind::proven;
    outcome_.until = std::min(now_ + kLongestProof, holder->expires.value_or(kNever));
    return outcome_;
  }

  [[nodiscard]] const Proof& proof() const { return proof_; }

 private:
  Result<ProofOutcome> refused(std::string_view reason) {
    outcome_.kind = ProofOutcome::Kind::refused;
    outcome_.reason = reason;
    return outcome_;
  }

  Result<Holder> holder_of_token() {
    Holder h;
    h.proof.token = shown_.token;
    auto row = db_.prepare("SELECT name, device_id, expires_ms, revoked_ms FROM token WHERE id = ?");
    if (!row) return row.error();
    row->bind(1, static_cast<std::int64_t>(shown_.token));
    auto found = row->step();
    if (!found) return found.error();
    if (!*found) {
      h.refusal = "unknown_token";
      return h;
    }
    h.by = row->text(0);
    if (!row->null(2)) h.expires = from_ms(row->integer(2));
    if (row->null(1)) {
      h.refusal = "persons_token";
      return h;
    }
    h.device = row->integer(1);
    if (!row->null(3)) h.refusal = "token_revoked";
    if (h.refusal.empty() && h.expires && now_ >= *h.expires) h.refusal = "token_expired";
    return h;
  }

  Result<Holder> holder_of_certificate() {
    const ShownCertificate& c = *shown_.certificate;
    Holder h;
    h.by = c.own ? "" : c.subject;
    h.expires = c.expires;
    if (now_ >= c.expires) h.refusal = "certificate_expired";
    if (!c.own) {  // the connection may be older than the list
      auto revoked = is_revoked(c.crl_file, c.chain);
      if (!revoked) return revoked.error();
      if (*revoked) h.refusal = "certificate_revoked";
    }
    if (!c.own && !check_name(c.subject, "certificate")) {
      h.by = printable(c.subject);
      h.refusal = "unusable_name";
      return h;
    }
    auto row = db_.prepare(fmt::format(
        "SELECT id, name, device_id, revoked_ms FROM certificate WHERE {} ORDER BY revoked_ms IS NULL DESC",
        c.own ? "sha256 = ?" : "subject = ?"));
    if (!row) return row.error();
    if (c.own) {
      row->bind_blob(1, std::string(c.sha256.begin(), c.sha256.end()));
    } else {
      row->bind(1, c.subject);
    }
    auto found = row->step();
    if (!found) return found.error();
    if (!*found) {
      if (c.own) h.refusal = "unknown_certificate";
      return h;
    }
    h.proof.certificate = CertificateId(row->integer(0));
    h.by = row->text(1);
    h.device = row->integer(2);
    if (!row->null(3)) h.refusal = "certificate_revoked";
    return h;
  }

  // The id of the device that is known by this place.
  Result<std::optional<std::int64_t>> device_here() {
    if (place_.mac) return db_.integer("SELECT id FROM device WHERE mac = ?", {place_.mac->text()});
    return db_.integer("SELECT device_id FROM device_address WHERE address = ?", {place_.address.text()});
  }

  Result<std::optional<Machine>> machine(std::int64_t id) {
    auto row = db_.prepare(
        "SELECT id, name, state, shared, mac IS NOT NULL OR EXISTS (SELECT 1 FROM device_address WHERE "
        "device_id = device.id) FROM device WHERE device.id = ?");
    if (!row) return row.error();
    row->bind(1, id);
    auto found = row->step();
    if (!found) return found.error();
    if (!*found) return std::optional<Machine>();
    auto state = parse_device_state(row->text(2), "state");
    if (!state) return state.error();
    return std::optional(
        Machine{row->integer(0), row->text(1), *state, row->integer(3) != 0, row->integer(4) != 0});
  }

  // What the setting makes of a device without a place. nullopt: it is refused.
  Result<std::optional<DeviceState>> admission() {
    auto text = get_setting(db_, "enrol");
    if (!text) return text.error();
    auto how = parse_enrol(*text, "enrol");
    if (!how) return how.error();
    if (*how == Enrol::closed) return std::optional<DeviceState>();
    made_pending_ = *how == Enrol::approve;
    return std::optional(made_pending_ ? DeviceState::pending : DeviceState::active);
  }

  // A device that only its certificate tells us of.
  Result<std::optional<Machine>> take_in() {
    auto state = admission();
    if (!state) return state.error();
    if (!*state) return std::optional<Machine>();
    NewDevice fresh;
    auto taken = db_.integer("SELECT id FROM device WHERE name = ?", {shown_.certificate->subject});
    if (!taken) return taken.error();
    if (!*taken) fresh.name = shown_.certificate->subject;
    fresh.mac = place_.mac;
    if (!place_.mac) fresh.addresses = {place_.address};
    fresh.state = **state;
    auto id = insert_device(db_, fresh);
    if (!id) return id.error();
    outcome_.enrolled = true;
    return machine(static_cast<std::int64_t>(*id));
  }

  Result<bool> give_place(const Machine& m) {
    auto state = admission();
    if (!state) return state.error();
    if (!*state) return false;
    if (place_.mac) {
      NL_TRY(db_.run("UPDATE device SET mac = ? WHERE id = ?", {place_.mac->text(), m.id}));
    } else {
      NL_TRY(db_.run("INSERT INTO device_address VALUES (?, ?)", {place_.address.text(), m.id}));
    }
    if (made_pending_) NL_TRY(db_.run("UPDATE device SET state = 'pending' WHERE id = ?", {m.id}));
    outcome_.enrolled = true;
    return true;
  }

  Status know_certificate(Holder& h, const Machine& m) {
    const std::string& subject = shown_.certificate->subject;
    auto taken = db_.integer("SELECT 1 FROM certificate WHERE name = ? AND revoked_ms IS NULL", {subject});
    if (!taken) return taken.error();
    NL_TRY(db_.run(
        "INSERT INTO certificate (name, device_id, subject, created_ms) VALUES (?, ?, ?, ?)",
        {*taken ? fmt::format("{}.{}", subject.substr(0, 50), m.id) : subject, m.id, subject, to_ms(now_)}));
    h.proof.certificate = CertificateId(db_.last_insert_id());
    return Done{};
  }

  // What is in the certificate may have changed with its renewal.
  Status refresh_certificate(CertificateId id) {
    return db_.run(
        "UPDATE certificate SET serial = ?1, expires_ms = ?2, chain = ?4 WHERE id = ?3 AND "
        "(serial <> ?1 OR expires_ms IS NOT ?2 OR chain <> ?4)",
        {shown_.certificate->serial, to_ms(shown_.certificate->expires), static_cast<std::int64_t>(id),
         shown_.certificate->chain});
  }

  Database& db_;
  const ShownProof& shown_;
  const SignInPlace& place_;
  const WallTime now_;
  ProofOutcome outcome_;
  Proof proof_;
  bool made_pending_ = false;
};

AuditEvent event_of(const ShownProof& shown, const ProofOutcome& outcome, const SignInPlace& place,
                    WallTime now) {
  AuditEvent e;
  e.at = now;
  e.event = outcome.kind == ProofOutcome::Kind::refused ? "proof.refused" : "proof";
  e.device = outcome.device;
  e.reason = outcome.reason;
  if (outcome.kind == ProofOutcome::Kind::refused) e.verdict = "deny";
  e.source = place.address.text();
  if (!outcome.by.empty())
    e.machine = fmt::format("{} {}", shown.certificate ? "certificate" : "token", outcome.by);
  e.detail = source_text(place);
  return e;
}

}  // namespace

Result<ProofOutcome> prove_device(Database& db, AuditWriter& audit, const ShownProof& shown,
                                  const SignInPlace& place, WallTime now) {
  Proving proving(db, shown, place, now);
  auto outcome = proving.run();
  if (!outcome) return outcome;
  const bool proven = outcome->kind != ProofOutcome::Kind::refused;
  if (outcome->enrolled && proven) {
    AuditEvent e = event_of(shown, *outcome, place, now);
    e.event = "device.enrolled";
    e.detail += outcome->kind == ProofOutcome::Kind::pending ? ", pending" : ", active";
    audit.write(std::move(e));
  }
  audit.write(event_of(shown, *outcome, place, now));
  if (!proven) return outcome;
  if (shown.token != TokenId::none) NL_TRY(note_token_uses(db, {{shown.token, now}}));
  if (audit.flush()) return outcome;
  // Without its audit row a proof is not acknowledged, and must not count either.
  (void)forget_proof(db, proving.proof());
  return Error::failure("the audit log could not be written", "see the disk that the store is on");
}

}  // namespace nightlatch
