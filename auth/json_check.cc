#include "auth/json_check.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace nightlatch {

namespace {
using Json = nlohmann::json;

// Sees the text go by and keeps nothing but the names of the objects that are open.
class Reader : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return inside(); }
  bool boolean(bool /*value*/) override { return inside(); }
  bool number_integer(number_integer_t /*value*/) override { return inside(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return inside(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return inside(); }
  bool string(string_t& /*value*/) override { return inside(); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool key(string_t& name) override { return names_.back().insert(name).second; }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return inside() && open(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*what*/) override {
    return false;
  }

 private:
  [[nodiscard]] bool inside() const { return !names_.empty(); }  // the whole is an object
  bool open() {
    if (names_.size() == kDeepestJson) return false;
    names_.emplace_back();
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }
  std::vector<std::set<std::string, std::less<>>> names_;
};
}  // namespace

bool is_strict_json_object(std::string_view text) {
  Reader reader;
  return Json::sax_parse(text.begin(), text.end(), &reader, Json::input_format_t::json, true);
}

}  // namespace nightlatch
