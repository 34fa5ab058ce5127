// The credential that a client sends in Proxy-Authorization: name and password (Basic, RFC 7617) or a token
// (Bearer, RFC 6750). Only taken apart here, not checked. Bounded; no table and no branch of the decoding is
// chosen by a secret's byte. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nightlatch {

struct ProxyCredential {
  enum class Kind : std::uint8_t {
    none,      // there is no such field
    password,  // `name` and `secret`: UTF-8 without control characters, at most 64 and 1024 bytes
    token,     // `secret`: at most 1024 visible ASCII characters
    unusable,  // another scheme, malformed or too long: as good as a wrong one
  };
  Kind kind = Kind::none;
  std::string name;
  std::string secret;

  ProxyCredential() = default;
  ~ProxyCredential();  // wipes the secret
  ProxyCredential(ProxyCredential&&) noexcept = default;
  ProxyCredential& operator=(ProxyCredential&&) noexcept = default;
};

[[nodiscard]] ProxyCredential read_credential(std::string_view proxy_authorization);

}  // namespace nightlatch
