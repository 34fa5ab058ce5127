// ProxyRequestReader: the same requests however the bytes are cut, and what is passed on is read by another
// reader, the portal's, as exactly one request with the same content and nothing of the client's hop.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/text.h"
#include "net/http_parser.h"
#include "proxy/http_target.h"
#include "proxy/proxy_credential.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proxy_http_transcript.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;
using testing_proxy::hear_requests;
using testing_proxy::pieces_of;
using testing_proxy::Requests;

namespace {

constexpr std::array<std::string_view, 8> kOfOneHop{"proxy-authorization",
                                                    "proxy-authenticate",
                                                    "proxy-authentication-info",
                                                    "proxy-connection",
                                                    "keep-alive",
                                                    "te",
                                                    "trailer",
                                                    "http2-settings"};

void check_fields(const HttpRequest& r, bool upgrade) {
  std::size_t lengths = 0, codings = 0, hosts = 0;
  for (const auto& [name, value] : r.headers) {
    lengths += name == "content-length" ? 1 : 0;
    codings += name == "transfer-encoding" ? 1 : 0;
    hosts += name == "host" ? 1 : 0;
    check(std::find(kOfOneHop.begin(), kOfOneHop.end(), name) == kOfOneHop.end(), "no field of one hop");
    if (name == "connection") check(upgrade ? value == "upgrade" : value == "close", "our own Connection");
    if (name != "upgrade") continue;
    check(upgrade, "a handshake");
    for (const std::string_view protocol : split(value, ','))
      check(!same_name(trim(protocol), "h2c"), "not to what nobody here would read");
  }
  check(lengths + codings <= 1 && hosts == 1, "one framing and one Host");
}

void check_wire(const std::string& wire, bool whole) {
  // A client may say that any length follows: how much is too much is the server's to say.
  HttpParser parser(
      {.head = std::size_t{32} * 1024, .fields = 110, .body = std::numeric_limits<std::size_t>::max()});
  std::size_t used = 0;
  const auto progress = parser.feed(wire, used);
  check(progress != HttpParser::Progress::failed, "another reader takes it");
  check((progress == HttpParser::Progress::complete) == whole, "a whole request is one");
  if (!whole) return;
  check(used == wire.size(), "and not more than one");
  const HttpRequest r = parser.take();
  check_fields(r, !r.header("upgrade").empty());
  const auto host = parse_authority(r.host, 80);
  check(host && to_text(*host, 80) == r.host, "the host is in its canonical form");
}

void check_credential(std::string_view bytes) {
  const ProxyCredential c = read_credential(bytes);
  check(c.secret.size() <= 1024 && c.name.size() <= 64, "a credential is bounded");
  check(printable(c.name) == c.name && printable(c.secret) == c.secret, "and is text");
  check(c.name.empty() == (c.kind != ProxyCredential::Kind::password), "only a password has a name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  const Requests whole = hear_requests({bytes}, false);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}})
    check(hear_requests(pieces_of(bytes, piece), false) == whole, "the cut does not matter");
  check(whole.status == 0 || whole.status == 200 || whole.status >= 400, "an answer has a status");
  check(whole.line.size() <= 100 && (whole.status == 0) == whole.line.empty(), "and says why");
  check(whole.ended <= static_cast<int>(whole.wires.size()), "no end without a beginning");
  for (std::size_t i = 0; i < whole.wires.size(); ++i)
    check_wire(whole.wires[i], i < static_cast<std::size_t>(whole.ended));
  check_credential(bytes);
  check_credential(whole.authorization);
  return 0;
}
