// QuicInitial: bytes of anybody as datagrams, and frames of anybody in packets that are well sealed. Whatever
// comes, a name is a host name, it never changes, and what is malformed stays so.
//
// The first byte of the input chooses. 0: the rest is datagrams, each after its length in 2 bytes. 1: the
// rest is packets, each after 2 bytes that choose how it is sealed and sent, and the length of its frames in
// 2 bytes.
#include <algorithm>
#include <string>
#include <vector>

#include "proxy/quic_initial.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/quic_maker.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {

std::vector<std::string> datagrams_of(ByteReader input) {
  std::vector<std::string> out;
  while (!input.empty() && out.size() < 32) {
    const std::uint64_t size = input.number(2);
    out.emplace_back(text_of(input.take(std::min<std::uint64_t>(size, input.rest().size()))));
  }
  return out;
}

std::string one_packet(unsigned how, Bytes frames) {
  constexpr std::array<const char*, 4> ids{"to-server", "another1", "servers", ""};
  maker::ClientInitial p{.frames = std::string(text_of(frames)), .to = ids.at(how & 3)};
  if ((how & 4) != 0) p.keys_from = "to-server";
  if ((how & 8) != 0) p.version = QuicVersion::v2;
  if ((how & 16) != 0) p.token = "token";
  p.number_size = 1 + (how >> 5 & 3);
  p.packet_number = how >> 8 & 255;
  return maker::packet(p);
}

std::vector<std::string> sealed_of(ByteReader input) {
  std::vector<std::string> out;
  while (!input.empty() && out.size() < 32) {
    const auto how = static_cast<unsigned>(input.number(2));
    const std::uint64_t size = input.number(2);
    const std::string packet =
        one_packet(how, input.take(std::min<std::uint64_t>(size & 0x7fff, input.rest().size())));
    const bool coalesced = (how & 128) != 0 && !out.empty();
    if (coalesced) {
      out.back() += packet;
    } else {
      out.push_back(packet);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteReader input(Bytes(data + 1, size - 1));
  QuicInitial quic;
  for (const std::string& datagram : data[0] == 0 ? datagrams_of(input) : sealed_of(input)) {
    const QuicState before = quic.state();
    const ClientHello hello = quic.hello();
    const QuicState after = quic.feed(bytes_of(datagram));
    check(after == quic.state(), "it says what it keeps");
    check(before != QuicState::malformed || after == before, "what is malformed stays so");
    check(before != QuicState::found || after == before || after == QuicState::malformed,
          "what is found stays, or is malformed");
    check(before != QuicState::found || hello == quic.hello(), "a name never changes");
    const std::string& name = quic.hello().server_name;
    check(name.empty() || maker::is_proper_host_name(name), "a name is a host name");
    check(name.empty() || quic.hello().has_sni, "a name comes from an SNI");
    if (after != QuicState::found || datagram.empty()) continue;
    // Each datagram again: it can say nothing new. Packets that no key opens count anew.
    QuicInitial again = quic;
    const bool found = again.feed(bytes_of(datagram)) == QuicState::found;
    check(found || again.misses() > QuicInitial::kMostMisses, "a datagram may come twice");
  }
  return 0;
}
