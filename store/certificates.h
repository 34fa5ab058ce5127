// Client certificates by which devices prove themselves. One of the office's own device CA (auth/device_ca.h)
// is known by its SHA-256; one of a CA that the office was given, by the name in it, so that a renewed one is
// the same. Read with the office, like tokens; revoked ones stay, for the log, and their names are free
// again. Each change is one transaction; every function runs on the Database's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct NewCertificate {
  std::string name;              // empty: one is made from the device's
  std::string device;            // must exist
  std::optional<Digest> sha256;  // of one of our own, or
  std::string subject;           // the name in one of a given CA
  std::string serial;            // hexadecimal; empty: not known yet
  std::optional<WallTime> expires;
};
struct AddedCertificate {
  CertificateId id{};
  std::string name;
};
[[nodiscard]] Result<AddedCertificate> add_certificate(Database& db, const NewCertificate& certificate,
                                                       WallTime now);
// The name that add_certificate() would give it, before there is a certificate to be added.
[[nodiscard]] Result<std::string> certificate_name(Database& db, const NewCertificate& certificate);

struct CertificateRow {
  CertificateId id{};
  std::string name, device;
  bool own = false;     // of our own device CA
  std::string subject;  // of one that is not
  std::string sha256;   // hexadecimal, of one that is
  std::string serial;
  WallTime created{};
  std::optional<WallTime> expires, last_shown, revoked;
};
[[nodiscard]] Result<std::vector<CertificateRow>> list_certificates(Database& db);  // revoked ones too
// By its name, in any case, or its id; live flows that it let through end at once. A second time: conflict.
[[nodiscard]] Result<CertificateRow> revoke_certificate(Database& db, std::string_view name_or_id,
                                                        WallTime now);

}  // namespace nightlatch
