#include "web/negotiate.h"

#include <array>
#include <charconv>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

namespace {
struct Offer {
  Format format;
  std::string_view type, subtype;
};
constexpr std::array<Offer, 4> kOffers{{{Format::html, "text", "html"},
                                        {Format::html, "application", "xhtml+xml"},
                                        {Format::json, "application", "json"},
                                        {Format::text, "text", "plain"}}};

struct Wish {
  double q = 0;
  int closeness = -1;  // 0: */*, 1: type/*, 2: exact
};

double quality(std::string_view parameters) {
  for (const std::string_view parameter : split(parameters, ';')) {
    const std::string_view p = trim(parameter);
    if (p.size() < 3 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=') continue;
    double q = 0;
    const auto [end, ec] = std::from_chars(p.data() + 2, p.data() + p.size(), q);
    return ec == std::errc() && end == p.data() + p.size() && q >= 0 && q <= 1 ? q : 0;
  }
  return 1;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}
}  // namespace

Format negotiate(const HttpRequest& request) {
  const std::string accept = lower(request.header("accept"));
  std::array<Wish, kOffers.size()> wishes{};
  for (const std::string_view range : split(accept, ',')) {
    const auto semicolon = range.find(';');
    const std::string_view media = trim(range.substr(0, semicolon));
    const auto slash = media.find('/');
    if (slash == std::string_view::npos) continue;
    const double q = semicolon == std::string_view::npos ? 1 : quality(range.substr(semicolon + 1));
    for (std::size_t i = 0; i < kOffers.size(); ++i) {
      const bool type = media.substr(0, slash) == kOffers[i].type;
      const bool subtype = media.substr(slash + 1) == kOffers[i].subtype;
      const int closeness = type && subtype ? 2 : type && media.ends_with("/*") ? 1 : media == "*/*" ? 0 : -1;
      if (closeness > wishes[i].closeness) wishes[i] = {q, closeness};
    }
  }
  // Offers named exactly go before those that a wildcard takes in; text stands in for all who do not care.
  Format best = Format::text;
  Wish best_wish = wishes.back();
  for (std::size_t i = 0; i < kOffers.size(); ++i) {
    const Wish& w = wishes[i];
    if (w.closeness < 2 || w.q <= 0) continue;
    if (w.q > best_wish.q || (w.q == best_wish.q && best_wish.closeness < 2)) {
      best = kOffers[i].format;
      best_wish = w;
    }
  }
  return best;
}

std::optional<FormFields> FormFields::parse(std::string_view body) {
  constexpr std::size_t kMostFields = 32;
  FormFields form;
  if (body.empty()) return form;
  for (const std::string_view pair : split(body, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = decode(pair.substr(0, equals));
    auto value = equals == std::string_view::npos ? std::string() : decode(pair.substr(equals + 1));
    if (!name || !value || form.fields_.size() == kMostFields) return std::nullopt;
    for (const auto& [present, other] : form.fields_) {
      if (present == *name) return std::nullopt;
    }
    form.fields_.emplace_back(std::move(*name), std::move(*value));
  }
  return form;
}

std::string_view FormFields::get(std::string_view name) const {
  for (const auto& [present, value] : fields_) {
    if (present == name) return value;
  }
  return {};
}

FormFields::~FormFields() {
  for (auto& [name, value] : fields_) wipe(value);
}

}  // namespace nightlatch
