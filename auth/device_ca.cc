#include "auth/device_ca.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "auth/x509.h"
#include "base/certificate_number.h"
#include "base/text.h"

namespace nightlatch {

namespace {

struct Authority {
  KeyPtr key;
  X509Ptr certificate;
};

Result<Authority> ensure_authority(const std::string& store_path, WallTime now) {
  const DeviceCaPaths paths = device_ca_paths(store_path);
  struct stat store{};
  if (::stat(store_path.c_str(), &store) != 0) return file_failed(store_path);
  const std::string folder = std::filesystem::path(paths.key).parent_path();
  if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) return file_failed(folder);
  std::error_code ec;
  const bool made = std::filesystem::exists(paths.certificate, ec);
  if (made && !std::filesystem::exists(paths.key, ec)) {
    return Error::invalid(fmt::format("{} is missing, but {} is there", paths.key, paths.certificate),
                          "restore the key, or move the certificate away to begin with a new CA");
  }
  Authority ca;
  auto key = ensure_key(paths.key, 0600, store.st_gid);
  if (!key) return key.error();
  ca.key = std::move(*key);
  auto certificate = made ? load_certificate(paths.certificate)
                          : make_ca(ca.key.get(), "nightlatch device CA " + random_code(6), now);
  if (!certificate) return certificate.error();
  ca.certificate = std::move(*certificate);
  if (X509_check_private_key(ca.certificate.get(), ca.key.get()) != 1) {
    ERR_clear_error();
    return Error::invalid(fmt::format("{} is not the key of {}", paths.key, paths.certificate));
  }
  if (!made) NL_TRY(write_file(paths.certificate, pem_of(ca.certificate.get()), 0644, store.st_gid));
  return ca;
}

Status finish(X509* certificate, const Authority& ca) {
  X509_set_issuer_name(certificate, X509_get_subject_name(ca.certificate.get()));
  X509* issuer = ca.certificate.get();
  NL_TRY(add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  NL_TRY(add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature"));
  NL_TRY(add_extension(certificate, issuer, NID_ext_key_usage, "clientAuth"));
  NL_TRY(add_extension(certificate, issuer, NID_subject_key_identifier, "hash"));
  NL_TRY(add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always"));
  if (X509_sign(certificate, ca.key.get(), EVP_sha256()) == 0)
    return openssl_failed("signing the device's certificate");
  return Done{};
}

}  // namespace

DeviceCaPaths device_ca_paths(const std::string& store_path) {
  const auto folder = std::filesystem::path(store_path).parent_path() / "tls";
  return {folder / "device-ca.pem", folder / "device-ca.key"};
}

Status ensure_device_ca(const std::string& store_path, WallTime now) {
  auto ca = ensure_authority(store_path, now);
  return ca ? Status(Done{}) : Status(ca.error());
}

Result<IssuedCertificate> issue_device_certificate(const std::string& store_path, const std::string& name,
                                                   Seconds lifetime, WallTime now) {
  auto ca = ensure_authority(store_path, now);
  if (!ca) return ca.error();
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("making a key");
  auto certificate = begin_certificate(key.get(), name, now, 0);
  if (!certificate) return certificate.error();
  X509* x = certificate->get();
  IssuedCertificate issued;
  // Whole seconds, and no longer than the CA itself.
  issued.expires = std::chrono::floor<Seconds>(now) + lifetime;
  std::time_t end = to_ms(issued.expires) / 1000;
  if (X509_cmp_time(X509_get0_notAfter(ca->certificate.get()), &end) < 0) {
    return Error::usage("--for: the device CA ends before that", "take a shorter time");
  }
  if (X509_time_adj_ex(X509_getm_notAfter(x), 0, 0, &end) == nullptr) return openssl_failed("certificate");
  NL_TRY(finish(x, *ca));
  unsigned length = 0;
  if (X509_digest(x, EVP_sha256(), issued.sha256.data(), &length) != 1) return openssl_failed("certificate");
  issued.serial = serial_text(X509_get0_serialNumber(x));
  issued.certificate_pem = pem_of(x) + pem_of(ca->certificate.get());
  issued.key_pem = pem_of(key.get());
  return issued;
}

}  // namespace nightlatch
