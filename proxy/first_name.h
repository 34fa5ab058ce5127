// FirstName: the host name that a TCP client asks for in what it says first: TLS SNI, or the Host of an HTTP
// request. What a server might read otherwise than we do is `unreadable`, never "no name". Bytes in, name
// out; pure, bounded (some 64 KiB), one flow, one thread. Only the first request of a connection is read; see
// docs/decisions/0011-names-of-flows.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_head.h"
#include "policy/host_name.h"
#include "proxy/client_hello.h"

namespace nightlatch {

class FirstName {
 public:
  enum class State : std::uint8_t {
    silent,      // nothing was said
    more,        // a name may be on its way
    none,        // this client names nobody here: another protocol, or one that left the name out
    named,       // names() has it
    encrypted,   // a ClientHello that may hide the name: names() has the one in front, if any
    unreadable,  // it is TLS or HTTP, and whom it names cannot be told
  };

  // Returns what is known now; after `more` it stays.
  State feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
  // None, one, or the two that an HTTP request with an absolute target has.
  [[nodiscard]] const std::vector<WireName>& names() const { return names_; }

 private:
  State feed_tls(std::string_view bytes);
  State feed_method(std::string_view bytes);
  State feed_http(std::string_view bytes);
  bool add(std::string_view host);
  State read_head(const HttpHead& head);

  std::unique_ptr<ClientHelloStream> tls_;
  std::unique_ptr<HttpHeadReader> http_;
  std::string method_;
  std::string line_;  // what may be a request line, and perhaps more
  std::vector<WireName> names_;
  State state_ = State::silent;
};

}  // namespace nightlatch
