#include "cli/office_url.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <memory>

#include "base/text.h"

namespace nightlatch::cli {

namespace {

// RFC 1123 section 2.1: labels of letters, digits and hyphens, no hyphen at an end.
bool is_dns_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (const std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (lower(label).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
      return false;
  }
  return true;
}

}  // namespace

Result<std::string> check_host(const std::string& host, const std::string& what) {
  std::string bare = host;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
  if (const auto address = IpAddress::parse(bare)) return address->text();
  // Only digits and dots are a mistyped address, not a name.
  const bool digits = bare.find_first_not_of("0123456789.") == std::string::npos;
  if (!digits && bare == host && is_dns_name(host)) return lower(host);
  return Error::usage(fmt::format("{}: '{}' is not a host name or an address", what, printable(host)),
                      "for example gate.office.example or 10.77.0.1; without https:// and without a port");
}

std::string portal_url(const std::string& host) {
  const auto address = IpAddress::parse(host);
  return address && !address->is_v4() ? "https://[" + host + "]" : "https://" + host;
}

std::string host_of(const std::string& url) {
  const auto scheme = url.find("://");
  std::string host = scheme == std::string::npos ? url : url.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  if (host.starts_with("[")) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

std::optional<IpAddress> first_address(const std::string& interface) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::optional<IpAddress> v6;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || interface != entry->ifa_name) continue;
    const auto endpoint = Endpoint::from_sockaddr(entry->ifa_addr);
    if (!endpoint || endpoint->address.is_link_local()) continue;
    if (endpoint->address.is_v4()) return endpoint->address;
    if (!v6) v6 = endpoint->address;
  }
  return v6;
}

}  // namespace nightlatch::cli
