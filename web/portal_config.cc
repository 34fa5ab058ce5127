#include "web/portal_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/device_ca.h"
#include "auth/office_ca.h"
#include "base/text.h"
#include "net/interfaces.h"
#include "store/access.h"

namespace nightlatch {

namespace {
Result<std::vector<Endpoint>> endpoints(Database& db, const char* key, const std::vector<std::string>& lan,
                                        std::uint16_t port) {
  auto text = get_setting(db, key);
  if (!text) return text.error();
  std::vector<Endpoint> out;
  if (trim(*text).empty()) {
    for (const IpAddress& address : addresses_of(lan)) out.push_back({address, port});
    if (out.empty()) {
      return Error::invalid(
          fmt::format("{} is not set, and {} no address", key,
                      lan.empty() ? "no interface has an" : "the LAN's interfaces have"),
          fmt::format("give the interface its address, or: nightlatch set {} ADDRESS:{}", key, port));
    }
    return out;
  }
  for (const std::string_view part : split(*text, ',')) {
    const auto endpoint = Endpoint::parse(trim(part));
    if (!endpoint) {
      return Error::invalid(fmt::format("{}: '{}' is not an address with a port", key, printable(trim(part))),
                            "for example 10.0.0.1:443, [fd00::1]:443");
    }
    out.push_back(*endpoint);
  }
  return out;
}
}  // namespace

std::optional<std::string> host_of_url(std::string_view url) {
  const std::string low = lower(trim(url));
  if (!low.starts_with("https://")) return std::nullopt;
  std::string_view rest = std::string_view(low).substr(8);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos) return std::nullopt;
  if (rest.front() == '[') {
    const auto end = rest.find(']');
    if (end == std::string_view::npos || !IpAddress::parse(rest.substr(1, end - 1))) return std::nullopt;
    const std::string_view port = rest.substr(end + 1);
    if (!port.empty() && (port[0] != ':' || !parse_port(port.substr(1)))) return std::nullopt;
    return std::string(rest.substr(1, end - 1));
  }
  const auto colon = rest.find(':');
  if (colon != std::string_view::npos && !parse_port(rest.substr(colon + 1))) return std::nullopt;
  if (colon == 0) return std::nullopt;
  return std::string(rest.substr(0, colon));
}

Result<PortalConfig> load_portal_config(Database& db) {
  PortalConfig config;
  auto lan = get_setting(db, "lan");
  if (!lan) return lan.error();
  for (const std::string_view name : split(*lan, ',')) {
    if (!trim(name).empty()) config.lan.emplace_back(trim(name));
  }
  auto https = endpoints(db, "portal.https", config.lan, 443);
  if (!https) return https.error();
  auto http = endpoints(db, "portal.http", config.lan, 80);
  if (!http) return http.error();
  config.https = std::move(*https);
  config.http = std::move(*http);

  auto url = get_setting(db, "portal.url");
  if (!url) return url.error();
  config.url = lower(trim(*url));
  if (config.url.empty()) {
    // No name was given: the first address is the name.
    const Endpoint& first = config.https.front();
    std::string authority = first.text();
    if (first.port == 443) authority.resize(authority.size() - 4);
    config.url = "https://" + authority;
  }
  while (config.url.ends_with('/')) config.url.pop_back();
  const auto host = host_of_url(config.url);
  if (!host) {
    return Error::invalid(
        fmt::format("portal.url: '{}' is not an https address without a path", printable(config.url)),
        "for example https://gate.office.example");
  }
  config.host = *host;

  auto certificate = get_setting(db, "portal.certificate");
  auto key = get_setting(db, "portal.key");
  if (!certificate) return certificate.error();
  if (!key) return key.error();
  if (certificate->empty() != key->empty()) {
    return Error::invalid("portal.certificate and portal.key belong together, and one of them is not set");
  }
  config.office_ca = certificate->empty();
  const TlsPaths paths = tls_paths(db.path());
  config.certificate = config.office_ca ? paths.certificate : *certificate;
  config.key = config.office_ca ? paths.key : *key;

  auto mtls = get_setting(db, "portal.mtls");
  if (!mtls) return mtls.error();
  if (!trim(*mtls).empty()) {
    auto where = endpoints(db, "portal.mtls", config.lan, 8444);
    if (!where) return where.error();
    config.mtls = std::move(*where);
  }
  auto ca = get_setting(db, "mtls.ca");
  auto crl = get_setting(db, "mtls.crl");
  if (!ca) return ca.error();
  if (!crl) return crl.error();
  config.device_ca = ca->empty();
  if (config.device_ca && !crl->empty()) {
    return Error::invalid("mtls.crl is set, but mtls.ca is not",
                          "our own CA's certificates are revoked by: nightlatch cert revoke NAME");
  }
  config.mtls_ca = config.device_ca ? device_ca_paths(db.path()).certificate : *ca;
  config.mtls_crl = *crl;
  return config;
}

}  // namespace nightlatch
