// HttpHeadReader: bytes in, the start line and the fields of one HTTP/1.x message out. For whoever passes
// messages on and so must read them exactly as the next one will: llhttp does the syntax, with every leniency
// off, and what it lets through all the same is refused here (RFC 9112 sections 2.2, 3, 4 and 5).
// Push-style and pure; what comes out does not depend on how the bytes were cut. Owned by its connection; one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_syntax.h"

namespace nightlatch {

struct HttpField {
  std::string name;  // a token, in the letters it was sent with: compare with same_name()
  std::string value;
};

struct HttpHead {
  std::string method, target;  // of a request; the target as sent
  int status = 0;              // of a response: 100-599
  std::string reason;          // may be empty
  int minor = 1;               // HTTP/1.0 or HTTP/1.1
  std::vector<HttpField> fields;
};

struct HttpFault {
  int status = 0;         // what to answer to a request like that
  std::string_view line;  // why, in a few words; a constant
};

class HttpHeadReader {
 public:
  enum class Kind : std::uint8_t { request, response };
  struct Limits {
    std::size_t bytes = std::size_t{16} * 1024;  // from the first byte to the blank line's last
    std::size_t fields = 100;
  };
  HttpHeadReader(Kind kind, Limits limits) : kind_(kind), limits_(limits) {}

  enum class Progress : std::uint8_t { more, complete, failed };
  // Takes the bytes of the head off the front of `bytes`, and none behind its blank line.
  [[nodiscard]] Progress feed(std::string_view& bytes);
  [[nodiscard]] HttpHead take();  // after `complete`; then it is ready for the next one
  [[nodiscard]] const HttpFault& fault() const { return fault_; }  // after `failed`, which stays
  [[nodiscard]] bool started() const { return !bytes_.empty(); }

 private:
  bool accept(char c);
  bool end_line(std::string_view line);
  bool check_request_line(std::string_view line);
  bool check_status_line(std::string_view line);
  bool parse();
  bool fail(int status, std::string_view line);

  Kind kind_;
  Limits limits_;
  LineGuard guard_;
  std::string bytes_;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
  HttpHead head_;
  bool done_ = false;
  HttpFault fault_;
};

}  // namespace nightlatch
