// Making and keeping keys and certificates: what the office's two CAs have in common (auth/office_ca.h,
// auth/device_ca.h). OpenSSL's types are only named here. Any thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

struct evp_pkey_st;
struct x509_st;

namespace nightlatch {

struct FreeKey {
  void operator()(evp_pkey_st* key) const;
};
struct FreeX509 {
  void operator()(x509_st* certificate) const;
};
using KeyPtr = std::unique_ptr<evp_pkey_st, FreeKey>;
using X509Ptr = std::unique_ptr<x509_st, FreeX509>;

[[nodiscard]] Error openssl_failed(const char* doing);
[[nodiscard]] Error file_failed(const std::string& path);  // by errno

// Written beside and moved into place, so that a crash leaves the old file or the new one.
[[nodiscard]] Status write_file(const std::string& path, const std::string& text, mode_t mode, gid_t group);
[[nodiscard]] Result<std::string> read_file(const std::string& path);
[[nodiscard]] std::string pem_of(evp_pkey_st* key);
[[nodiscard]] std::string pem_of(x509_st* certificate);
[[nodiscard]] Result<KeyPtr> load_key(const std::string& path);
[[nodiscard]] Result<X509Ptr> load_certificate(const std::string& path);
// Keeps a key that is there; makes one that is not.
[[nodiscard]] Result<KeyPtr> ensure_key(const std::string& path, mode_t mode, gid_t group);

// Everything but the extensions and the signature. `name` is the subject's common name, `key` its public key.
[[nodiscard]] Result<X509Ptr> begin_certificate(evp_pkey_st* key, const std::string& name, WallTime now,
                                                long days);
// `value` as openssl's x509v3_config(5) writes it.
[[nodiscard]] Status add_extension(x509_st* certificate, x509_st* issuer, int nid, const std::string& value);
[[nodiscard]] Result<X509Ptr> make_ca(evp_pkey_st* key, const std::string& name, WallTime now);

}  // namespace nightlatch
