// ProxyResponseReader: the same answer however the bytes are cut, and what reaches the client reads as that
// answer once more: one framing, nothing of the server's hop. The first byte chooses what was asked.
#include <algorithm>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/proxy_http_transcript.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;
using testing_proxy::hear_response;
using testing_proxy::pieces_of;
using testing_proxy::Response;

namespace {

ProxyRequest asked_by(unsigned char choice) {
  ProxyRequest request;
  request.method = (choice & 1U) != 0 ? "HEAD" : "GET";
  request.minor = (choice & 2U) != 0 ? 0 : 1;
  request.keep_alive = request.minor == 1 && (choice & 4U) == 0;
  if ((choice & 8U) != 0 && request.minor == 1) request.upgrade = "websocket";
  return request;
}

// Read by hand, and so differently from the reader under test.
void check_head(std::string_view head, bool interim, bool tunnel) {
  check(head.starts_with("HTTP/1.1 "), "a status line");
  std::size_t framings = 0, vias = 0;
  for (auto end = head.find("\r\n"); end != std::string_view::npos && end + 2 < head.size();) {
    head.remove_prefix(end + 2);
    end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const std::string_view name = line.substr(0, line.find(':'));
    check(is_token(name) &&
              std::none_of(line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n'; }),
          "a field line");
    for (const std::string_view hop :
         {"Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "TE", "Trailer"})
      check(!same_name(name, hop), "no field of one hop");
    framings += same_name(name, "Content-Length") || same_name(name, "Transfer-Encoding") ? 1 : 0;
    vias += line == "Via: 1.0 nightlatch" || line == "Via: 1.1 nightlatch" ? 1 : 0;
    if (same_name(name, "Connection"))
      check(line == (tunnel ? "Connection: upgrade" : "Connection: close"), "ours");
    if (same_name(name, "Upgrade")) check(tunnel, "only when the protocol changes");
  }
  check(framings <= (interim || tunnel ? 0U : 1U) && vias >= 1, "at most one framing, and Via");
}

void check_heads(std::string_view wire, const Response& r) {
  for (int left = r.interim; left > 0 || r.answered; --left) {
    const auto end = wire.find("\r\n\r\n");
    check(end != std::string_view::npos, "a head ends");
    check_head(wire.substr(0, end + 2), left > 0, left == 0 && r.tunnel);
    wire.remove_prefix(end + 4);
    if (left == 0) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ProxyRequest asked = asked_by(data[0]);
  const bool closed = (data[0] & 16U) != 0;
  const std::string_view bytes = fuzz::text(data, size).substr(1);
  const Response whole = hear_response(asked, {bytes}, closed);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}})
    check(hear_response(asked, pieces_of(bytes, piece), closed) == whole, "the cut does not matter");
  check(whole.answered || !(whole.ended || whole.tunnel), "no end without a head");
  check(!whole.client_stays || asked.keep_alive, "the client stays only as it said");
  check_heads(whole.wire, whole);
  if (!whole.ended) return 0;

  // As the client would read it, until the connection closes where that ends it.
  ProxyRequest client = asked_by(data[0] & 1U);
  const Response again = hear_response(client, {whole.wire}, !whole.client_stays);
  check(again.ended && again.left.empty(), "the client reads one answer");
  check(again.status == whole.status && again.interim == whole.interim, "and the same");
  check(!whole.client_stays || again.client_stays, "whose end it sees without a close");
  return 0;
}
