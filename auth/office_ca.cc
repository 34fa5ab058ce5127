#include "auth/office_ca.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "auth/x509.h"
#include "base/address.h"
#include "base/text.h"

namespace nightlatch {

namespace {
constexpr long kDay = 86400;
constexpr long kServerDays = 397;  // the most that browsers take
constexpr long kRenewDays = 30;

Result<X509Ptr> make_server(X509* ca, EVP_PKEY* ca_key, EVP_PKEY* key, const std::string& host,
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
  Result<X509Ptr> ca = X509Ptr();
  if (whole) {
    ca = load_certificate(paths.ca);
    if (ca && X509_check_private_key(ca->get(), ca_key->get()) != 1) {
      ERR_clear_error();
      return Error::invalid(fmt::format("{} is not the key of {}", paths.ca_key, paths.ca));
    }
  } else {
    ca = make_ca(ca_key->get(), "nightlatch office CA " + host, now);
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
