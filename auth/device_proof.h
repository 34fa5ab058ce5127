// The one place that records what a machine has proven of itself at the portal: by a service token or a
// client certificate, from where it came. Takes the device in as the setting `enrol` says when it has no
// place yet (semantics 10), refuses what comes from another place than the device's, and returns only when
// the store and the audit log have it on disk. Runs on a thread that may wait.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/sign_in.h"
#include "base/crypto.h"
#include "policy/model.h"

namespace nightlatch {

struct ShownCertificate {  // verified against its CA in the handshake
  bool own = false;        // of our own device CA: known by `sha256`; else by `subject`
  Digest sha256{};
  std::string subject;  // its first DNS name, or its common name (RFC 5280 sections 4.2.1.6 and 4.1.2.6)
  std::string serial;   // hexadecimal
  std::string chain;    // as PeerCertificate has it (net/peer_certificate.h)
  WallTime expires{};
  std::string crl_file{};  // of its CA, or empty: the list as it is now, whatever the handshake knew
};

struct ShownProof {
  TokenId token{};  // that the secret proves (Office::token_with), or none: no token has that secret
  std::optional<ShownCertificate> certificate;  // or this
};

struct ProofOutcome {
  enum class Kind : std::uint8_t {
    proven,   // recorded
    pending,  // recorded; counts once an admin approves the device
    refused,  // nothing was recorded but why
  } kind = Kind::refused;
  std::string_view reason;  // of a refusal, for the log alone: whoever asked is told nothing
  std::string device, by;   // names: of the device, and of the token or certificate
  bool enrolled = false;    // the device had no place before
  WallTime until{};         // the proof is void from then on
};

[[nodiscard]] Result<ProofOutcome> prove_device(Database& db, AuditWriter& audit, const ShownProof& shown,
                                                const SignInPlace& place, WallTime now);

}  // namespace nightlatch
