#include "auth/revocation_list.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "base/certificate_number.h"
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

struct Revoked {
  std::set<std::string> keys;     // certificate_key()
  std::set<std::string> serials;  // the same, whoever issued them

  [[nodiscard]] bool hold(std::string_view chain) const {
    const auto all = split(chain, ' ');
    return std::any_of(all.begin(), all.end(),
                       [&](std::string_view key) { return keys.contains(std::string(key)); });
  }
};

// Of all lists in the file.
Result<Revoked> read_lists(const std::string& path) {
  Revoked revoked;
  if (path.empty()) return revoked;
  const std::unique_ptr<BIO, Freed<BIO_free>> in(BIO_new_file(path.c_str(), "r"));
  bool any = false;
  while (in) {
    const std::unique_ptr<X509_CRL, Freed<X509_CRL_free>> list(
        PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
    if (!list) break;
    any = true;
    const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i));
      revoked.keys.insert(certificate_key(X509_CRL_get_issuer(list.get()), serial));
      revoked.serials.insert(serial_text(serial));
    }
  }
  // After the last one there is nothing more that begins: anything else is a list that is damaged.
  const bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!any || !whole)
    return Error::invalid(
        fmt::format("{}: holds no revocation list that can be read, or one that is damaged", path));
  return revoked;
}

struct Withdrawn {
  std::int64_t proof = 0;
  std::string certificate, device;
  std::string_view reason;
};

}  // namespace

Result<bool> is_revoked(const std::string& crl_file, const std::string& chain) {
  auto revoked = read_lists(crl_file);
  if (!revoked) return revoked.error();
  return revoked->hold(chain);
}

Status withdraw_proofs(Database& db, AuditWriter& audit, const CertificateTrust& trust, WallTime now) {
  auto revoked = read_lists(trust.crl_file);
  if (!revoked) return revoked.error();
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  std::vector<Withdrawn> withdrawn;
  NL_TRY(each_row(
      db.prepare("SELECT p.id, c.name, d.name, c.chain, c.serial, c.sha256 IS NOT NULL FROM device_proof p "
                 "JOIN certificate c ON c.id = p.certificate_id JOIN device d ON d.id = p.device_id"),
      [&](Statement& s) -> Status {
        const bool own = s.integer(5) != 0;
        // Where nothing but the serial is known: it was shown to an older release.
        const bool listed =
            s.text(3).empty() ? revoked->serials.contains(s.text(4)) : revoked->hold(s.text(3));
        if (own != trust.own) {
          withdrawn.push_back({s.integer(0), s.text(1), s.text(2), "certificate_untrusted"});
        } else if (!own && listed) {
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
