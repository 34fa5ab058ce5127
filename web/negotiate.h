// Which representation a client wants, and the fields of a submitted form. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http_message.h"

namespace nightlatch {

enum class Format : std::uint8_t { html, json, text };

// RFC 9110 section 12.5.1. Who only says "anything" (curl's */*, or no Accept at all) gets text.
[[nodiscard]] Format negotiate(const HttpRequest& request);

// application/x-www-form-urlencoded (WHATWG URL section 5.1). Nothing when a %-escape is broken, a field is
// there twice, or there are more than 32.
class FormFields {
 public:
  [[nodiscard]] static std::optional<FormFields> parse(std::string_view body);
  [[nodiscard]] std::string_view get(std::string_view name) const;  // "" when absent
  ~FormFields();                                                    // a password may be among them
  FormFields(FormFields&&) noexcept = default;
  FormFields& operator=(FormFields&&) noexcept = default;

 private:
  FormFields() = default;
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace nightlatch
