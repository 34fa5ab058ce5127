#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/certificate_number.h"
#include "base/text.h"

namespace nightlatch {

namespace {
constexpr int kDeepestChain = 4;

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

// OpenSSL's own message does not tell an unreadable file from a malformed one.
Status check_readable(const std::string& file) {
  if (std::FILE* f = std::fopen(file.c_str(), "re"); f != nullptr) {
    std::fclose(f);
    return Done{};
  }
  return Error::invalid(fmt::format("cannot read {}: {}", file, std::strerror(errno)));
}

// Only HTTP/1.1 is spoken here. A client that offers protocols without it is told so (RFC 7301 section 3.2).
int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned in_length, void* /*arg*/) {
  static constexpr std::array<unsigned char, 9> ours{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, ours.data(), ours.size(), in, in_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<SSL_CTX>> make_context(const std::string& certificate_file,
                                              const std::string& key_file) {
  NL_TRY(check_readable(certificate_file));
  NL_TRY(check_readable(key_file));
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Error::failure("TLS: " + openssl_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  // TLS 1.2 with forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
    return Error::invalid(
        fmt::format("{} holds no certificate that can be used: {}", certificate_file, openssl_reason()));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error::invalid(
        fmt::format("{} holds no key for {}: {}", key_file, certificate_file, openssl_reason()));
  }
  return context;
}

Status ask_for_certificates(SSL_CTX* context, const ClientTrust& trust) {
  NL_TRY(check_readable(trust.ca_file));
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(trust.ca_file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(context, trust.ca_file.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return Error::invalid(fmt::format("{} holds no CA's certificate: {}", trust.ca_file, openssl_reason()));
  }
  SSL_CTX_set_client_CA_list(context, names);  // takes them over
  if (!trust.crl_file.empty()) {
    NL_TRY(check_readable(trust.crl_file));
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr || X509_load_crl_file(lookup, trust.crl_file.c_str(), X509_FILETYPE_PEM) < 1) {
      return Error::invalid(fmt::format("{} holds no revocation list: {}", trust.crl_file, openssl_reason()));
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  // The purpose that OpenSSL checks of a client's certificate is TLS client authentication.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context, kDeepestChain);
  // A resumed session (RFC 8446 section 2.2) would skip all of this.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  return Done{};
}

std::string_view why_refused(const SSL* ssl) {
  switch (SSL_get_verify_result(ssl)) {
    case X509_V_OK:
      return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
                 ? "no_certificate"
                 : "";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "certificate_expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "certificate_not_yet_valid";
    case X509_V_ERR_CERT_REVOKED:
      return "certificate_revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
      return "no_revocation_list";
    case X509_V_ERR_INVALID_PURPOSE:
      return "certificate_not_for_clients";
    default:
      return "certificate_untrusted";
  }
}

std::string text_of(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  const int n = value == nullptr ? -1 : ASN1_STRING_to_UTF8(&utf8, value);
  std::string text;
  if (n > 0) text.assign(utf8, utf8 + n);
  OPENSSL_free(utf8);
  return text;
}

std::string name_in(X509* certificate) {
  std::string name;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; name.empty() && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names, i);
    if (one->type == GEN_DNS) name = text_of(one->d.dNSName);
  }
  GENERAL_NAMES_free(names);
  // The common name counts only where there are no other names at all (RFC 6125 section 6.4.4).
  if (!name.empty() || X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0) return name;
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? name : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

// Of each certificate on the way to the CA's own, which nothing revokes.
std::string keys_of(const STACK_OF(X509) * chain) {
  std::string keys;
  for (int i = 0; i + 1 < sk_X509_num(chain); ++i) {
    const X509* one = sk_X509_value(chain, i);
    keys +=
        (keys.empty() ? "" : " ") + certificate_key(X509_get_issuer_name(one), X509_get0_serialNumber(one));
  }
  return keys;
}
}  // namespace

void TlsSession::Free::operator()(ssl_st* s) const { SSL_free(s); }

TlsSession::TlsSession(ssl_ctx_st* context)
    : ssl_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_accept_state(ssl_.get());
}

TlsSession::State TlsSession::feed(std::string_view wire, std::string& plain) {
  if (state_ == State::failed || state_ == State::ended) return state_;
  ERR_clear_error();
  BIO_write(in_, wire.data(), static_cast<int>(wire.size()));
  while (true) {
    std::array<char, 16384> buffer;  // NOLINT: filled by SSL_read; it also does the handshake
    std::size_t n = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &n) == 1) {
      plain.append(buffer.data(), n);
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), 0);
    if (SSL_is_init_finished(ssl_.get()) == 1) state_ = State::open;
    if (why == SSL_ERROR_WANT_READ) return state_;
    if (why == SSL_ERROR_ZERO_RETURN) return state_ = State::ended;
    if ((SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0) refusal_ = why_refused(ssl_.get());
    plain_http_ = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
    ERR_clear_error();
    return state_ = State::failed;
  }
}

void TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  std::size_t n = 0;
  // A memory BIO takes everything, and without renegotiation writing never needs to read first.
  if (!plain.empty() && SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &n) != 1) {
    ERR_clear_error();
    state_ = State::failed;
  }
}

std::shared_ptr<const PeerCertificate> TlsSession::certificate() const {
  X509* shown = SSL_get0_peer_certificate(ssl_.get());
  const bool asked = (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
  if (!asked || shown == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return nullptr;
  auto out = std::make_shared<PeerCertificate>();
  unsigned length = 0;
  std::tm end{};
  if (X509_digest(shown, EVP_sha256(), out->sha256.data(), &length) != 1 || length != out->sha256.size() ||
      ASN1_TIME_to_tm(X509_get0_notAfter(shown), &end) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  out->expires = from_ms(std::int64_t{timegm(&end)} * 1000);
  out->name = name_in(shown);
  out->serial = serial_text(X509_get0_serialNumber(shown));
  out->chain = keys_of(SSL_get0_verified_chain(ssl_.get()));
  return out;
}

void TlsSession::finish() {
  if (state_ != State::open && state_ != State::ended) return;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string TlsSession::outgoing() {
  std::string bytes(BIO_ctrl_pending(out_), '\0');
  if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

Result<std::shared_ptr<TlsContext>> TlsContext::load(std::string certificate_file, std::string key_file) {
  return load(std::move(certificate_file), std::move(key_file), {});
}

Result<std::shared_ptr<TlsContext>> TlsContext::load(std::string certificate_file, std::string key_file,
                                                     ClientTrust trust) {
  std::shared_ptr<TlsContext> made(new TlsContext());  // NOLINT: the constructor is private
  made->certificate_file_ = std::move(certificate_file);
  made->key_file_ = std::move(key_file);
  made->trust_ = std::move(trust);
  NL_TRY(made->reload());
  return made;
}

Status TlsContext::reload() {
  auto fresh = make_context(certificate_file_, key_file_);
  if (!fresh) return fresh.error();
  if (!trust_.ca_file.empty()) NL_TRY(ask_for_certificates(fresh->get(), trust_));
  context_ = *fresh;
  return Done{};
}

std::unique_ptr<TlsSession> TlsContext::accept() const {
  return std::unique_ptr<TlsSession>(new TlsSession(context_.get()));  // NOLINT: the constructor is private
}

}  // namespace nightlatch
