#include "proxy/http_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/text.h"

namespace nightlatch {

namespace {

// Of one hop whether or not Connection names them: RFC 9110 sections 7.6.1, 11.7 and 10.1.4, RFC 9112
// section 6.1, and two that were never in a standard but are sent (Proxy-Connection; HTTP2-Settings of h2c).
constexpr std::array<std::string_view, 12> kOfOneHop{
    "Connection", "Proxy-Connection",   "Keep-Alive",          "TE",
    "Trailer",    "Transfer-Encoding",  "Proxy-Authorization", "Proxy-Authentication-Info",
    "Upgrade",    "Proxy-Authenticate", "HTTP2-Settings",      "Content-Length"};

constexpr std::size_t kMostOptions = 32;  // each is compared with every field

// RFC 9110 section 8.6: digits, no list, no sign.
std::optional<HttpFraming> length_framing(std::string_view value) {
  HttpFraming framing{HttpFraming::Kind::length, 0};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), framing.length);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return framing;
}

bool is_welcome_protocol(std::string_view element) {  // "name" or "name/version"
  const std::string_view protocol = trim_blanks(element);
  const auto slash = std::min(protocol.find('/'), protocol.size());
  const std::string_view name = protocol.substr(0, slash);
  const bool versioned = slash < protocol.size();
  return is_token(name) && (!versioned || is_token(protocol.substr(slash + 1))) && !same_name(name, "h2c");
}

}  // namespace

std::size_t count_fields(const HttpFields& fields, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(),
                                                [&](const HttpField& f) { return same_name(f.name, name); }));
}

std::string_view find_field(const HttpFields& fields, std::string_view name) {
  const auto at =
      std::find_if(fields.begin(), fields.end(), [&](const HttpField& f) { return same_name(f.name, name); });
  return at == fields.end() ? std::string_view() : at->value;
}

std::optional<HttpFraming> declared_framing(const HttpHead& head) {
  const auto lengths = count_fields(head.fields, "Content-Length");
  const auto encodings = count_fields(head.fields, "Transfer-Encoding");
  if (lengths + encodings == 0) return HttpFraming{};
  if (lengths + encodings > 1) return std::nullopt;
  if (lengths == 1) return length_framing(find_field(head.fields, "Content-Length"));
  const bool chunked = same_name(find_field(head.fields, "Transfer-Encoding"), "chunked");
  if (!chunked || head.minor == 0) return std::nullopt;  // RFC 9112 section 6.1: not in HTTP/1.0
  return HttpFraming{HttpFraming::Kind::chunked, 0};
}

std::optional<ConnectionOptions> ConnectionOptions::parse(const HttpFields& fields) {
  ConnectionOptions out;
  for (const HttpField& field : fields) {
    if (!same_name(field.name, "Connection")) continue;
    for (const std::string_view element : split(field.value, ',')) {
      const std::string_view option = trim_blanks(element);
      if (option.empty()) continue;  // RFC 9110 section 5.6.1.2
      if (!is_token(option) || out.options_.size() == kMostOptions) return std::nullopt;
      out.options_.emplace_back(option);
    }
  }
  return out;
}

bool ConnectionOptions::has(std::string_view option) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const std::string& o) { return same_name(o, option); });
}

std::string wanted_upgrade(const HttpHead& head, const ConnectionOptions& options) {
  if (head.minor == 0 || !options.has("upgrade") || count_fields(head.fields, "Upgrade") != 1) return {};
  const std::string_view protocols = find_field(head.fields, "Upgrade");
  const auto elements = split(protocols, ',');
  return std::all_of(elements.begin(), elements.end(), is_welcome_protocol) ? std::string(protocols)
                                                                            : std::string();
}

void keep_end_to_end(HttpFields& fields, const ConnectionOptions& options) {
  std::erase_if(fields, [&](const HttpField& field) {
    return options.has(field.name) || std::any_of(kOfOneHop.begin(), kOfOneHop.end(),
                                                  [&](auto name) { return same_name(name, field.name); });
  });
}

void write_field(std::string& out, std::string_view name, std::string_view value) {
  fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
}

void write_fields(std::string& out, const HttpFields& fields) {
  for (const HttpField& field : fields) write_field(out, field.name, field.value);
}

void write_framing(std::string& out, const HttpFraming& framing) {
  if (framing.kind == HttpFraming::Kind::chunked) write_field(out, "Transfer-Encoding", "chunked");
  if (framing.kind == HttpFraming::Kind::length)
    write_field(out, "Content-Length", std::to_string(framing.length));
}

void write_via(std::string& out, int received_minor) {
  write_field(out, "Via", fmt::format("1.{} nightlatch", received_minor));
}

void write_upgrade(std::string& out, std::string_view protocols) {
  write_field(out, "Connection", "upgrade");
  write_field(out, "Upgrade", protocols);
}

}  // namespace nightlatch
