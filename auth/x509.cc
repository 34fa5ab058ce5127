#include "auth/x509.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <vector>

#include "base/fd.h"

namespace nightlatch {

namespace {
constexpr long kCaDays = 3650;

template <auto F>
struct Freed {
  template <typename T>
  void operator()(T* p) const {
    F(p);
  }
};
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
}  // namespace

void FreeKey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void FreeX509::operator()(x509_st* certificate) const { X509_free(certificate); }

Error openssl_failed(const char* doing) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return Error::failure(fmt::format("{}: {}", doing, reason == nullptr ? "OpenSSL failed" : reason));
}

Error file_failed(const std::string& path) {
  return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)));
}

Status write_file(const std::string& path, const std::string& text, mode_t mode, gid_t group) {
  const std::string making = path + ".making";
  ::unlink(making.c_str());
  const Fd fd(::open(making.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return file_failed(making);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return file_failed(making);
  // Only root may give a file to any group; elsewhere the owner's own will do.
  if (::fchown(fd.get(), static_cast<uid_t>(-1), group) != 0 && errno != EPERM) return file_failed(making);
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) return file_failed(making);
  if (::rename(making.c_str(), path.c_str()) != 0) return file_failed(path);
  return Done{};
}

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, Freed<std::fclose>> f(std::fopen(path.c_str(), "re"));
  if (!f) return file_failed(path);
  std::string text(65536, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), f.get()));
  return text;
}

namespace {
std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long n = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(n)};
}
}  // namespace

std::string pem_of(EVP_PKEY* key) {
  const Memory out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(out.get());
}
std::string pem_of(X509* certificate) {
  const Memory out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  return text_of(out.get());
}

Result<KeyPtr> load_key(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  const Memory in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key)
    return Error::invalid(fmt::format("{}: holds no private key", path), "restore it, or move it away");
  return key;
}
Result<X509Ptr> load_certificate(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  const Memory in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  X509Ptr certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate)
    return Error::invalid(fmt::format("{}: holds no certificate", path), "restore it, or move it away");
  return certificate;
}

Result<KeyPtr> ensure_key(const std::string& path, mode_t mode, gid_t group) {
  std::error_code ec;
  if (std::filesystem::exists(path, ec)) return load_key(path);
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("making a key");
  NL_TRY(write_file(path, pem_of(key.get()), mode, group));
  return key;
}

Status add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return openssl_failed("certificate extension");
  return Done{};
}

Result<X509Ptr> begin_certificate(EVP_PKEY* key, const std::string& name, WallTime now, long days) {
  X509Ptr certificate(X509_new());
  Number serial(BN_new());
  if (!certificate || !serial || BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1) {
    return openssl_failed("certificate");
  }
  X509_set_version(certificate.get(), X509_VERSION_3);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get()));
  std::time_t start = to_ms(now) / 1000;
  // An hour of leeway for clients whose clocks are behind.
  X509_time_adj_ex(X509_getm_notBefore(certificate.get()), 0, -3600, &start);
  X509_time_adj_ex(X509_getm_notAfter(certificate.get()), static_cast<int>(days), -3601, &start);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  // At most 64 characters (RFC 5280 appendix A.1: ub-common-name).
  const std::vector<unsigned char> shortened(name.begin(),
                                             name.begin() + std::min<std::ptrdiff_t>(64, std::ssize(name)));
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, shortened.data(),
                                 static_cast<int>(shortened.size()), -1, 0) != 1) {
    return openssl_failed("certificate's name");
  }
  return certificate;
}

Result<X509Ptr> make_ca(EVP_PKEY* key, const std::string& name, WallTime now) {
  auto ca = begin_certificate(key, name, now, kCaDays);
  if (!ca) return ca;
  X509* x = ca->get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  NL_TRY(add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  NL_TRY(add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"));
  NL_TRY(add_extension(x, x, NID_subject_key_identifier, "hash"));
  if (X509_sign(x, key, EVP_sha256()) == 0) return openssl_failed("signing the CA's certificate");
  return ca;
}

}  // namespace nightlatch
