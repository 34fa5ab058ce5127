// The office's own certificate authority: made at `init`, signs the portal's certificate. OpenSSL only.
// Files, beside the store: tls/ca.pem, tls/ca.key, tls/portal.pem (with the CA behind it), tls/portal.key.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace nightlatch {

struct TlsPaths {
  std::string ca, ca_key, certificate, key;
};
[[nodiscard]] TlsPaths tls_paths(const std::string& store_path);
// Makes what is missing, and renews the portal's certificate when it ends within 30 days or names another
// host. `host` is a DNS name or an address. Existing keys are kept.
[[nodiscard]] Status ensure_office_ca(const std::string& store_path, const std::string& host, WallTime now);
// False when the portal's certificate is one that ensure_office_ca() would renew for its age.
[[nodiscard]] bool office_certificate_lasts(const std::string& store_path, WallTime now);

}  // namespace nightlatch
