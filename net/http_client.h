// HttpClient: requests to other HTTPS servers (identity providers) on the loop, by libcurl, which only this
// file knows. HTTP/1.1 over TLS 1.2 or later with a verified certificate; no redirects, no proxies, no
// cookies; sizes and times are bounded, so that a server that is down, slow or huge costs no more than its
// answer's bounds. Names are looked up by net/resolver.h: nothing here waits. One for each loop, on its
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"

namespace nightlatch {

struct HttpFetch {
  std::string url;                     // https://...
  std::vector<std::string> headers{};  // "Accept: application/json"
  std::string form{};    // a body of application/x-www-form-urlencoded: then it is POST, else GET
  std::string ca_pem{};  // the only CAs that count for this one; empty: the system's
  bool plain = false;    // http://... instead: for what is public and is checked in another way
};

struct FetchLimits {
  std::size_t body = std::size_t{256} * 1024;  // bytes
  std::size_t head = std::size_t{32} * 1024;
  Millis connect{4'000};
  Millis total{10'000};  // from the look-up of the name to the last byte
  std::size_t at_once = 32;
};

struct HttpReply {
  int status = 0;
  std::string type;  // media type in lower case, without parameters
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};  // all of them, names in lower case
};

// Why there is no reply.
struct FetchFault {
  enum class Kind : std::uint8_t {
    unreachable,  // no such name, no connection, or it broke off
    untrusted,    // the certificate is not one of this name under these CAs
    too_slow,
    too_large,
    busy,  // too many requests at once, or out of means here
  } kind = Kind::unreachable;
  std::string detail;  // for people
};
[[nodiscard]] std::string_view to_text(FetchFault::Kind kind);  // "unreachable", ...

// Percent-encoded for a query or a form (RFC 3986 section 2.3).
[[nodiscard]] std::string percent_encode(std::string_view text);

class HttpClient {
 public:
  using Answer = std::function<void(std::variant<HttpReply, FetchFault>)>;

  // With a resolver of its own, unless it is given one.
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> open(Loop& loop, const FetchLimits& limits = {},
                                                                std::unique_ptr<Resolver> resolver = nullptr);
  ~HttpClient();  // unanswered requests stay unanswered
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `answer` is called once, later, from the loop.
  void fetch(HttpFetch what, Answer answer);

 private:
  struct Request;
  HttpClient(Loop& loop, const FetchLimits& limits, std::unique_ptr<Resolver> resolver);
  void start(std::uint64_t id, const std::vector<IpAddress>& addresses);
  [[nodiscard]] Status prepare(Request& request, const std::vector<IpAddress>& addresses);
  void finish(std::uint64_t id, std::variant<HttpReply, FetchFault> result);
  void give_out();
  void process(int fd, int events);
  void on_socket(int fd, int what);
  void collect();

  Loop& loop_;
  FetchLimits limits_;
  std::unique_ptr<Resolver> resolver_;
  void* multi_ = nullptr;
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Request>> requests_;
  std::vector<std::pair<Answer, std::variant<HttpReply, FetchFault>>> finished_;
  std::unordered_map<int, std::unique_ptr<ReadWatch>> sockets_;
  Timer timer_;    // curl's
  Wakeup answer_;  // answers are given from the loop, never from inside fetch()
};

}  // namespace nightlatch
