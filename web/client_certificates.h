// ClientCertificates: the portal's listener where devices show client certificates (setting portal.mtls),
// with the files that say which ones are good: they are looked at every second, and read again when they
// change. Owned by the portal; loop's thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/revocation_list.h"
#include "base/fd.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "web/portal_config.h"
#include "web/site.h"
#include "web/store_writer.h"

namespace nightlatch {

class ClientCertificates {
 public:
  // Binds, and makes our own device CA when it is needed and not there: with root's rights. nullptr when the
  // setting is empty.
  static Result<std::unique_ptr<ClientCertificates>> open(const std::string& store_path,
                                                          const PortalConfig& config);
  void serve(Loop& loop, HttpServer& server, Site& site, StoreWriter& writer, AuditWriter& audit);

 private:
  using Stamp = std::pair<std::int64_t, std::int64_t>;
  explicit ClientCertificates(const PortalConfig& config) : config_(config) {}
  [[nodiscard]] std::vector<Stamp> stamps() const;
  void look(StoreWriter& writer, AuditWriter& audit);
  void withdraw(StoreWriter& writer, AuditWriter& audit);

  PortalConfig config_;
  std::shared_ptr<TlsContext> tls_;
  std::vector<Fd> sockets_;
  std::vector<Stamp> seen_;
  std::unique_ptr<Timer> watch_;
  bool withdrawn_ = false;  // what the list says has been done
};

}  // namespace nightlatch
