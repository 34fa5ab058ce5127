// FirstBytes: what a refused client is speaking, told from what it says first, so that it can be answered in
// its own protocol. Bytes in, kind out; pure and bounded (16 KiB); one flow, one thread. These bytes never
// reach a server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_parser.h"

namespace nightlatch {

enum class Speech : std::uint8_t {
  unknown,  // nothing yet, or not enough
  tls,      // a TLS record of type handshake (RFC 8446 section 5.1)
  http,     // an HTTP/1.x request head, complete
  other,    // anything else
};

// The link back to what was asked for: http://host/path, or "" when it could end an attribute or a header.
[[nodiscard]] std::string link_to(std::string_view host, std::string_view target);

class FirstBytes {
 public:
  FirstBytes();
  // Returns what is known now; once it is not `unknown` it stays.
  Speech feed(std::string_view bytes);
  // Time is up: an HTTP head that is still on its way counts as HTTP.
  Speech give_up();

  [[nodiscard]] Speech speech() const { return speech_; }
  [[nodiscard]] bool wants_html() const { return wants_html_; }  // a browser's GET or HEAD
  [[nodiscard]] bool is_head() const { return is_head_; }        // HEAD: answered without a body
  [[nodiscard]] const std::string& url() const {
    return url_;
  }  // http://host/path that was asked for with GET, or ""

 private:
  Speech feed_http(std::string_view bytes);
  std::unique_ptr<HttpParser> http_;  // made when the first byte looks like a method
  std::string start_;                 // at most the 3 bytes that tell TLS
  Speech speech_ = Speech::unknown;
  bool wants_html_ = false;
  bool is_head_ = false;
  std::string url_;
};

}  // namespace nightlatch
