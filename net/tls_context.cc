#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace nightlatch {

namespace {
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
  std::shared_ptr<TlsContext> made(new TlsContext());  // NOLINT: the constructor is private
  made->certificate_file_ = std::move(certificate_file);
  made->key_file_ = std::move(key_file);
  NL_TRY(made->reload());
  return made;
}

Status TlsContext::reload() {
  auto fresh = make_context(certificate_file_, key_file_);
  if (!fresh) return fresh.error();
  context_ = *fresh;
  return Done{};
}

std::unique_ptr<TlsSession> TlsContext::accept() const {
  return std::unique_ptr<TlsSession>(new TlsSession(context_.get()));  // NOLINT: the constructor is private
}

}  // namespace nightlatch
