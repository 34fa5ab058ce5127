// ProxyRequestReader: what a client says to the HTTP proxy port, one request after another: CONNECT, or a
// request to be passed on (http:// in absolute form). Everything that two readers could understand in two
// ways is refused, once, and the connection ends with it (RFC 9112 section 11.2). Bytes in, steps out:
// push-style and pure, split-proof, at most one header section is stored. Owned by its connection; one
// thread.
//
//   while ((step = reader.next(bytes)) != Step::more)   // `bytes` keeps what was not used
//     switch (step) {
//       case connect: tunnel to request().host; `bytes` is the tunnel's first data
//       case forward: judge, connect, send upstream_head(request())
//       case body:    send piece()
//       case end:     wait for the answer, then next_request() if request().keep_alive; or go on as a tunnel
//       case answer:  proxy_reply(answer().status, answer().line), close
//     }
// connect, end and answer stay until told otherwise and use no bytes: what was pipelined is left to the
// caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_body.h"
#include "net/http_head.h"
#include "proxy/http_fields.h"

namespace nightlatch {

struct ProxyRequest {
  std::string method;
  std::string host;  // a name in lower case without a final dot, or an address in its canonical text
  std::uint16_t port = 0;
  std::string target;         // in origin form; "" with CONNECT
  int minor = 1;              // the client's HTTP/1.x
  HttpFields fields;          // those for the origin server, without Host and framing
  HttpFraming framing;        // of the content that follows
  std::string upgrade;        // the protocols that the client would change to, or ""
  std::string authorization;  // the value of Proxy-Authorization, or ""
  bool keep_alive = false;    // the client would send another request; never so in HTTP/1.0

  ProxyRequest() = default;
  ~ProxyRequest();  // wipes the authorization
  ProxyRequest(ProxyRequest&&) noexcept = default;
  ProxyRequest& operator=(ProxyRequest&&) noexcept = default;
};

struct ProxyAnswer {  // what the gate says itself; the connection ends with it
  int status = 0;
  std::string_view line;  // a constant
};

// The head for the origin server: origin form, Host as in the target (RFC 9112 section 3.2.2), the end-to-end
// fields, Via. Without `keep` it asks the server to close after its answer.
[[nodiscard]] std::string upstream_head(const ProxyRequest& request, bool keep);

class ProxyRequestReader {
 public:
  ProxyRequestReader();
  enum class Step : std::uint8_t {
    more,     // all bytes are used
    connect,  // request() wants a tunnel
    forward,  // request() is to be passed on; its content follows
    body,     // piece() of it: content or framing, to be sent as it is
    end,      // the request is over
    answer,   // answer() instead, or in the midst of a request: then both connections end
  };
  [[nodiscard]] Step next(std::string_view& bytes);  // takes what it uses off the front
  void next_request();                               // after `end`

  [[nodiscard]] const ProxyRequest& request() const { return request_; }
  [[nodiscard]] std::string_view piece() const { return body_.piece(); }  // until the next call
  [[nodiscard]] const ProxyAnswer& answer() const { return answer_; }
  [[nodiscard]] bool started() const { return at_ != At::head || head_.started(); }  // of a request

 private:
  enum class At : std::uint8_t { head, body, connected, ended, answered };
  Step begin(HttpHead head);
  Step refuse(const ProxyAnswer& answer);

  HttpHeadReader head_;
  HttpBodyReader body_;
  ProxyRequest request_;
  ProxyAnswer answer_;
  At at_ = At::head;
};

}  // namespace nightlatch
