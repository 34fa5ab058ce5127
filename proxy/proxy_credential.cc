#include "proxy/proxy_credential.h"

#include <algorithm>
#include <optional>

#include "base/crypto.h"
#include "base/text.h"
#include "net/http_syntax.h"

namespace nightlatch {

namespace {

constexpr std::size_t kMostName = 64;
constexpr std::size_t kMostSecret = 1024;
constexpr std::size_t kMostField = 2048;

// Ones in the low 24 bits when low <= c <= high, else 0: without a branch or a table that the secret would
// choose.
unsigned within(unsigned c, unsigned low, unsigned high) { return ((low - 1 - c) & (c - high - 1)) >> 8; }

// The six bits of a base64 digit (RFC 4648 section 4), or 64 and more for any other character.
unsigned digit_of(char character) {
  const auto c = static_cast<unsigned char>(character);
  const unsigned upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z'), number = within(c, '0', '9');
  const unsigned plus = within(c, '+', '+'), slash = within(c, '/', '/');
  const unsigned none = ~(upper | lower | number | plus | slash);
  return (upper & (c - 'A')) | (lower & (c - 'a' + 26U)) | (number & (c - '0' + 52U)) | (plus & 62U) |
         (slash & 63U) | (none & 64U);
}

// With its padding, and with nothing in the bits that it leaves over: one text for each value.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  out.reserve(text.size());
  unsigned buffer = 0, bits = 0, wrong = 0;
  for (const char c : text) {
    const unsigned digit = digit_of(c);
    wrong |= digit & 64U;
    buffer = (buffer << 6 | (digit & 63U)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(buffer >> bits & 0xff);
  }
  wrong |= buffer & ((1U << bits) - 1);
  if (wrong == 0) return out;
  wipe(out);
  return std::nullopt;
}

// RFC 7617 section 2: the name ends at the first colon; neither part has control characters.
bool read_basic(std::string_view text, ProxyCredential& out) {
  auto pair = decode_base64(text);
  if (!pair) return false;
  const auto colon = pair->find(':');
  const bool good = colon != std::string::npos && colon > 0 && colon <= kMostName &&
                    pair->size() - colon - 1 <= kMostSecret && printable(*pair) == *pair;
  if (good) {
    out.name = pair->substr(0, colon);
    out.secret = pair->substr(colon + 1);
    out.kind = ProxyCredential::Kind::password;
  }
  wipe(*pair);
  return good;
}

// RFC 6750 section 2.1: b64token.
bool read_bearer(std::string_view text, ProxyCredential& out) {
  const std::string_view digits = text.substr(0, text.find_last_not_of('=') + 1);
  const bool good =
      text.size() <= kMostSecret && !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) {
        return (digit_of(c) & 64U) == 0 || c == '-' || c == '.' || c == '_' || c == '~';
      });
  if (!good) return false;
  out.secret = text;
  out.kind = ProxyCredential::Kind::token;
  return true;
}

}  // namespace

ProxyCredential::~ProxyCredential() { wipe(secret); }

ProxyCredential read_credential(std::string_view proxy_authorization) {
  ProxyCredential out;
  if (proxy_authorization.empty()) return out;
  out.kind = ProxyCredential::Kind::unusable;
  if (proxy_authorization.size() > kMostField) return out;
  const auto blank = proxy_authorization.find(' ');
  if (blank == std::string_view::npos) return out;
  const std::string_view scheme = proxy_authorization.substr(0, blank);
  const std::string_view rest = trim_blanks(proxy_authorization.substr(blank));
  if (same_name(scheme, "Basic")) (void)read_basic(rest, out);
  if (same_name(scheme, "Bearer")) (void)read_bearer(rest, out);
  return out;
}

}  // namespace nightlatch
