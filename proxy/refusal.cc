#include "proxy/refusal.h"

#include <fmt/format.h>

namespace nightlatch {

std::string refusal_line(VerdictKind verdict, std::string_view resource, std::string_view page_url) {
  std::string line;
  switch (verdict) {
    case VerdictKind::sign_in:
      line = fmt::format("Sign-in needed for {}", resource);
      break;
    case VerdictKind::step_up:
      line = fmt::format("Second factor needed for {}", resource);
      break;
    default:
      line = fmt::format("Access to {} is refused", resource);
      break;
  }
  if (!page_url.empty())
    line += fmt::format(": {} {}", verdict == VerdictKind::deny ? "see" : "open", page_url);
  if (line.size() > 200) line.resize(200);
  for (char& c : line) {
    if (c < ' ' || c > '~') c = '?';
  }
  return line;
}

Refusal refuse(const FirstBytes& said, std::string_view line, std::string_view page_url) {
  if (said.speech() == Speech::tls) {
    return {std::string("\x15\x03\x03\x00\x02\x02\x31", 7),
            false};  // fatal alert 49 access_denied: RFC 8446 section 6
  }
  if (said.speech() != Speech::http) return {{}, true};
  if (said.wants_html() && !page_url.empty()) {
    return {
        fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nCache-Control: no-store\r\nContent-Length: 0\r\n"
                    "Connection: close\r\n\r\n",
                    page_url),
        false};
  }
  // 511 Network Authentication Required: RFC 6585 section 6. Some clients show the reason, some the body.
  const std::string body = fmt::format("{}\n", line);
  return {
      fmt::format("HTTP/1.1 511 {}\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
                  "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                  line, body.size(), said.is_head() ? std::string_view() : std::string_view(body)),
      false};
}

}  // namespace nightlatch
