#include "store/certificates.h"

#include <algorithm>
#include <charconv>

#include "store/rows.h"

namespace nightlatch {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::optional<std::int64_t>> in_use(Database& db, std::string_view column, std::string_view value) {
  return db.integer(fmt::format("SELECT id FROM certificate WHERE {} = ? AND revoked_ms IS NULL", column),
                    {std::string(value)});
}

// The id behind a name or an id: not_found with the nearest name.
Result<std::int64_t> find(Database& db, std::string_view name_or_id) {
  auto named = in_use(db, "name", name_or_id);
  if (!named) return named.error();
  if (*named) return **named;
  std::int64_t id = 0;
  const auto parsed = std::from_chars(name_or_id.data(), name_or_id.data() + name_or_id.size(), id);
  if (is_number(name_or_id) && parsed.ec == std::errc()) {
    auto row = db.integer("SELECT id FROM certificate WHERE id = ?", {id});
    if (!row) return row.error();
    if (*row) return **row;
  }
  std::vector<std::string> names;
  NL_TRY(each_row(db.prepare("SELECT name FROM certificate WHERE revoked_ms IS NULL ORDER BY name"),
                  [&](Statement& s) -> Status {
                    names.push_back(s.text(0));
                    return Done{};
                  }));
  const std::string meant = nearest(lower(name_or_id), names);
  return Error::not_found(
      fmt::format("there is no certificate '{}' in use", printable(name_or_id)),
      meant.empty() ? "see: nightlatch cert list" : fmt::format("did you mean '{}'?", meant));
}

}  // namespace

Result<std::string> certificate_name(Database& db, const NewCertificate& certificate) {
  if (certificate.name.empty()) {
    for (int n = 1;; ++n) {
      std::string name = fmt::format("{}-{}", lower(certificate.device), n);
      auto taken = in_use(db, "name", name);
      if (!taken) return taken.error();
      if (!*taken) return name;
    }
  }
  NL_TRY(check_name(certificate.name, "certificate"));
  if (is_number(certificate.name)) {
    return Error::usage(fmt::format("certificate: the name '{}' would be taken for an id", certificate.name),
                        "let it hold a letter");
  }
  auto taken = in_use(db, "name", certificate.name);
  if (!taken) return taken.error();
  if (*taken) {
    return Error::conflict(fmt::format("there is already a certificate '{}'", certificate.name),
                           "choose another name, or see: nightlatch cert list");
  }
  return certificate.name;
}

Result<AddedCertificate> add_certificate(Database& db, const NewCertificate& certificate, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto device = id_of(db, "device", certificate.device);
  if (!device) return device.error();
  AddedCertificate added;
  auto name = certificate_name(db, certificate);
  if (!name) return name.error();
  added.name = std::move(*name);
  if (!certificate.sha256) {
    auto known = in_use(db, "subject", certificate.subject);
    if (!known) return known.error();
    if (*known) {
      return Error::conflict(
          fmt::format("a certificate for '{}' is known already", printable(certificate.subject)),
          "see: nightlatch cert list");
    }
  }
  auto insert = db.prepare(
      "INSERT INTO certificate (name, device_id, sha256, subject, serial, created_ms, expires_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  insert->bind(1, added.name).bind(2, *device).bind_null(3).bind_null(4).bind(5, certificate.serial);
  if (certificate.sha256) {
    insert->bind_blob(3, std::string(certificate.sha256->begin(), certificate.sha256->end()));
  } else {
    insert->bind(4, certificate.subject);
  }
  insert->bind(6, now).bind(7, certificate.expires);
  NL_TRY(insert->run());
  added.id = CertificateId(db.last_insert_id());
  NL_TRY(tx->commit());
  return added;
}

Result<std::vector<CertificateRow>> list_certificates(Database& db) {
  std::vector<CertificateRow> rows;
  NL_TRY(each_row(
      db.prepare("SELECT c.id, c.name, d.name, c.sha256, c.subject, c.serial, c.created_ms, c.expires_ms, "
                 "p.proven_ms, c.revoked_ms FROM certificate c JOIN device d ON d.id = c.device_id "
                 "LEFT JOIN device_proof p ON p.certificate_id = c.id ORDER BY c.id"),
      [&](Statement& s) -> Status {
        const auto time = [&](int column) {
          return s.null(column) ? std::nullopt : std::optional(from_ms(s.integer(column)));
        };
        CertificateRow row;
        row.id = CertificateId(s.integer(0));
        row.name = s.text(1);
        row.device = s.text(2);
        row.own = !s.null(3);
        const std::string digest = s.text(3);
        row.sha256 = hex(std::vector<unsigned char>(digest.begin(), digest.end()));
        row.subject = s.text(4);
        row.serial = s.text(5);
        row.created = from_ms(s.integer(6));
        row.expires = time(7);
        row.last_shown = time(8);
        row.revoked = time(9);
        rows.push_back(std::move(row));
        return Done{};
      }));
  return rows;
}

Result<CertificateRow> revoke_certificate(Database& db, std::string_view name_or_id, WallTime now) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = find(db, name_or_id);
  if (!id) return id.error();
  NL_TRY(
      db.run("UPDATE certificate SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL", {to_ms(now), *id}));
  if (db.changes() == 0) {
    return Error::conflict(fmt::format("certificate {} is revoked already", *id),
                           "see: nightlatch cert list");
  }
  auto rows = list_certificates(db);
  if (!rows) return rows.error();
  NL_TRY(db.run("DELETE FROM device_proof WHERE certificate_id = ?", {*id}));
  NL_TRY(tx->commit());
  const auto row = std::find_if(rows->begin(), rows->end(), [&](const CertificateRow& c) {
    return static_cast<std::int64_t>(c.id) == *id;
  });
  if (row == rows->end()) return Error::failure("the certificate could not be read again");
  return std::move(*row);
}

}  // namespace nightlatch
