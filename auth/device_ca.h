// The office's certificate authority for devices, apart from the one that signs the portal's certificate. It
// signs client certificates and nothing else. Files, beside the store:
// tls/device-ca.pem, and tls/device-ca.key, which only root reads.
#pragma once

#include <string>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"

namespace nightlatch {

struct DeviceCaPaths {
  std::string certificate, key;
};
[[nodiscard]] DeviceCaPaths device_ca_paths(const std::string& store_path);

// Makes the CA when there is none; one that is half there is refused, since devices carry what it signed.
[[nodiscard]] Status ensure_device_ca(const std::string& store_path, WallTime now);

struct IssuedCertificate {
  std::string certificate_pem;  // with the CA's behind it
  std::string key_pem;          // wipe it (base/crypto.h)
  Digest sha256{};              // of the certificate's DER
  std::string serial;           // hexadecimal
  WallTime expires{};
};
// A new key and a certificate for it, for TLS clients only (RFC 5280 section 4.2.1.12); the CA is ensured.
[[nodiscard]] Result<IssuedCertificate> issue_device_certificate(const std::string& store_path,
                                                                 const std::string& name, Seconds lifetime,
                                                                 WallTime now);

}  // namespace nightlatch
