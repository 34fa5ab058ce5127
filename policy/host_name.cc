#include "policy/host_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "policy/host_address.h"
#include "policy/idna.h"
#include "policy/public_suffix.h"

namespace nightlatch {

namespace {

constexpr std::size_t kLongestText = 1000;  // bytes: 253 characters of any script

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_joiner(char c) { return c == '-' || c == '_'; }

Error bad_name(std::string_view text, std::string_view what, std::string_view why, std::string hint = {}) {
  const std::string shown = text.size() > kLongestHostName ? "(too long)" : printable(text);
  return Error::usage(fmt::format("{}: '{}': {}", what, shown, why),
                      hint.empty() ? "a host name looks like wiki.lan, or *.corp.example for every host below"
                                   : std::move(hint));
}

// Why a label is not one, or "".
std::string_view label_fault(std::string_view label) {
  if (label.empty()) return "a part between the dots is empty";
  if (label.size() > kLongestLabel) return "a part between the dots has more than 63 characters";
  if (label.find('*') != std::string_view::npos)
    return "a wildcard is the whole first part, as in *.corp.example";
  if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || is_joiner(c); }))
    return "a host name has letters, digits, hyphens and dots";
  if (is_joiner(label.front()) || is_joiner(label.back()))
    return "a part between the dots begins and ends with a letter or a digit";
  return {};
}

// Why a name in lower case and A-labels is not a host name, or "".
std::string_view name_fault(std::string_view name) {
  if (name.empty()) return "the host name is empty";
  if (name.size() > kLongestHostName) return "a host name has at most 253 characters";
  for (std::string_view rest = name;;) {
    const auto dot = rest.find('.');
    if (const auto fault = label_fault(rest.substr(0, dot)); !fault.empty()) return fault;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return ends_in_number(name) ? "its last part is a number, as in an address" : std::string_view();
}

// The canonical form of what a person wrote; `shown` is the whole of it, for the error.
Result<std::string> canonical(std::string_view text, std::string_view shown, std::string_view what) {
  if (text.size() > kLongestText) return bad_name(shown, what, "a host name has at most 253 characters");
  std::string name = lower(text);
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return (c & 0x80) == 0; });
  if (!ascii || name.starts_with("xn--") || name.find(".xn--") != std::string::npos) {
    auto mapped = to_a_labels(name);
    if (!mapped) return bad_name(shown, what, mapped.error().message);
    name = lower(*mapped);
  }
  if (name.ends_with('.')) name.pop_back();
  // After the mapping: the digits of other scripts become ours.
  if (const auto address = address_in(name)) {
    return bad_name(shown, what, fmt::format("this is the address {}, not a host name", address->text()),
                    "name a host such as wiki.lan, or write the address itself");
  }
  if (const auto fault = name_fault(name); !fault.empty()) return bad_name(shown, what, fault);
  return name;
}

}  // namespace

Result<HostName> HostName::parse(std::string_view text, std::string_view what) {
  auto name = canonical(text, text, what);
  if (!name) return name.error();
  return HostName(*std::move(name));
}

Result<HostPattern> HostPattern::parse(std::string_view text, std::string_view what) {
  const bool wildcard = text.starts_with("*.");
  auto name = canonical(text.substr(wildcard ? 2 : 0), text, what);
  if (!name) return name.error();
  if (!wildcard) return HostPattern(*std::move(name));
  if (name->size() > kLongestHostName - 2)
    return bad_name(text, what, "no host name below it is short enough");
  if (is_public_suffix(*name)) {
    return bad_name(text, what, fmt::format("'{}' is a public suffix: strangers have names below it", *name),
                    fmt::format("name your own domain, such as *.example.{}", *name));
  }
  return HostPattern("*." + *name);
}

Result<HostPattern> HostPattern::from_stored(std::string_view text, std::string_view what) {
  const std::string_view name = text.substr(text.starts_with("*.") ? 2 : 0);
  if (const auto fault = name_fault(name); !fault.empty()) return bad_name(text, what, fault);
  if (text.size() > kLongestHostName) return bad_name(text, what, "a host name has at most 253 characters");
  return HostPattern(std::string(text));
}

bool HostPattern::matches(std::string_view canonical) const noexcept {
  return wildcard() ? canonical.ends_with(key()) : canonical == text_;  // no canonical name begins with a dot
}

std::optional<WireName> WireName::read(std::string_view bytes) noexcept {
  if (bytes.ends_with('.')) bytes.remove_suffix(1);
  if (bytes.empty() || bytes.size() > kLongestHostName || ends_in_number(bytes)) return std::nullopt;
  WireName name;
  std::size_t label = 0;  // characters so far in this one
  for (char c : bytes) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '.' ? label == 0 : !is_alphanumeric(c) && !is_joiner(c)) return std::nullopt;
    label = c == '.' ? 0 : label + 1;
    if (label > kLongestLabel) return std::nullopt;
    name.text_[name.size_++] = c;
  }
  if (label == 0) return std::nullopt;
  return name;
}

}  // namespace nightlatch
