// What a refused flow is told, in its own protocol. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "policy/decide.h"
#include "proxy/first_bytes.h"

namespace nightlatch {

// The one line that people read: ASCII, at most 200 bytes.
// "Sign-in needed for payroll: open https://gate.office.example/k/7QF4"
[[nodiscard]] std::string refusal_line(VerdictKind verdict, std::string_view resource,
                                       std::string_view page_url);

// HTTP answers that end their connection. Some clients show the reason phrase and some the body: the line is
// both. `fields`: more of them, each with its CR LF. A HEAD is answered without the body.
[[nodiscard]] std::string http_refusal(int status, std::string_view line, std::string_view fields,
                                       bool is_head);
[[nodiscard]] std::string http_redirect(std::string_view page_url);

struct Refusal {
  std::string bytes;   // to send before a clean end, or empty
  bool reset = false;  // nothing can be said: reset the connection so that the client fails at once
};
[[nodiscard]] Refusal refuse(const FirstBytes& said, std::string_view line, std::string_view page_url);

}  // namespace nightlatch
