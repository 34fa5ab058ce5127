#include "proxy/refusal.h"

#include <fmt/format.h>

namespace nightlatch {

std::string refusal_line(VerdictKind verdict, std::string_view resource, std::string_view page_url) {
  std::string line;
  if (resource.empty()) resource = "this destination";
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

std::string http_refusal(int status, std::string_view line, std::string_view fields, bool is_head) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\n{}Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}{}",
      status, line, fields, line.size() + 1, is_head ? std::string_view() : line, is_head ? "" : "\n");
}

std::string http_redirect(std::string_view page_url) {
  return fmt::format(
      "HTTP/1.1 302 Found\r\nLocation: {}\r\nCache-Control: no-store\r\nContent-Length: 0\r\n"
      "Connection: close\r\n\r\n",
      page_url);
}

Refusal refuse(const FirstBytes& said, std::string_view line, std::string_view page_url) {
  if (said.speech() == Speech::tls) {
    return {std::string("\x15\x03\x03\x00\x02\x02\x31", 7),
            false};  // fatal alert 49 access_denied: RFC 8446 section 6
  }
  if (said.speech() != Speech::http) return {{}, true};
  if (said.wants_html() && !page_url.empty()) return {http_redirect(page_url), false};
  return {http_refusal(511, line, {}, said.is_head()), false};  // RFC 6585 section 6
}

}  // namespace nightlatch
