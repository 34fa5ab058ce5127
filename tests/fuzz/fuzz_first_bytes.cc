// FirstBytes and refuse(): what a refused client says can neither change with the cut nor come back as a
// header.
#include <algorithm>
#include <string>

#include "proxy/first_bytes.h"
#include "proxy/refusal.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
void feed(FirstBytes& f, std::string_view bytes, std::size_t piece) {
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    const Speech before = f.speech();
    const Speech after = f.feed(bytes.substr(i, piece));
    check(before == Speech::unknown || before == after, "once known it stays");
  }
  const Speech last = f.give_up();
  check(last != Speech::unknown, "in the end it is something");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  FirstBytes whole, cut;
  feed(whole, bytes, std::max<std::size_t>(1, bytes.size()));
  feed(cut, bytes, 1);
  // Beyond the limit of fields, how far the parser came decides between "too many" and "not HTTP".
  const bool crowded = std::count(bytes.begin(), bytes.end(), '\n') > 100;
  check(crowded || whole.speech() == cut.speech(), "the cut does not matter for the kind");
  if (whole.speech() != cut.speech()) return 0;
  // A request with a body is answered as soon as its head is there, and then nothing more is known of it.
  check(!cut.wants_html() || whole.wants_html(), "nor for a page");
  check(cut.url().empty() || whole.url() == cut.url(), "nor for the address");
  const std::string& url = whole.url();
  check(url.size() <= 2048, "an address is bounded");
  check(std::all_of(url.begin(), url.end(),
                    [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>'; }),
        "an address cannot end an attribute or a header");
  if (whole.speech() != Speech::http)
    check(url.empty() || whole.speech() == Speech::http, "only HTTP has an address");

  const std::string page = "https://gate.office.example/k/7QF4";
  const Refusal r = refuse(whole, refusal_line(VerdictKind::sign_in, "payroll", page), page);
  check(r.bytes.size() < 8192, "a refusal is bounded");
  if (whole.speech() == Speech::http) {
    const auto end = r.bytes.find("\r\n\r\n");
    check(r.bytes.starts_with("HTTP/1.1 ") && end != std::string::npos, "HTTP is answered in HTTP");
    const std::string head = r.bytes.substr(0, end);
    for (std::size_t i = 0; i < head.size(); ++i) {
      if (head[i] == '\n') check(i > 0 && head[i - 1] == '\r', "no bare line feed in the head");
    }
    check(!whole.is_head() || r.bytes.size() == end + 4, "HEAD has no body");
  }
  return 0;
}
