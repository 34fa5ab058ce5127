// Host names in their canonical form: what an admin writes in a resource, and what a connection carries. Two
// names are the same host if and only if their canonical texts are equal: lower case, no dot at the end,
// A-labels (IDNA2008), labels of 1 to 63 characters, 253 in all, and never something that a program could
// take for an address (policy/host_address.h). Plain values; pure; any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace nightlatch {

inline constexpr std::size_t kLongestHostName = 253;  // RFC 1035 section 2.3.4: 255 bytes on the wire
inline constexpr std::size_t kLongestLabel = 63;

// A host name as a person writes it. Labels hold letters, digits, and inside them hyphens and underscores
// (RFC 1123 section 2.1, and the underscores that offices have). Errors name `what` and say what would be
// right.
class HostName {
 public:
  [[nodiscard]] static Result<HostName> parse(std::string_view text, std::string_view what);

  [[nodiscard]] const std::string& text() const { return text_; }
  auto operator<=>(const HostName&) const = default;

 private:
  explicit HostName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// The hosts that a resource names: one host, or with "*." every host below a domain. The wildcard stands for
// one or more whole labels: "*.corp.example" holds wiki.corp.example and a.b.corp.example, but not
// corp.example itself.
class HostPattern {
 public:
  // As a person writes it. A wildcard over a public suffix (*.com, *.co.uk) is refused: it would hold
  // strangers' hosts.
  [[nodiscard]] static Result<HostPattern> parse(std::string_view text, std::string_view what);
  // As text() wrote it, from the store. The list of public suffixes is not asked again: it grows, and what
  // was accepted once must not turn into a damaged store.
  [[nodiscard]] static Result<HostPattern> from_stored(std::string_view text, std::string_view what);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool wildcard() const { return text_.starts_with('*'); }
  // What an index compares: the name, or for a wildcard the domain with its leading dot, ".corp.example".
  [[nodiscard]] std::string_view key() const { return std::string_view(text_).substr(wildcard() ? 1 : 0); }
  [[nodiscard]] bool matches(std::string_view canonical) const noexcept;
  auto operator<=>(const HostPattern&) const = default;

 private:
  explicit HostPattern(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A host name as a connection carries it (SNI, Host, SOCKS, DNS): ASCII only, in a buffer of its own, no
// allocation. Letters, digits, hyphens and underscores may stand anywhere in a label, because the DNS has
// such names and what the DNS answers must be judged. A name that this refuses is no name to be judged; it
// must not pass for "no name given".
class WireName {
 public:
  WireName() = default;  // "": none
  [[nodiscard]] static std::optional<WireName> read(std::string_view bytes) noexcept;

  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }
  bool operator==(const WireName& other) const noexcept { return text() == other.text(); }

 private:
  std::array<char, kLongestHostName> text_{};
  std::uint8_t size_ = 0;
};

}  // namespace nightlatch
