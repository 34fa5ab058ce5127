// The few rules of HTTP/1.x syntax that more than one reader here needs. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nightlatch {

[[nodiscard]] bool is_token(std::string_view text);                    // RFC 9110 section 5.6.2
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);  // field names and options: any case
[[nodiscard]] std::string_view trim_blanks(std::string_view text);     // OWS, RFC 9110 section 5.6.3
[[nodiscard]] bool is_field_line(std::string_view line);               // "name: value", without its CR LF

// Watches the bytes of lines: each ends with CR LF and holds neither another CR or LF nor any other control
// character but the tabulator (RFC 9112 section 2.2, RFC 9110 section 5.5; the tolerance for a bare LF is not
// taken up: two readers of one message must not disagree on where a line ends).
class LineGuard {
 public:
  enum class At : std::uint8_t { inside, end, bad };
  [[nodiscard]] At take(char c);

 private:
  bool after_cr_ = false;
};

}  // namespace nightlatch
