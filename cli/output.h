// What a reading command prints: rows that become an aligned table for people or JSON for programs.
// The JSON library stays behind output.cc. Pure but for the stream; main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace nightlatch::cli {

class Context;

// One object: keys in snake_case, in order. An empty optional prints null, and "-" in a table.
class Record {
 public:
  using Value = std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>,
                             std::vector<Record>>;

  Record& add(std::string key, Value value);
  Record& add(std::string key, const char* value) { return add(std::move(key), Value(std::string(value))); }
  Record& add(std::string key, std::string_view value) {
    return add(std::move(key), Value(std::string(value)));
  }
  Record& add(std::string key, std::string value) { return add(std::move(key), Value(std::move(value))); }
  Record& add_seconds(std::string key, const std::optional<Seconds>& value);
  Record& add_time(std::string key, WallTime value);          // RFC 3339; kNever and 0 are null
  Record& add_if(std::string key, const std::string& value);  // nothing when empty

  [[nodiscard]] const std::vector<std::pair<std::string, Value>>& fields() const { return fields_; }
  [[nodiscard]] const Value* find(const std::string& key) const;

 private:
  std::vector<std::pair<std::string, Value>> fields_;
};

[[nodiscard]] std::string cell(const Record::Value& value);  // as a table shows it
[[nodiscard]] std::string json_text(const Record& record);   // one line
[[nodiscard]] std::string json_text(const std::vector<Record>& records);
// A JSON object's fields as a Record: nested ones become their JSON text. For what another process tells us.
[[nodiscard]] Result<Record> parse_json(const std::string& text);
[[nodiscard]] Result<std::vector<Record>> parse_json_list(const std::string& text);  // of an array of objects

struct Column {
  std::string heading;
  std::string key;
};
// An array with --json, a table otherwise. `nothing` is said on stderr when there is no row.
void print_rows(Context& context, const std::vector<Record>& rows, const std::vector<Column>& columns,
                const std::string& nothing);
// An object with --json, "key  value" lines otherwise.
void print_record(Context& context, const Record& record);

// Text for a terminal: escape codes only where colour is wanted.
enum class Paint : std::uint8_t { heading, good, attention, bad };
[[nodiscard]] std::string painted(const Context& context, Paint paint, const std::string& text);
[[nodiscard]] std::size_t width_of(const std::string& text);  // in characters, not bytes

}  // namespace nightlatch::cli
