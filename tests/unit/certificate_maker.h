// A server's certificate that is its own CA, for an hour. For tests only.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace nightlatch {

// `names` as OpenSSL's configuration has them: "IP:127.0.0.1".
inline void write_certificate(const std::string& certificate, const std::string& key, const char* names,
                              const std::string& common_name = "test") {
  EVP_PKEY* pair = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_set_version(x, 2);
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, pair);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);  // NOLINT
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_EXTENSION* san = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(x, san, -1);
  X509_EXTENSION_free(san);
  X509_sign(x, pair, EVP_sha256());
  std::FILE* f = std::fopen(certificate.c_str(), "we");
  if (f == nullptr) std::abort();
  PEM_write_X509(f, x);
  std::fclose(f);
  f = std::fopen(key.c_str(), "we");
  if (f == nullptr) std::abort();
  PEM_write_PrivateKey(f, pair, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(f);
  X509_free(x);
  EVP_PKEY_free(pair);
}

}  // namespace nightlatch
