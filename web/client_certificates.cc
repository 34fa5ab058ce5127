#include "web/client_certificates.h"

#include <sys/stat.h>

#include "auth/device_ca.h"
#include "base/log.h"
#include "net/stream.h"

namespace nightlatch {

namespace {
constexpr Millis kLook{1'000};
}

Result<std::unique_ptr<ClientCertificates>> ClientCertificates::open(const std::string& store_path,
                                                                     const PortalConfig& config) {
  if (config.mtls.empty()) return std::unique_ptr<ClientCertificates>();
  if (config.device_ca) {
    // Without the right to the CA's key, the certificate that is there will do.
    const Status made = ensure_device_ca(store_path, wall_now());
    struct stat s{};
    if (!made && ::stat(config.mtls_ca.c_str(), &s) != 0) return made.error();
  }
  std::unique_ptr<ClientCertificates> opened(new ClientCertificates(config));  // NOLINT: private
  auto tls = TlsContext::load(config.certificate, config.key, {config.mtls_ca, config.mtls_crl});
  if (!tls) return tls.error();
  opened->tls_ = std::move(*tls);
  for (const Endpoint& at : config.mtls) {
    auto fd = listen_tcp(at);
    if (!fd) return fd.error();
    opened->sockets_.push_back(std::move(*fd));
  }
  return opened;
}

void ClientCertificates::serve(Loop& loop, HttpServer& server, Site& site, StoreWriter& writer,
                               AuditWriter& audit) {
  for (Fd& fd : std::exchange(sockets_, {})) {
    server.serve(std::move(fd), tls_, [&site](HttpRequest request, const HttpResponder& responder) {
      site.mtls(std::move(request), responder);
    });
  }
  server.on_refused_client(
      [&site](const Endpoint& peer, std::string_view why) { site.refused_certificate(peer, why); });
  site.take_certificates({config_.device_ca, config_.mtls_crl});
  seen_ = stamps();
  withdraw(writer, audit);
  watch_ = std::make_unique<Timer>(loop, [this, &writer, &audit] { look(writer, audit); });
  watch_->every(kLook);
}

std::vector<ClientCertificates::Stamp> ClientCertificates::stamps() const {
  std::vector<Stamp> out;
  for (const std::string& path : {config_.certificate, config_.key, config_.mtls_ca, config_.mtls_crl}) {
    struct stat s{};
    if (!path.empty() && ::stat(path.c_str(), &s) == 0) out.emplace_back(s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  }
  return out;
}

void ClientCertificates::look(StoreWriter& writer, AuditWriter& audit) {
  if (const auto now = stamps(); now != seen_) {
    seen_ = now;
    withdrawn_ = false;
    if (const Status loaded = tls_->reload(); !loaded) {
      log_error("client certificates: {}; what was read before stays in use", loaded.error().message);
    } else {
      log_info("client certificates: the files were read again");
    }
  }
  if (!withdrawn_) withdraw(writer, audit);
}

// Ends what was proven by certificates that are no longer good.
void ClientCertificates::withdraw(StoreWriter& writer, AuditWriter& audit) {
  withdrawn_ = writer.post([&audit, trust = CertificateTrust{config_.device_ca, config_.mtls_crl}](
                               Database& db, WallTime now) { return withdraw_proofs(db, audit, trust, now); },
                           [this](const Status& done) {
                             if (done) return;
                             log_warning("client certificates: {}", done.error().message);
                             withdrawn_ = done.error().kind ==
                                          ErrorKind::invalid;  // the list is no better in a second
                           });
}

}  // namespace nightlatch
