// The TLS side of a server: a certificate with its key, and one session for each connection, over memory
// BIOs, so that sockets stay where they are. OpenSSL's SSL stays behind this file. A TlsContext is shared by
// its listeners and outlives its sessions' creation only; loop's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/peer_certificate.h"

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace nightlatch {

class TlsSession {
 public:
  enum class State : unsigned char { handshake, open, ended, failed };
  // Takes bytes off the wire and appends what they say to `plain`. After `failed`, send outgoing() and close.
  State feed(std::string_view wire, std::string& plain);
  void write(std::string_view plain);    // only while open
  void finish();                         // close_notify (RFC 8446 section 6.1)
  [[nodiscard]] std::string outgoing();  // what is to be sent now
  [[nodiscard]] bool spoke_plain_http() const { return plain_http_; }
  // Where clients are asked for a certificate: the one that was verified, once open; and once failed, why
  // none was, in a word for the log ("certificate_expired"), or "" when it failed for another reason.
  [[nodiscard]] std::shared_ptr<const PeerCertificate> certificate() const;
  [[nodiscard]] std::string_view certificate_refusal() const { return refusal_; }

 private:
  friend class TlsContext;
  explicit TlsSession(ssl_ctx_st* context);
  struct Free {
    void operator()(ssl_st* s) const;
  };
  std::unique_ptr<ssl_st, Free> ssl_;
  bio_st* in_ = nullptr;  // owned by ssl_
  bio_st* out_ = nullptr;
  State state_ = State::handshake;
  bool plain_http_ = false;
  std::string_view refusal_;
};

// Of whom clients' certificates must be. PEM files.
struct ClientTrust {
  std::string ca_file;
  std::string crl_file;  // empty: none. Else no certificate is good without a list in force of each CA above
                         // it (RFC 5280 section 5)
};

class TlsContext {
 public:
  // PEM files: the certificate with its chain behind it, and the key. The error names the file.
  static Result<std::shared_ptr<TlsContext>> load(std::string certificate_file, std::string key_file);
  // The same for clients that must show a certificate. No session is ever resumed there: each handshake shows
  // it and has it verified.
  static Result<std::shared_ptr<TlsContext>> load(std::string certificate_file, std::string key_file,
                                                  ClientTrust trust);
  // Reads the files again. On an error the old certificate stays in use.
  [[nodiscard]] Status reload();
  [[nodiscard]] std::unique_ptr<TlsSession> accept() const;

 private:
  TlsContext() = default;
  std::string certificate_file_, key_file_;
  ClientTrust trust_;  // ca_file empty: clients are asked for none
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace nightlatch
