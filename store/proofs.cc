#include "store/proofs.h"

#include "store/rows.h"

namespace nightlatch {

namespace {
Proof proof_from(const Statement& s, int column) {
  return {TokenId(s.integer(column)), CertificateId(s.integer(column + 1)), from_ms(s.integer(column + 2))};
}

Database::Value id_or_null(std::int64_t id) { return id == 0 ? std::nullopt : Database::Value(id); }
}  // namespace

Result<std::vector<Proof>> proofs_of(Database& db, DeviceId device, std::string_view source) {
  std::vector<Proof> proofs;
  auto query = db.prepare(
      "SELECT token_id, certificate_id, proven_ms FROM device_proof WHERE device_id = ?1 AND source = ?2 "
      "AND generation = (SELECT generation FROM meta) AND NOT (SELECT shared FROM device WHERE id = ?1) "
      "ORDER BY id");
  if (query) query->bind(1, static_cast<std::int64_t>(device)).bind(2, source);
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    proofs.push_back(proof_from(s, 0));
    return Done{};
  }));
  return proofs;
}

Result<std::vector<ProofRow>> list_proofs(Database& db) {
  std::vector<ProofRow> rows;
  NL_TRY(each_row(
      db.prepare("SELECT p.device_id, p.token_id, p.certificate_id, p.proven_ms, ifnull(t.name, c.name), "
                 "p.source FROM device_proof p LEFT JOIN token t ON t.id = p.token_id "
                 "LEFT JOIN certificate c ON c.id = p.certificate_id "
                 "WHERE p.generation = (SELECT generation FROM meta) ORDER BY p.device_id, p.id"),
      [&](Statement& s) -> Status {
        rows.push_back({DeviceId(s.integer(0)), proof_from(s, 1), s.text(4), s.text(5)});
        return Done{};
      }));
  return rows;
}

Status record_proof(Database& db, DeviceId device, const Proof& proof, std::string_view source,
                    std::int64_t generation) {
  NL_TRY(forget_proof(db, proof));
  return db.run(
      "INSERT INTO device_proof (device_id, token_id, certificate_id, proven_ms, source, generation) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      {static_cast<std::int64_t>(device), id_or_null(static_cast<std::int64_t>(proof.token)),
       id_or_null(static_cast<std::int64_t>(proof.certificate)), to_ms(proof.proven), std::string(source),
       generation});
}

Status forget_proof(Database& db, const Proof& proof) {
  return db.run("DELETE FROM device_proof WHERE token_id = ?1 OR certificate_id = ?2",
                {id_or_null(static_cast<std::int64_t>(proof.token)),
                 id_or_null(static_cast<std::int64_t>(proof.certificate))});
}

}  // namespace nightlatch
