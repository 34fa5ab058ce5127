// All that comes of some bytes at the proxy's readers, as text, however they are cut. For tests and fuzzers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/http_proxy_request.h"
#include "proxy/http_proxy_response.h"

namespace nightlatch::testing_proxy {

inline std::vector<std::string_view> pieces_of(std::string_view bytes, std::size_t size) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < bytes.size(); i += size) out.push_back(bytes.substr(i, size));
  return out;
}

struct Requests {
  std::vector<std::string> wires;  // what went upstream for each request: head and content
  std::string connect;             // "host:port", when it came to that
  std::string authorization;       // of the last one
  std::string left;                // bytes that nobody used
  int ended = 0;                   // requests that came to their end
  int status = 0;                  // of the gate's own answer, or 0
  std::string line;
  bool operator==(const Requests&) const = default;
};

inline Requests hear_requests(const std::vector<std::string_view>& pieces, bool keep = true) {
  using Step = ProxyRequestReader::Step;
  ProxyRequestReader reader;
  Requests out;
  bool over = false;
  for (std::string_view bytes : pieces) {
    while (!over) {
      const Step step = reader.next(bytes);
      if (step == Step::more) break;
      if (step == Step::forward) out.wires.push_back(upstream_head(reader.request(), keep));
      if (step == Step::body) out.wires.back() += reader.piece();
      if (step == Step::end) ++out.ended;
      if (step == Step::end && reader.request().keep_alive) {
        reader.next_request();
        continue;
      }
      over = step == Step::connect || step == Step::answer || step == Step::end;
    }
    out.left += bytes;
  }
  const ProxyRequest& last = reader.request();
  if (last.method == "CONNECT" && reader.answer().status == 0)
    out.connect = last.host + ':' + std::to_string(last.port);
  out.authorization = last.authorization;
  out.status = reader.answer().status;
  out.line = reader.answer().line;
  return out;
}

struct Response {
  std::string wire;  // what went to the client
  std::string left;
  int interim = 0;
  int status = 0;
  bool ended = false, tunnel = false, failed = false, answered = false;
  bool client_stays = false, server_stays = false;
  bool operator==(const Response&) const = default;
};

inline Response hear_response(const ProxyRequest& asked, const std::vector<std::string_view>& pieces,
                              bool then_closed = false) {
  using Step = ProxyResponseReader::Step;
  ProxyResponseReader reader(asked);
  Response out;
  const auto over = [&] { return out.ended || out.tunnel || out.failed; };
  const auto note = [&](Step step) {
    if (step == Step::interim || step == Step::head || step == Step::body) out.wire += reader.piece();
    if (step == Step::interim) ++out.interim;
    out.ended = step == Step::end;
    out.tunnel = step == Step::tunnel;
    out.failed = step == Step::failed;
  };
  for (std::string_view bytes : pieces) {
    while (!over()) {
      const Step step = reader.next(bytes);
      if (step == Step::more) break;
      note(step);
    }
    out.left += bytes;
  }
  if (then_closed && !over()) note(reader.closed());
  out.status = reader.status();
  out.answered = reader.answered();
  out.client_stays = out.ended && reader.client_stays();
  out.server_stays = out.ended && reader.server_stays();
  return out;
}

}  // namespace nightlatch::testing_proxy
