// ProxyResponseReader: what the origin server answers to one forwarded request, made ready for the client:
// interim answers, head, content, or the change to another protocol. Bad framing is a 502 (RFC 9112
// section 6.3), and nothing that the server says of this hop reaches the client. Bytes in, steps out:
// push-style and pure, split-proof, at most one header section of 64 KiB is stored. Owned by its connection;
// one thread.
//
//   while ((step = reader.next(bytes)) != Step::more)
//     switch (step) {
//       case interim, head, body: send piece() to the client
//       case end:    the answer is over; see client_stays(), server_stays(). Bytes left over belong to nobody
//       case tunnel: from here on bytes are passed as they are, `bytes` first
//       case failed: answered() ? reset the client : proxy_reply(answer().status, answer().line), close
//     }
// end, tunnel and failed stay and use no bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http_proxy_request.h"

namespace nightlatch {

class ProxyResponseReader {
 public:
  explicit ProxyResponseReader(const ProxyRequest& asked);  // keeps what it needs of it
  enum class Step : std::uint8_t { more, interim, head, body, end, tunnel, failed };
  [[nodiscard]] Step next(std::string_view& bytes);  // takes what it uses off the front
  [[nodiscard]] Step closed();  // the server has ended its side, in order: end, tunnel or failed

  [[nodiscard]] std::string_view piece() const { return in_body_ ? body_.piece() : head_bytes_; }
  [[nodiscard]] int status() const { return status_; }       // of the latest head; 0 before there is one
  [[nodiscard]] bool answered() const { return answered_; }  // the final head is out: no other can be sent
  [[nodiscard]] const ProxyAnswer& answer() const { return answer_; }  // after `failed`
  // Only after `end`: whether the connection may carry another request.
  [[nodiscard]] bool client_stays() const { return client_stays_; }
  [[nodiscard]] bool server_stays() const { return server_stays_; }

 private:
  enum class At : std::uint8_t { head, body, ended, tunnel, failed };
  Step begin(HttpHead head);
  Step interim(const HttpHead& head);
  Step change_protocol(const HttpHead& head, const std::string& protocol);
  Step final_head(const HttpHead& head, HttpFraming declared, bool server_keeps);
  void write_head(const HttpHead& head);
  Step fail(std::string_view line);

  const bool head_only_;  // HEAD was asked: no content
  const bool upgrade_asked_;
  const int client_minor_;
  bool client_stays_;
  bool server_stays_ = false;
  bool answered_ = false;
  bool in_body_ = false;
  int status_ = 0;
  HttpHeadReader head_;
  HttpBodyReader body_;
  std::string head_bytes_;
  ProxyAnswer answer_;
  At at_ = At::head;
};

}  // namespace nightlatch
