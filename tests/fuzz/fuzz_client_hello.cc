// ClientHelloStream: what it finds depends neither on the cut nor on the records, and a name is a host name.
#include <algorithm>
#include <string>

#include "proxy/client_hello.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/hello_maker.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {

void feed(ClientHelloStream& stream, Bytes bytes, std::size_t piece) {
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size()))) {
    const HelloState before = stream.state();
    stream.feed(bytes.first(std::min(piece, bytes.size())));
    check(before == HelloState::more || before == stream.state(), "once known it stays");
  }
}

void check_hello(const ClientHello& hello) {
  check(hello.server_name.empty() || maker::is_proper_host_name(hello.server_name), "a name is a host name");
  check(hello.server_name.empty() || hello.has_sni, "a name comes from an SNI");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  ClientHelloStream whole, cut;
  feed(whole, bytes, std::max<std::size_t>(1, size));
  feed(cut, bytes, 1);
  check(whole.state() == cut.state(), "the cut does not matter");
  check(whole.hello() == cut.hello(), "nor for the name");
  check(whole.state() == HelloState::found || whole.hello() == ClientHello{}, "nothing found, nothing said");
  check(whole.state() != HelloState::more || size < ClientHelloStream::kMostBytes + 5, "it comes to an end");
  check_hello(whole.hello());

  // The input as the body alone: this reaches the fields without records to get right.
  const auto hello = parse_client_hello(bytes);
  if (hello) check_hello(*hello);
  if (size == 0 || size + 4 > kMostClientHello) return 0;
  const std::string message = maker::handshake(text_of(bytes));
  for (const std::size_t piece : {message.size(), (message.size() + 63) / 64}) {
    ClientHelloStream stream;
    feed(stream, bytes_of(maker::records(message, std::min<std::size_t>(piece, 16384))), 100);
    check(stream.state() == (hello ? HelloState::found : HelloState::malformed), "records do not matter");
    check(!hello || stream.hello() == *hello, "nor for the name");
  }
  return 0;
}
