#include "auth/provider_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "auth/json_check.h"
#include "base/address.h"
#include "base/text.h"

namespace nightlatch {

namespace {
using Json = nlohmann::json;

constexpr std::string_view kScheme = "https://";

std::optional<Json> read_object(std::string_view text) {
  if (text.size() > kLargestMetadata || !is_strict_json_object(text)) return std::nullopt;
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

std::string text_of(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Whether a list has this word; `absent` when there is no such list.
bool lists(const Json& object, std::string_view name, std::string_view word, bool absent) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) return absent;
  return std::any_of(found->begin(), found->end(), [&](const Json& one) {
    return one.is_string() && one.get_ref<const std::string&>() == word;
  });
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && port > 0;
}

// A trailing dot is another host to a browser and to a certificate than to the DNS.
bool has_empty_label(std::string_view host) {
  return host.starts_with('.') || host.ends_with('.') || host.find("..") != std::string_view::npos;
}

struct Authority {
  std::string_view host, port;  // the host without brackets
};
// "login.example.com:8443", "[fd00::1]"
std::optional<Authority> read_authority(std::string_view text) {
  Authority out;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = text.substr(1, end - 1);
    if (!IpAddress::parse(out.host)) return std::nullopt;
    text.remove_prefix(end + 1);
  } else {
    out.host = text.substr(0, text.find(':'));
    const bool good = std::all_of(out.host.begin(), out.host.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '.';
    });
    if (out.host.empty() || out.host.size() > 253 || !good || has_empty_label(out.host)) return std::nullopt;
    text.remove_prefix(out.host.size());
  }
  if (text.empty()) return out;
  if (text.front() != ':' || !is_port(text.substr(1))) return std::nullopt;
  out.port = text.substr(1);
  return out;
}

std::string_view authority_of(std::string_view url) {
  const std::string_view rest = url.substr(kScheme.size());
  return rest.substr(0, rest.find_first_of("/?"));
}
}  // namespace

bool is_provider_url(std::string_view url) {
  if (!url.starts_with(kScheme) || url.size() > kLongestUrl) return false;
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
    return c > ' ' && c < '\x7f' && std::string_view("\"'\\<>^`{|}#").find(c) == std::string_view::npos;
  });
  return plain && read_authority(authority_of(url)).has_value();
}

std::string host_of_provider_url(std::string_view url) {
  const auto authority = read_authority(authority_of(url));
  return authority ? lower(authority->host) : std::string();
}

std::uint16_t port_of_provider_url(std::string_view url) {
  const auto authority = read_authority(authority_of(url));
  std::uint16_t port = 443;
  if (authority && !authority->port.empty()) {
    std::from_chars(authority->port.data(), authority->port.data() + authority->port.size(), port);
  }
  return port;
}

Status check_issuer(std::string_view issuer, std::string_view what) {
  if (is_provider_url(issuer) && issuer.find('?') == std::string_view::npos) return Done{};
  return Error::usage(fmt::format("{}: '{}' is not a provider's address", what, printable(issuer)),
                      "write it as the provider does, for example https://login.example.com or "
                      "https://sso.example.com/realms/office");
}

std::string discovery_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

std::string_view to_text(MetadataFault fault) {
  switch (fault) {
    case MetadataFault::wrong_issuer:
      return "discovery_wrong_issuer";
    case MetadataFault::bad_endpoint:
      return "discovery_bad_endpoint";
    case MetadataFault::no_code_flow:
      return "discovery_no_code_flow";
    case MetadataFault::malformed:
      break;
  }
  return "discovery_malformed";
}

std::variant<ProviderMetadata, MetadataFault> read_metadata(std::string_view json,
                                                            const std::string& issuer) {
  const auto object = read_object(json);
  if (!object) return MetadataFault::malformed;
  ProviderMetadata out;
  out.issuer = text_of(*object, "issuer");
  if (out.issuer != issuer) return MetadataFault::wrong_issuer;
  struct Wanted {
    const char* name;
    std::string* into;
    bool needed;
  };
  for (const Wanted& endpoint :
       {Wanted{"authorization_endpoint", &out.authorization_endpoint, true},
        Wanted{"token_endpoint", &out.token_endpoint, true}, Wanted{"jwks_uri", &out.jwks_uri, true},
        Wanted{"userinfo_endpoint", &out.userinfo_endpoint, false},
        Wanted{"end_session_endpoint", &out.end_session_endpoint, false}}) {
    if (!endpoint.needed && !object->contains(endpoint.name)) continue;
    *endpoint.into = text_of(*object, endpoint.name);
    if (endpoint.into->empty()) return MetadataFault::malformed;
    if (!is_provider_url(*endpoint.into)) return MetadataFault::bad_endpoint;
  }
  // Absent lists have the defaults of Discovery section 3.
  if (!lists(*object, "response_types_supported", "code", true) ||
      !lists(*object, "grant_types_supported", "authorization_code", true)) {
    return MetadataFault::no_code_flow;
  }
  constexpr const char* kAuthMethods = "token_endpoint_auth_methods_supported";
  out.secret_by_post = !lists(*object, kAuthMethods, "client_secret_basic", true) &&
                       lists(*object, kAuthMethods, "client_secret_post", false);
  const auto iss = object->find("authorization_response_iss_parameter_supported");
  out.says_iss = iss != object->end() && iss->is_boolean() && iss->get<bool>();
  out.does_pkce = lists(*object, "code_challenge_methods_supported", "S256", true);
  return out;
}

std::optional<TokenAnswer> read_token_answer(std::string_view json) {
  const auto object = read_object(json);
  if (!object) return std::nullopt;
  TokenAnswer out{text_of(*object, "id_token"), text_of(*object, "access_token")};
  const bool plain = std::all_of(out.access_token.begin(), out.access_token.end(),
                                 [](char c) { return c > ' ' && c < '\x7f'; });
  if (out.id_token.empty() || out.access_token.empty() || !plain ||
      lower(text_of(*object, "token_type")) != "bearer") {
    return std::nullopt;
  }
  return out;
}

std::string oauth_error(std::string_view word) {
  const bool plain = !word.empty() && word.size() <= 64 && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  return plain ? std::string(word) : "an error without a name";
}

std::string read_token_error(std::string_view json) {
  const auto object = read_object(json);
  return object ? oauth_error(text_of(*object, "error")) : "no JSON";
}

}  // namespace nightlatch
