#include "web/value.h"

#include <fmt/format.h>

#include <iterator>
#include <kainjow/mustache.hpp>
#include <optional>

#include "base/text.h"

namespace nightlatch {

namespace {
namespace mustache = kainjow::mustache;

mustache::data convert(const Value& value) {
  struct Visitor {
    mustache::data operator()(bool yes) const { return mustache::data(yes); }
    mustache::data operator()(std::int64_t number) const { return mustache::data(std::to_string(number)); }
    mustache::data operator()(const std::string& text) const { return mustache::data(text); }
    mustache::data operator()(const Value::List& list) const {
      mustache::data out(mustache::data::type::list);
      for (const Value& item : list) out.push_back(convert(item));
      return out;
    }
    mustache::data operator()(const Value::Object& object) const {
      mustache::data out(mustache::data::type::object);
      for (const auto& [key, item] : object) out.set(key, convert(item));
      return out;
    }
  };
  return std::visit(Visitor(), value.v);
}

void write_text(std::string& out, std::string_view text) {  // RFC 8259 section 7
  out += '"';
  // What is not UTF-8 text is shown as \xNN first: the output is always valid.
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void write_json(std::string& out, const Value& value) {
  struct Visitor {
    std::string& out;
    void operator()(bool yes) const { out += yes ? "true" : "false"; }
    void operator()(std::int64_t number) const { out += std::to_string(number); }
    void operator()(const std::string& text) const { write_text(out, text); }
    void operator()(const Value::List& list) const {
      out += '[';
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (i > 0) out += ',';
        write_json(out, list[i]);
      }
      out += ']';
    }
    void operator()(const Value::Object& object) const {
      out += '{';
      for (std::size_t i = 0; i < object.size(); ++i) {
        if (i > 0) out += ',';
        write_text(out, object[i].first);
        out += ':';
        write_json(out, object[i].second);
      }
      out += '}';
    }
  };
  std::visit(Visitor{out}, value.v);
}
}  // namespace

std::string render(std::string_view text, const Value::Object& view) {
  mustache::mustache page{std::string(text)};
  mustache::data data(mustache::data::type::object);
  for (const auto& [key, item] : view) data.set(key, convert(item));
  return page.render(data);
}

std::string to_json(const Value::Object& object) {
  std::string out;
  write_json(out, Value(object));
  out += '\n';
  return out;
}

}  // namespace nightlatch
