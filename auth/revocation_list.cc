#include "auth/revocation_list.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "base/text.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

template <auto F>
struct Freed {
  template <typename T>
  void operator()(T* p) const {
    F(p);
  }
};

std::string serial_of(const ASN1_INTEGER* number) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> big(ASN1_INTEGER_to_BN(number, nullptr));
  char* digits = big ? BN_bn2hex(big.get()) : nullptr;
  std::string serial = digits == nullptr ? "" : lower(digits);
  OPENSSL_free(digits);
  return serial;
}

// Of all lists in the file.
Result<std::set<std::string>> revoked_serials(const std::string& path) {
  std::set<std::string> serials;
  if (path.empty()) return serials;
  const std::unique_ptr<BIO, Freed<BIO_free>> in(BIO_new_file(path.c_str(), "r"));
  bool any = false;
  while (in) {
    const std::unique_ptr<X509_CRL, Freed<X509_CRL_free>> list(
        PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
    if (!list) break;
    any = true;
    const STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i)
      serials.insert(serial_of(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i))));
  }
  // After the last one there is nothing more that begins: anything else is a list that is damaged.
  const bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!any || !whole)
    return Error::invalid(
        fmt::format("{}: holds no revocation list that can be read, or one that is damaged", path));
  return serials;
}

struct Withdrawn {
  std::int64_t proof = 0;
  std::string certificate, device;
  std::string_view reason;
};

}  // namespace

Result<bool> is_revoked(const std::string& crl_file, const std::string& serial) {
  auto serials = revoked_serials(crl_file);
  if (!serials) return serials.error();
  return serials->contains(serial);
}

Status withdraw_proofs(Database& db, AuditWriter& audit, const CertificateTrust& trust, WallTime now) {
  auto serials = revoked_serials(trust.crl_file);
  if (!serials) return serials.error();
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  std::vector<Withdrawn> withdrawn;
  NL_TRY(each_row(
      db.prepare("SELECT p.id, c.name, d.name, c.serial, c.sha256 IS NOT NULL FROM device_proof p "
                 "JOIN certificate c ON c.id = p.certificate_id JOIN device d ON d.id = p.device_id"),
      [&](Statement& s) -> Status {
        const bool own = s.integer(4) != 0;
        if (own != trust.own) {
          withdrawn.push_back({s.integer(0), s.text(1), s.text(2), "certificate_untrusted"});
        } else if (!own && serials->contains(s.text(3))) {
          withdrawn.push_back({s.integer(0), s.text(1), s.text(2), "certificate_revoked"});
        }
        return Done{};
      }));
  for (const Withdrawn& w : withdrawn) NL_TRY(db.run("DELETE FROM device_proof WHERE id = ?", {w.proof}));
  NL_TRY(tx->commit());
  for (const Withdrawn& w : withdrawn) {
    AuditEvent e;
    e.at = now;
    e.event = "proof.end";
    e.device = w.device;
    e.machine = "certificate " + w.certificate;
    e.reason = w.reason;
    audit.write(std::move(e));
  }
  return Done{};
}

}  // namespace nightlatch
