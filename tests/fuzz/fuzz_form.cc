// Submitted forms, Accept and cookies: bounded, and the same field is never read two ways.
#include <string>

#include "net/http_message.h"
#include "tests/fuzz/fuzz.h"
#include "web/negotiate.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
std::string encode(std::string_view value) {
  std::string out;
  for (const char c : value) {
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += escaped;
  }
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  if (const auto form = FormFields::parse(text)) {
    for (const char* name : {"name", "password", "code", "hold", "token"}) {
      check(form->get(name).size() <= text.size(), "a value is no longer than the form");
    }
  }
  const auto again = FormFields::parse("name=a&password=" + encode(text));
  check(again.has_value() && again->get("password") == text, "any password passes through a form unchanged");
  check(!FormFields::parse("name=a&name=" + encode(text)).has_value(), "no field twice");

  HttpRequest request;
  request.headers = {{"accept", std::string(text)}, {"cookie", std::string(text)}};
  const Format f = negotiate(request);
  check(f == Format::html || f == Format::json || f == Format::text, "always one of the three");
  check(request.cookie("session").size() <= text.size(), "a cookie is no longer than its header");
  return 0;
}
