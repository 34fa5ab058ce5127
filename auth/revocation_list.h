// A CA's revocation list (RFC 5280 section 5), as far as it concerns what devices have proven before: those
// whose certificate it names, or a CA's on the way to it, lose their proof. New handshakes are checked by TLS
// itself (net/tls_context.h); what is proven in one that was made before is checked here. Runs on a thread
// that may wait.
#pragma once

#include <string>

#include "base/result.h"
#include "store/audit.h"
#include "store/database.h"

namespace nightlatch {

// Which certificates are taken now.
struct CertificateTrust {
  bool own = true;       // our own device CA's; else a given CA's
  std::string crl_file;  // of the given CA, or empty
};
// Ends the proofs that certificates which are no longer taken have made; the gate sees it at once. A list
// that cannot be read is an error, and ends none.
[[nodiscard]] Status withdraw_proofs(Database& db, AuditWriter& audit, const CertificateTrust& trust,
                                     WallTime now);
// Whether one of the file's lists names one of these certificates, as PeerCertificate::chain has them
// (net/peer_certificate.h). An empty file name: no.
[[nodiscard]] Result<bool> is_revoked(const std::string& crl_file, const std::string& chain);

}  // namespace nightlatch
