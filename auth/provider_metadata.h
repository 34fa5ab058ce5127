// What an OpenID provider says of itself: its discovery document (OpenID Connect Discovery 1.0 section 3, RFC
// 8414), and the answer of its token endpoint (RFC 6749 section 5). Pure: bytes in, values out; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace nightlatch {

inline constexpr std::size_t kLargestMetadata = std::size_t{256} * 1024;  // bytes
inline constexpr std::size_t kLongestUrl = 2048;

// An address that a provider may have: https, a host, perhaps a port and a path; no user, no fragment, and
// nothing that a program could read in another way than a browser does.
[[nodiscard]] bool is_provider_url(std::string_view url);
// Its host, without brackets: "login.example.com", "fd00::1". Of an is_provider_url() only.
[[nodiscard]] std::string host_of_provider_url(std::string_view url);
[[nodiscard]] std::uint16_t port_of_provider_url(std::string_view url);

// An issuer as an admin gives it: an is_provider_url() without a query (Discovery section 3).
[[nodiscard]] Status check_issuer(std::string_view issuer, std::string_view what);
// Where its discovery document is (Discovery section 4).
[[nodiscard]] std::string discovery_url(std::string_view issuer);

struct ProviderMetadata {
  std::string issuer;
  std::string authorization_endpoint, token_endpoint, jwks_uri;
  std::string userinfo_endpoint, end_session_endpoint;  // empty: it has none
  bool secret_by_post = false;  // client_secret_post; else client_secret_basic (RFC 6749 section 2.3.1)
  bool says_iss = false;        // answers carry `iss` (RFC 9207 section 3)
  bool does_pkce = true;        // S256; false only when it lists its methods and this is not one of them
};

enum class MetadataFault : std::uint8_t {
  malformed,     // no JSON object, too large, or something needed is missing
  wrong_issuer,  // it is another provider's: the issuer must be the very same text
  bad_endpoint,  // an address that is not https, or none
  no_code_flow,  // it does not do the authorization code flow
};
[[nodiscard]] std::string_view to_text(MetadataFault fault);  // "discovery_wrong_issuer": for the audit log
[[nodiscard]] std::variant<ProviderMetadata, MetadataFault> read_metadata(std::string_view json,
                                                                          const std::string& issuer);

struct TokenAnswer {
  std::string id_token, access_token;  // the second one is a secret: wipe it (base/crypto.h)
};
// nullopt: not what section 5.1 says, with an ID token.
[[nodiscard]] std::optional<TokenAnswer> read_token_answer(std::string_view json);
// The `error` of section 5.2, or of an authorization response, when it is a word that may be logged.
[[nodiscard]] std::string oauth_error(std::string_view word);
[[nodiscard]] std::string read_token_error(std::string_view json);

}  // namespace nightlatch
