#include "auth/pem.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>
#include <memory>

namespace nightlatch {

namespace {
constexpr std::size_t kLongest = std::size_t{64} * 1024;
constexpr std::size_t kMost = 16;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* x) const { X509_free(x); }
};
struct FreeBytes {
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
  void operator()(char* text) const { OPENSSL_free(text); }
};

Result<PemCertificate> as_value(X509* x) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const std::unique_ptr<BIO, FreeBio> out(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (X509_digest(x, EVP_sha256(), digest.data(), &length) != 1 || !out ||
      PEM_write_bio_X509(out.get(), x) != 1) {
    return Error::failure("a certificate could not be read");
  }
  const long size = BIO_get_mem_data(out.get(), &text);  // NOLINT: OpenSSL's own macro
  PemCertificate certificate;
  certificate.pem.assign(text, static_cast<std::size_t>(size));
  for (unsigned i = 0; i < length; ++i) {
    certificate.fingerprint += fmt::format("{}{:02X}", i == 0 ? "" : ":", static_cast<unsigned>(digest[i]));
  }
  return certificate;
}
}  // namespace

Result<std::vector<PemCertificate>> read_certificates(std::string_view pem) {
  const Error none = Error::failure("there is no certificate in it");
  if (pem.empty() || pem.size() > kLongest) return none;
  const std::unique_ptr<BIO, FreeBio> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<PemCertificate> found;
  while (in) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* bytes = nullptr;
    long length = 0;
    if (PEM_read_bio(in.get(), &name, &header, &bytes, &length) != 1) break;
    const std::unique_ptr<char, FreeBytes> name_owner(name), header_owner(header);
    const std::unique_ptr<unsigned char, FreeBytes> bytes_owner(bytes);
    if (std::strcmp(name, PEM_STRING_X509) != 0 || found.size() == kMost) {
      return Error::failure("there is something else than certificates in it, or there are too many");
    }
    const unsigned char* at = bytes;
    const std::unique_ptr<X509, FreeX509> x(d2i_X509(nullptr, &at, length));
    if (!x || at != bytes + length) {
      ERR_clear_error();
      return Error::failure("a certificate in it is damaged");
    }
    auto certificate = as_value(x.get());
    if (!certificate) return certificate.error();
    found.push_back(std::move(*certificate));
  }
  ERR_clear_error();  // the end of the text is one
  if (found.empty()) return none;
  return found;
}

}  // namespace nightlatch
