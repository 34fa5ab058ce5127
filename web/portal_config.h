// PortalConfig: where the portal listens, by which name it goes and with which certificate, from the store's
// settings. A plain value; the portal starts afresh when it would come out otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "store/database.h"

namespace nightlatch {

struct PortalConfig {
  std::string url;   // "https://gate.office.example", "https://10.0.0.1:8443": without a slash at the end
  std::string host;  // "gate.office.example", "10.0.0.1", "fd00::1": what the certificate is for
  std::vector<Endpoint> http, https;
  std::vector<std::string> lan;   // interfaces; empty: all
  std::string certificate, key;   // files
  bool office_ca = true;          // they are the office CA's
  std::vector<Endpoint> mtls;     // where devices show client certificates; empty: nowhere
  std::string mtls_ca, mtls_crl;  // files: of whom they are
  bool device_ca = true;          // of our own device CA

  bool operator==(const PortalConfig&) const = default;
};

// Every wrong setting is in the error's message.
[[nodiscard]] Result<PortalConfig> load_portal_config(Database& db);
// "https://Gate.Example:8443/" -> "gate.example"; nullopt when it is not an https address without a path.
[[nodiscard]] std::optional<std::string> host_of_url(std::string_view url);

}  // namespace nightlatch
