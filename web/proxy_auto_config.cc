#include "web/proxy_auto_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <iterator>

#include "base/text.h"
#include "web/assets.h"

namespace nightlatch {

namespace {
constexpr std::uint16_t kHttpPort = 3128;  // what the settings' "lan" means, as the gate has it
constexpr std::uint16_t kSocksPort = 1080;

// One line of a table. Sorted by what is matched, then by ports.
template <typename T>
struct Line {
  T what;
  std::uint16_t first, last;
  auto operator<=>(const Line&) const = default;
};

template <typename T>
void sort_once(std::vector<Line<T>>& lines) {
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
}

// The portal's name as it may stand in a list of proxies, where a semicolon would begin another; "" if it may
// not. The host of portal.url is whatever stood there.
std::string plain_host(const std::string& host) {
  if (const auto address = IpAddress::parse(host)) return address->text();
  const auto name = HostName::parse(host, "portal.url");
  return name ? name->text() : std::string();
}

// Where browsers find the proxy whose setting this is: by the portal's name, which they know already, unless
// the admin chose the addresses. "": nowhere.
std::string place(std::string_view listen, const std::string& host, std::uint16_t port) {
  if (trim(listen).empty()) return {};
  if (listen != "lan") {
    const auto first = Endpoint::parse(trim(split(listen, ',').front()));
    if (!first) return {};
    if (!first->address.is_unspecified()) return first->text();
    port = first->port;
  }
  if (host.empty()) return {};
  return fmt::format("{}:{}", host.find(':') == std::string::npos ? host : "[" + host + "]", port);
}

// Never with DIRECT at the end: a gate that does not answer is no reason to go round it.
std::string proxies(const ProxyPlaces& places, const std::string& host) {
  const std::string http = place(places.http_listen, host, kHttpPort);
  const std::string socks = place(places.socks_listen, host, kSocksPort);
  std::string out;
  if (!http.empty()) out = "PROXY " + http;
  if (!socks.empty()) {
    // Some programs know only one of the two words.
    out += fmt::format("{}SOCKS5 {}; SOCKS {}", out.empty() ? "" : "; ", socks, socks);
  }
  return out;
}

void append_table(std::string& out, std::string_view name, const std::vector<std::string>& lines) {
  fmt::format_to(std::back_inserter(out), "var {} = [", name);
  // No comma behind the last: old engines would see one more element.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}\n  [{}]", i > 0 ? "," : "", lines[i]);
  }
  out += lines.empty() ? "];\n" : "\n];\n";
}
}  // namespace

std::string script_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c < ' ' || c > '~' || c == '"' || c == '\\') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string proxy_auto_config(const std::vector<Resource>& resources, const ProxyPlaces& places) {
  const std::string host = plain_host(places.portal_host);
  const std::string proxy = proxies(places, host);
  if (proxy.empty()) {
    return "// This office has no proxy.\nfunction FindProxyForURL(url, host) { return \"DIRECT\"; }\n";
  }
  std::vector<Line<std::string_view>> hosts;
  std::vector<Line<Prefix>> prefixes;
  for (const Resource& resource : resources) {
    for (const Target& target : resource.targets) {
      if (target.protocol != Protocol::tcp) continue;
      if (target.host) {
        hosts.push_back({target.host->key(), target.ports.first, target.ports.last});
      } else {
        prefixes.push_back({target.prefix, target.ports.first, target.ports.last});
      }
    }
  }
  sort_once(hosts);
  sort_once(prefixes);

  std::string out = "// Made by nightlatch from the office's resources as they are now.\n";
  fmt::format_to(std::back_inserter(out), "var nightlatchPortal = {};\nvar nightlatchProxies = {};\n",
                 script_string(host), script_string(proxy));
  std::vector<std::string> lines;
  lines.reserve(std::max(hosts.size(), prefixes.size()));
  for (const auto& line : hosts) {
    lines.push_back(fmt::format("{}, {}, {}", script_string(line.what), line.first, line.last));
  }
  append_table(out, "nightlatchHosts", lines);
  lines.clear();
  for (const auto& line : prefixes) {
    lines.push_back(fmt::format("{}, {}, {}, {}", script_string(line.what.address.text()), line.what.bits,
                                line.first, line.last));
  }
  append_table(out, "nightlatchPrefixes", lines);
  out += '\n';
  out += assets::proxy_auto_config_js;
  return out;
}

}  // namespace nightlatch
