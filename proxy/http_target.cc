#include "proxy/http_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/address.h"
#include "base/text.h"
#include "net/http_syntax.h"

namespace nightlatch {

namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// RFC 1123 section 2.1, and the underscore that offices use.
bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// A name whose last label is a number is an IPv4 address to inet_aton(), in one of its many forms.
bool is_name(std::string_view name) {
  if (name.size() > 253) return false;
  const auto labels = split(name, '.');
  if (!std::all_of(labels.begin(), labels.end(), is_label)) return false;
  return !all_digits(labels.back()) && !labels.back().starts_with("0x");
}

std::optional<std::string> parse_host(std::string_view text) {
  if (text.starts_with('[')) {
    const auto address = IpAddress::parse(text.substr(1, text.size() - 2));
    if (!text.ends_with(']') || !address || text.find(':') == std::string_view::npos) return std::nullopt;
    return address->text();
  }
  if (text.find(':') != std::string_view::npos) return std::nullopt;
  if (const auto address = IpAddress::parse(text)) return address->text();
  std::string name = lower(text);
  if (name.ends_with('.')) name.pop_back();
  if (!is_name(name)) return std::nullopt;
  return name;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text, std::uint16_t default_port) {
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && !text.ends_with(']');
  const auto port = has_port ? parse_port(text.substr(colon + 1)) : std::optional(default_port);
  const auto host = parse_host(has_port ? text.substr(0, colon) : text);
  if (!host || !port || *port == 0) return std::nullopt;
  return Authority{*host, *port};
}

std::string to_text(const Authority& a, std::uint16_t default_port) {
  const bool bracketed = a.host.find(':') != std::string::npos;
  const std::string host = bracketed ? fmt::format("[{}]", a.host) : a.host;
  return a.port == default_port ? host : fmt::format("{}:{}", host, a.port);
}

TargetFault parse_absolute(std::string_view text, AbsoluteTarget& out) {
  const bool visible = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!visible || text.find('#') != std::string_view::npos) return TargetFault::malformed;
  if (text == "*" || text.starts_with('/')) return TargetFault::not_absolute;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return TargetFault::malformed;
  if (!same_name(text.substr(0, scheme_end), "http")) return TargetFault::not_http;
  text.remove_prefix(scheme_end + 3);
  const auto path = std::min(text.find_first_of("/?"), text.size());
  auto authority = parse_authority(text.substr(0, path), 80);
  if (!authority) return TargetFault::malformed;
  out.authority = std::move(*authority);
  out.origin = text.substr(path);
  if (out.origin.starts_with('?')) out.origin.insert(0, 1, '/');
  return TargetFault::none;
}

}  // namespace nightlatch
