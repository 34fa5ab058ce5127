// HttpParser: the same requests however the bytes are cut; what it hands on is clean and within its limits.
#include <algorithm>
#include <string>
#include <vector>

#include "net/http_parser.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
constexpr HttpLimits kLimits{.head = 2048, .fields = 20, .body = 1024};

bool has_break(std::string_view s) {
  return s.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

void check_request(const HttpRequest& r) {
  check(!r.method.empty() && !has_break(r.method), "a method");
  check(r.path.starts_with('/') || (r.path == "*" && r.method == "OPTIONS"), "a path begins with a slash");
  check(r.path.find('?') == std::string::npos, "the path ends before the query");
  check(!has_break(r.path) && !has_break(r.query) && !has_break(r.host), "no line break in the request line");
  check(r.path.size() + r.query.size() <= kLimits.head && r.body.size() <= kLimits.body, "within the limits");
  check(r.headers.size() <= kLimits.fields, "not too many fields");
  for (const auto& [name, value] : r.headers) {
    check(!name.empty() && !has_break(name) && !has_break(value), "no line break in a field");
    check(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
          "field names in lower case");
  }
  check(!has_break(r.cookie("session")), "no line break in a cookie");
}

// All that came of these bytes, as text, when they arrive in pieces of `piece` bytes.
std::string outcome(std::string_view bytes, std::size_t piece) {
  HttpParser parser(kLimits);
  std::string out;
  while (!bytes.empty()) {
    std::string_view now = bytes.substr(0, piece);
    bytes.remove_prefix(now.size());
    while (!now.empty()) {
      std::size_t used = 0;
      const auto progress = parser.feed(now, used);
      check(used <= now.size(), "no more used than given");
      if (progress == HttpParser::Progress::failed) {
        const int s = parser.status();
        check(s == 400 || s == 413 || s == 431 || s == 501 || s == 505, "a failure has a status");
        return out + "failed";  // two wrongs in one piece: either may be told
      }
      if (progress == HttpParser::Progress::complete) {
        const HttpRequest r = parser.take();
        check_request(r);
        out += r.method + ' ' + r.path + '?' + r.query + ' ' + r.host + ' ' +
               std::to_string(r.headers.size()) + ' ' + r.body + '\n';
      } else {
        check(used == now.size(), "all is used while more is wanted");
      }
      now.remove_prefix(used);
    }
  }
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  const std::string whole = outcome(bytes, bytes.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    check(outcome(bytes, piece) == whole, "the cut does not matter");
  }
  return 0;
}
