#include "policy/host_address.h"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace nightlatch {

namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();

bool is_hex(std::string_view text) { return text.starts_with("0x") || text.starts_with("0X"); }

unsigned digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return 16;  // of no base
}

// One number of an address: 0x for hexadecimal (a bare 0x is 0 to browsers), 0 for octal, else decimal.
std::optional<std::uint64_t> number(std::string_view text) {
  const bool hex = is_hex(text);
  const unsigned base = hex ? 16 : text.size() > 1 && text[0] == '0' ? 8 : 10;
  if (text.empty()) return std::nullopt;
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  for (const char c : text) {
    const unsigned d = digit(c);
    if (d >= base) return std::nullopt;
    value = value * base + d;
    if (value > kMost) return std::nullopt;
  }
  return value;
}

// One to four numbers: all but the last are a byte each, and the last fills what is left.
std::optional<IpAddress> ipv4_in(std::string_view text) {
  std::uint64_t high = 0;
  for (unsigned taken = 0; taken < 4; ++taken) {
    const auto dot = text.find('.');
    const auto n = number(text.substr(0, dot));
    if (!n) return std::nullopt;
    if (dot == std::string_view::npos) {
      const unsigned left = 32 - 8 * taken;
      if (*n >> left != 0) return std::nullopt;
      return IpAddress::v4(static_cast<std::uint32_t>(high << left | *n));
    }
    if (*n > 0xff) return std::nullopt;
    high = high << 8 | *n;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> address_in(std::string_view text) {
  text = text.substr(0, text.find_first_of(" \t\n\v\f\r"));
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (text.find(':') == std::string_view::npos) return ipv4_in(text);
  return IpAddress::parse(text.substr(0, text.find('%')));
}

bool ends_in_number(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  const auto dot = name.rfind('.');
  std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  const bool hex = is_hex(last);
  if (hex) last.remove_prefix(2);
  for (const char c : last) {
    if (digit(c) >= (hex ? 16U : 10U)) return false;
  }
  return hex || !last.empty();
}

}  // namespace nightlatch
