// Value: a small tree of text, numbers, lists and objects: what a page's template and its JSON are made from.
// A plain value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nightlatch {

struct Value {
  using List = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;  // in the order of writing

  Value(const char* text) : v(std::string(text)) {}       // NOLINT: meant to convert, like those below
  Value(std::string text) : v(std::move(text)) {}         // NOLINT
  Value(std::string_view text) : v(std::string(text)) {}  // NOLINT
  Value(bool yes) : v(yes) {}                             // NOLINT
  Value(std::int64_t number) : v(number) {}               // NOLINT
  Value(List list) : v(std::move(list)) {}                // NOLINT
  Value(Object object) : v(std::move(object)) {}          // NOLINT

  std::variant<bool, std::int64_t, std::string, List, Object> v;
};

// The template (mustache) with {{names}} replaced by what `view` has for them, escaped for HTML: text and
// attributes in double quotes. Templates come from web/assets only.
[[nodiscard]] std::string render(std::string_view mustache, const Value::Object& view);
[[nodiscard]] std::string to_json(const Value::Object& object);  // one object on one line, with a line end

}  // namespace nightlatch
