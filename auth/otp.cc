#include "auth/otp.h"

#include <fmt/format.h>
#include <liboath/oath.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/crypto.h"

namespace nightlatch {

namespace {
constexpr std::size_t kSecretBytes = 20;

std::int64_t seconds(WallTime t) { return to_ms(t) / 1000; }

// As in a URI's path and query (RFC 3986 section 2.3).
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}
}  // namespace

std::string make_otp_secret() {
  std::array<unsigned char, kSecretBytes> raw{};
  random_bytes(raw);
  std::string secret(raw.begin(), raw.end());
  raw.fill(0);
  return secret;
}

Result<std::string> otp_code(std::string_view secret, WallTime at, int digits) {
  std::array<char, 16> code{};
  const std::int64_t s = seconds(at);
  const int rc = s < 0 || digits < 6 || digits > 8
                     ? OATH_INVALID_DIGITS
                     : oath_totp_generate(secret.data(), secret.size(), s, kOtpStepSeconds, 0,
                                          static_cast<unsigned>(digits), code.data());
  if (rc != OATH_OK) return Error::failure(fmt::format("one-time password: {}", oath_strerror(rc)));
  return std::string(code.data());
}

std::optional<std::int64_t> otp_step(std::string_view secret, std::string_view code, WallTime now,
                                     std::int64_t last_step) {
  std::string typed;
  for (const char c : code) {
    if (c != ' ' && typed.size() <= kOtpDigits) typed += c;
  }
  const std::int64_t step = seconds(now) / kOtpStepSeconds;
  std::optional<std::int64_t> found;
  for (std::int64_t s = step - 1; s <= step + 1; ++s) {
    auto right = otp_code(secret, WallTime(Seconds(s * kOtpStepSeconds)));
    if (!right) continue;
    if (equal_constant_time(*right, typed) && s > last_step) found = s;
  }
  return found;
}

std::string base32(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xffff;
    for (held += 8; held >= 5;) {
      held -= 5;
      out += alphabet[bits >> held & 31];
    }
  }
  if (held > 0) out += alphabet[bits << (5 - held) & 31];
  return out;
}

std::optional<std::string> from_base32(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == ' ') continue;
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a'
                      : c >= '2' && c <= '7' ? c - '2' + 26
                                             : -1;
    if (value < 0) return std::nullopt;
    bits = (bits << 5 | static_cast<std::uint32_t>(value)) & 0xfff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  return out;
}

std::string otp_uri(std::string_view secret, std::string_view issuer, std::string_view user) {
  return fmt::format("otpauth://totp/{0}:{1}?secret={2}&issuer={0}", escaped(issuer), escaped(user),
                     base32(secret));
}

}  // namespace nightlatch
