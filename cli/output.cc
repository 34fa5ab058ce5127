#include "cli/output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/text.h"
#include "cli/context.h"

namespace nightlatch::cli {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Record& record);

Json to_json(const Record::Value& value) {
  struct Visit {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool b) const { return b; }
    Json operator()(std::int64_t i) const { return i; }
    Json operator()(const std::string& s) const { return s; }
    Json operator()(const std::vector<std::string>& list) const { return list; }
    Json operator()(const std::vector<Record>& list) const {
      Json array = Json::array();
      for (const Record& r : list) array.push_back(to_json(r));
      return array;
    }
  };
  return std::visit(Visit{}, value);
}

Json to_json(const Record& record) {
  Json object = Json::object();
  for (const auto& [key, value] : record.fields()) object[key] = to_json(value);
  return object;
}

// Bytes that are not UTF-8 are replaced, not thrown at.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void pad(std::string& line, std::size_t have, std::size_t width) {
  if (have < width) line.append(width - have, ' ');
}

Paint paint_of(const std::string& word) {
  if (word == "allow" || word == "active" || word == "ok" || word == "enabled") return Paint::good;
  if (word == "deny" || word == "revoked" || word == "fail" || word == "disabled") return Paint::bad;
  return Paint::attention;
}

// Words that say how things stand are coloured, whatever column they stand in.
std::string coloured_cell(const Context& context, const Column& column, const std::string& text) {
  if (column.key != "verdict" && column.key != "state") return text;
  return painted(context, paint_of(text), text);
}

// What nests deeper is none of ours, and would only cost stack.
bool too_deep(const std::string& text) {
  constexpr std::size_t most = 32;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (text[i] == '[' || text[i] == '{')) {
      if (++depth > most) return true;
    } else if (!quoted && (text[i] == ']' || text[i] == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Record from_json(const Json& json) {
  Record record;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) {
      record.add(key, Record::Value());
    } else if (value.is_boolean()) {
      record.add(key, Record::Value(value.get<bool>()));
    } else if (value.is_number_integer()) {
      record.add(key, Record::Value(value.get<std::int64_t>()));
    } else if (value.is_string()) {
      record.add(key, value.get<std::string>());
    } else {
      record.add(key, dump(value));
    }
  }
  return record;
}

}  // namespace

Record& Record::add(std::string key, Value value) {
  fields_.emplace_back(std::move(key), std::move(value));
  return *this;
}

Record& Record::add_seconds(std::string key, const std::optional<Seconds>& value) {
  return add(std::move(key), value ? Value(static_cast<std::int64_t>(value->count())) : Value());
}

Record& Record::add_time(std::string key, WallTime value) {
  const bool known = value != kNever && to_ms(value) != 0;
  return add(std::move(key), known ? Value(format_rfc3339(value)) : Value());
}

Record& Record::add_if(std::string key, const std::string& value) {
  return value.empty() ? *this : add(std::move(key), Value(value));
}

const Record::Value* Record::find(const std::string& key) const {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f.first == key; });
  return found == fields_.end() ? nullptr : &found->second;
}

std::string cell(const Record::Value& value) {
  struct Visit {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool b) const { return b ? "yes" : "no"; }
    std::string operator()(std::int64_t i) const { return std::to_string(i); }
    std::string operator()(const std::string& s) const { return s.empty() ? "-" : printable(s); }
    std::string operator()(const std::vector<std::string>& list) const {
      std::string text;
      for (const std::string& s : list) text += (text.empty() ? "" : ", ") + printable(s);
      return text.empty() ? "-" : text;
    }
    std::string operator()(const std::vector<Record>& list) const { return std::to_string(list.size()); }
  };
  return std::visit(Visit{}, value);
}

std::string json_text(const Record& record) { return dump(to_json(record)); }

std::string json_text(const std::vector<Record>& records) { return dump(to_json(Record::Value(records))); }

Result<Record> parse_json(const std::string& text) {
  if (too_deep(text)) return Error::failure("what came is nested too deep");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error::failure("what came is not a JSON object");
  return from_json(json);
}

Result<std::vector<Record>> parse_json_list(const std::string& text) {
  if (too_deep(text)) return Error::failure("what came is nested too deep");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) return Error::failure("what came is not a JSON array");
  std::vector<Record> list;
  for (const Json& one : json) {
    if (!one.is_object()) return Error::failure("what came is not an array of JSON objects");
    list.push_back(from_json(one));
  }
  return list;
}

void print_rows(Context& context, const std::vector<Record>& rows, const std::vector<Column>& columns,
                const std::string& nothing) {
  std::ostream& out = context.io.out;
  if (context.json()) {
    out << json_text(rows) << '\n';
    return;
  }
  if (rows.empty()) {
    context.say("{}", nothing);
    return;
  }
  std::vector<std::size_t> widths;
  std::vector<std::vector<std::string>> cells(rows.size());
  for (const Column& column : columns) {
    std::size_t width = column.heading.size();
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const Record::Value* value = rows[r].find(column.key);
      cells[r].push_back(value == nullptr ? "-" : cell(*value));
      width = std::max(width, width_of(cells[r].back()));
    }
    widths.push_back(width);
  }
  const std::size_t last = columns.size() - 1;
  std::string line;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    line += columns[c].heading;
    if (c != last) pad(line, columns[c].heading.size(), widths[c] + 2);
  }
  out << painted(context, Paint::heading, line) << '\n';
  for (const auto& row : cells) {
    line.clear();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      line += coloured_cell(context, columns[c], row[c]);
      if (c != last) pad(line, width_of(row[c]), widths[c] + 2);
    }
    out << line << '\n';
  }
}

void print_record(Context& context, const Record& record) {
  std::ostream& out = context.io.out;
  if (context.json()) {
    out << json_text(record) << '\n';
    return;
  }
  std::size_t width = 0;
  for (const auto& [key, value] : record.fields()) width = std::max(width, key.size());
  for (const auto& [key, value] : record.fields()) {
    std::string line = key;
    std::replace(line.begin(), line.end(), '_', ' ');
    pad(line, key.size(), width + 2);
    out << line << coloured_cell(context, Column{key, key}, cell(value)) << '\n';
  }
}

std::string painted(const Context& context, Paint paint, const std::string& text) {
  if (!context.io.colour) return text;
  switch (paint) {
    case Paint::heading:
      return "\033[1m" + text + "\033[0m";
    case Paint::good:
      return "\033[32m" + text + "\033[0m";
    case Paint::attention:
      return "\033[33m" + text + "\033[0m";
    case Paint::bad:
      return "\033[31m" + text + "\033[0m";
  }
  return text;
}

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace nightlatch::cli
