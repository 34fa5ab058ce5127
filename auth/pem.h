// Certificates in PEM files as values: each by itself, with the fingerprint that people compare. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightlatch {

struct PemCertificate {
  std::string pem;  // of this one alone, as OpenSSL writes it
  std::string
      fingerprint;  // SHA-256 of its DER: "AB:CD:...", as `openssl x509 -fingerprint -sha256` shows it
};

// At most 64 KiB of PEM with one to 16 certificates; other kinds of blocks are refused, so that nothing is
// taken for more than was compared.
[[nodiscard]] Result<std::vector<PemCertificate>> read_certificates(std::string_view pem);

}  // namespace nightlatch
