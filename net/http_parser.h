// HttpParser: bytes in, one HTTP/1.x request at a time out. Push-style and pure; llhttp stays behind this
// file. Strict (RFC 9112): every leniency of llhttp is off, and what is too long is refused before it is
// stored. Owned by its connection; one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "net/http_message.h"

namespace nightlatch {

struct HttpLimits {
  std::size_t head = std::size_t{16} * 1024;  // request line and fields, in bytes
  std::size_t fields = 100;
  std::size_t body = std::size_t{64} * 1024;
};

class HttpParser {
 public:
  explicit HttpParser(const HttpLimits& limits);
  ~HttpParser();
  HttpParser(HttpParser&&) = delete;

  enum class Progress : unsigned char {
    more,      // needs more bytes
    complete,  // take() has a request
    failed,    // status() says why; nothing more can be read from this peer
  };
  // Takes bytes up to the end of a request at most and tells in `used` how many.
  [[nodiscard]] Progress feed(std::string_view bytes, std::size_t& used);
  [[nodiscard]] HttpRequest take();  // after `complete`; then it is ready for the next one

  [[nodiscard]] bool started() const;        // some of a request has arrived
  [[nodiscard]] bool head_complete() const;  // all fields have, the body may not
  [[nodiscard]] bool wants_continue();  // once for each request that waits for 100 (RFC 9110 section 10.1.1)
  [[nodiscard]] int status() const;     // after `failed`: 400, 413, 431, 501 or 505

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nightlatch
