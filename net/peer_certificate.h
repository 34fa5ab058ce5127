// The certificate that a client has shown in its TLS handshake, once its CA was found to have signed it.
// A plain value; any thread.
#pragma once

#include <string>

#include "base/crypto.h"
#include "base/time.h"

namespace nightlatch {

struct PeerCertificate {
  Digest sha256{};     // of its DER
  std::string name;    // its first DNS name (RFC 5280 section 4.2.1.6), or its common name; may hold anything
  std::string serial;  // hexadecimal, lower case
  // Of it and of each CA's on the way to the last: certificate_key() (base/certificate_number.h), apart by
  // blanks.
  std::string chain;
  WallTime expires{};
};

}  // namespace nightlatch
