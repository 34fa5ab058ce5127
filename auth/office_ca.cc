#include "auth/office_ca.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/text.h"

namespace nightlatch {

namespace {
constexpr long kDay = 86400;
constexpr long kCaDays = 3650;
constexpr long kServerDays = 397;  // the most that browsers take
constexpr long kRenewDays = 30;

template <auto F>
struct Freed {
  template <typename T>
  void operator()(T* p) const {
    F(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

Error openssl_failed(const char* doing) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return Error::failure(fmt::format("{}: {}", doing, reason == nullptr ? "OpenSSL failed" : reason));
}

Error file_failed(const std::string& path) {
  return Error::failure(fmt::format("{}: {}", path, std::strerror(errno)));
}

// Written beside and moved into place, so that a crash leaves the old file or the new one.
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

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long n = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(n)};
}

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

Result<Key> load_key(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  const Memory in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key)
    return Error::invalid(fmt::format("{}: holds no private key", path), "restore it, or move it away");
  return key;
}
Result<Certificate> load_certificate(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  const Memory in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  Certificate certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate)
    return Error::invalid(fmt::format("{}: holds no certificate", path), "restore it, or move it away");
  return certificate;
}

// Keeps a key that is there; makes one that is not.
Result<Key> ensure_key(const std::string& path, mode_t mode, gid_t group) {
  std::error_code ec;
  if (std::filesystem::exists(path, ec)) return load_key(path);
  Key key(EVP_EC_gen("P-256"));
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

// Everything but the extensions and the signature. `name` is the subject's common name.
Result<Certificate> begin_certificate(EVP_PKEY* key, const std::string& name, WallTime now, long days) {
  Certificate certificate(X509_new());
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

Result<Certificate> make_ca(EVP_PKEY* key, const std::string& host, WallTime now) {
  auto ca = begin_certificate(key, "nightlatch office CA " + host, now, kCaDays);
  if (!ca) return ca;
  X509* x = ca->get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  NL_TRY(add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  NL_TRY(add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"));
  NL_TRY(add_extension(x, x, NID_subject_key_identifier, "hash"));
  if (X509_sign(x, key, EVP_sha256()) == 0) return openssl_failed("signing the CA's certificate");
  return ca;
}

Result<Certificate> make_server(X509* ca, EVP_PKEY* ca_key, EVP_PKEY* key, const std::string& host,
                                WallTime now) {
  auto server = begin_certificate(key, host, now, kServerDays);
  if (!server) return server;
  X509* x = server->get();
  X509_set_issuer_name(x, X509_get_subject_name(ca));
  NL_TRY(add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE"));
  NL_TRY(add_extension(x, ca, NID_key_usage, "critical,digitalSignature"));
  NL_TRY(add_extension(x, ca, NID_ext_key_usage, "serverAuth"));
  NL_TRY(add_extension(x, ca, NID_subject_key_identifier, "hash"));
  NL_TRY(add_extension(x, ca, NID_authority_key_identifier, "keyid:always"));
  NL_TRY(add_extension(x, ca, NID_subject_alt_name, (IpAddress::parse(host) ? "IP:" : "DNS:") + host));
  if (X509_sign(x, ca_key, EVP_sha256()) == 0) return openssl_failed("signing the portal's certificate");
  return server;
}

bool lasts(X509* certificate, WallTime now) {
  std::time_t limit = to_ms(now) / 1000 + kRenewDays * kDay;
  return X509_cmp_time(X509_get0_notAfter(certificate), &limit) > 0;
}

bool still_good(X509* certificate, X509* ca, EVP_PKEY* key, const std::string& host, WallTime now) {
  const bool named = IpAddress::parse(host)
                         ? X509_check_ip_asc(certificate, host.c_str(), 0) == 1
                         : X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1;
  const bool signed_by_us = X509_verify(certificate, X509_get0_pubkey(ca)) == 1;
  const bool fits = X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();
  return lasts(certificate, now) && named && signed_by_us && fits;
}

// A host's name may hold nothing that has a meaning in an extension's text.
Status check_host(const std::string& host) {
  if (IpAddress::parse(host)) return Done{};
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  if (host.empty() || host.size() > 253 || host.find_first_not_of(allowed) != std::string::npos) {
    return Error::usage(fmt::format("portal: '{}' is neither a host name nor an address", printable(host)),
                        "for example gate.office.example or 10.0.0.1");
  }
  return Done{};
}
}  // namespace

TlsPaths tls_paths(const std::string& store_path) {
  const auto folder = std::filesystem::path(store_path).parent_path() / "tls";
  return {folder / "ca.pem", folder / "ca.key", folder / "portal.pem", folder / "portal.key"};
}

Status ensure_office_ca(const std::string& store_path, const std::string& host, WallTime now) {
  NL_TRY(check_host(host));
  const TlsPaths paths = tls_paths(store_path);
  struct stat store{};
  if (::stat(store_path.c_str(), &store) != 0) return file_failed(store_path);
  const std::string folder = std::filesystem::path(paths.ca).parent_path();
  if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) return file_failed(folder);
  if (::chown(folder.c_str(), static_cast<uid_t>(-1), store.st_gid) != 0 && errno != EPERM)
    return file_failed(folder);

  std::error_code ec;
  const bool whole = std::filesystem::exists(paths.ca, ec) && std::filesystem::exists(paths.ca_key, ec);
  if (!whole && std::filesystem::exists(paths.ca, ec)) {
    // Devices trust this certificate: a new key in its place would lock them all out without a word.
    return Error::invalid(fmt::format("{} is missing, but {} is there", paths.ca_key, paths.ca),
                          "restore the key, or move the certificate away to begin with a new CA");
  }
  // The portal reads its own key as the store's group; the CA's it never needs.
  auto ca_key = ensure_key(paths.ca_key, 0600, store.st_gid);
  if (!ca_key) return ca_key.error();
  Result<Certificate> ca = Certificate();
  if (whole) {
    ca = load_certificate(paths.ca);
    if (ca && X509_check_private_key(ca->get(), ca_key->get()) != 1) {
      ERR_clear_error();
      return Error::invalid(fmt::format("{} is not the key of {}", paths.ca_key, paths.ca));
    }
  } else {
    ca = make_ca(ca_key->get(), host, now);
    if (ca) NL_TRY(write_file(paths.ca, pem_of(ca->get()), 0644, store.st_gid));
  }
  if (!ca) return ca.error();

  auto key = ensure_key(paths.key, 0640, store.st_gid);
  if (!key) return key.error();
  if (std::filesystem::exists(paths.certificate, ec)) {
    const auto present = load_certificate(paths.certificate);
    if (present && still_good(present->get(), ca->get(), key->get(), host, now)) return Done{};
  }
  auto server = make_server(ca->get(), ca_key->get(), key->get(), host, now);
  if (!server) return server.error();
  return write_file(paths.certificate, pem_of(server->get()) + pem_of(ca->get()), 0644, store.st_gid);
}

bool office_certificate_lasts(const std::string& store_path, WallTime now) {
  const auto present = load_certificate(tls_paths(store_path).certificate);
  return present && lasts(present->get(), now);
}

}  // namespace nightlatch
