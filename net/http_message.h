// An HTTP request as it came, and the answer to it. Plain values; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "net/peer_certificate.h"

namespace nightlatch {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // begins with '/', as sent (no percent-decoding); "*" only with OPTIONS
  std::string query;   // without '?'
  std::string host;    // of the target or the Host field, lower case; with its port when one was given
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  Endpoint peer, local;
  bool over_tls = false;
  std::shared_ptr<const PeerCertificate> certificate{};  // where clients are asked for one
  bool keep_alive = false;  // the client would send another request on this connection

  [[nodiscard]] std::string_view header(std::string_view lower_name) const;  // the first of that name, or ""
  [[nodiscard]] std::string_view cookie(std::string_view name) const;        // RFC 6265 section 5.4, or ""
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // without Content-Length, Connection and Date
  std::string body;
  bool close = false;  // end the connection after it
};

[[nodiscard]] std::string_view reason_phrase(int status);
// The bytes of a response. `with_body` is false for HEAD: the length is still that of the body.
[[nodiscard]] std::string serialize(const HttpResponse& response, bool with_body, bool keep_alive);
// The head and what there is of the body, of a response that the connection's end will end (RFC 9112
// section 6.3).
[[nodiscard]] std::string serialize_beginning(const HttpResponse& response);

}  // namespace nightlatch
