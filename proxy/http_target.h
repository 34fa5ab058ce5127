// Where a proxy request wants to go, read from its target: RFC 9112 section 3.2, RFC 3986 section 3.2.
// Strict, so that the name that is judged is the one that is connected to. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nightlatch {

struct Authority {
  std::string
      host;  // a name in lower case without a final dot, or an address in its canonical text, no brackets
  std::uint16_t port = 0;
  bool operator==(const Authority&) const = default;
};

// "wiki.lan:8080", "10.0.0.7", "[2001:db8::1]:80". A `default_port` of 0 means that the port must be there.
// No userinfo, no zone, no escapes; a name that some resolvers would take for an IPv4 address ("127.1",
// "0x7f000001") is refused.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text, std::uint16_t default_port);
[[nodiscard]] std::string to_text(const Authority& a, std::uint16_t default_port);  // as a Host field has it

struct AbsoluteTarget {
  Authority authority;
  std::string origin;  // what an origin server is asked for: "/path?query"; "" when there is neither
};
enum class TargetFault : std::uint8_t { none, not_absolute, not_http, malformed };
// "http://wiki.lan/a?b". The scheme is http in any case; no fragment.
[[nodiscard]] TargetFault parse_absolute(std::string_view text, AbsoluteTarget& out);

}  // namespace nightlatch
