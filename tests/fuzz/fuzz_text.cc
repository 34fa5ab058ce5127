// Names and printing: nothing that a terminal or a log could misread comes through.
#include <algorithm>

#include "base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
bool is_clean(std::string_view s) {
  return std::none_of(s.begin(), s.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  const std::string shown = printable(text);
  check(is_clean(shown), "printable text has no control character");
  check(printable(shown) == shown, "printable text stays as it is");
  check(shown.size() <= 4 * text.size(), "printable text is bounded");
  const auto name = check_name(text, "NAME");
  if (name.ok()) {
    check(!text.empty() && text.size() <= 64, "a name is 1 to 64 bytes");
    check(shown == text && lower(text).size() == text.size(), "a name is printable");
  } else {
    check(is_clean(name.error().message) && name.error().message.size() < 512,
          "an error is one bounded line");
  }
  const std::vector<std::string> words{"status", "serve", "session", "resource", "policy"};
  const std::string near = nearest(text, words);
  check(near.empty() || std::find(words.begin(), words.end(), near) != words.end(),
        "the nearest is a candidate");
  std::string joined;
  for (const std::string_view part : split(text, ','))
    joined.append(joined.empty() && part.data() == text.data() ? "" : ",").append(part);
  check(joined == text, "what is split joins again");
  check(base64url({data, size}).size() == (size * 4 + 2) / 3, "base64url has its length");
  check(from_base64url(base64url({data, size})) == text, "base64url comes back");
  if (const auto raw = from_base64url(text)) {
    const auto* bytes = static_cast<const unsigned char*>(static_cast<const void*>(raw->data()));
    check(base64url({bytes, raw->size()}) == text, "there is one way to write it");
  }
  const std::string code = normal_code(text);
  check(normal_code(code) == code && code.size() <= text.size(), "a code is normal once");
  const std::string_view inner = trim(text);
  check(trim(inner) == inner, "trimming twice is trimming once");
  return 0;
}
