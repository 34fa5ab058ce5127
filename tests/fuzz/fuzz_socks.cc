// SocksHandshake: the cut of the bytes changes nothing, and a request is what the last bytes say.
#include <array>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/socks_conversation.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;
using Event = SocksHandshake::Event;

namespace {

void check_request(const SocksHandshake& shake, std::string_view handshake) {
  const SocksAddress& to = shake.destination();
  const bool connect = shake.command() == SocksCommand::connect;
  check(connect || shake.command() == SocksCommand::udp_associate, "one of the two commands");
  check(!connect || to.port != 0, "a connection has a port");
  check(to.name.empty() || is_socks_name(to.name), "a name is one");
  if (handshake[0] == '\x04') {
    check(connect && handshake.ends_with('\0'), "SOCKS 4 connects");
    check(to.name.empty() || handshake.ends_with(std::string(to.name) + '\0'), "the name is what was sent");
    return;
  }
  std::array<char, 3 + kMaxSocksAddress> request{5, static_cast<char>(shake.command()), 0};
  const std::size_t size = 3 + encode_socks_address(to, std::span(request).subspan(3));
  check(size > 3, "every destination can be written");
  const bool mapped = to.name.empty() && to.address.is_v4() && handshake.size() >= 22 &&
                      handshake.substr(handshake.size() - 19).starts_with('\x04');
  check(mapped || handshake.ends_with(std::string_view(request.data(), size)),
        "the request is what was sent");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const SocksMethods accepted{(data[0] & 1) == 0, (data[0] & 2) == 0};
  const std::string_view bytes = fuzz::text(data, size).substr(2);
  const std::string whole = socks_conversation(accepted, {bytes});
  check(whole == socks_conversation(accepted, socks_pieces(bytes, 1)), "byte by byte");
  check(whole == socks_conversation(accepted, socks_pieces(bytes, 1U + data[1])), "in pieces");

  SocksHandshake shake(accepted);
  std::size_t at = 0;
  while (shake.event() == Event::more && at < bytes.size()) {
    check(!shake.room().empty(), "while it wants more there is room");
    shake.room()[0] = bytes[at++];
    if (shake.received(1) == Event::credential) {
      check(!shake.user().empty() && !shake.password().empty(), "a credential has both");
      check(accepted.password, "a credential comes only where it is taken");
      check(shake.credential(shake.user() != "mallory") != Event::request, "not before the request is sent");
    } else {
      check(shake.user().empty() && shake.password().empty(), "no credential at other times");
    }
  }
  if (shake.event() == Event::request) check_request(shake, bytes.substr(0, at));
  check((shake.event() == Event::failed) == !shake.why().empty(), "a failure has a reason");
  shake.answer(SocksReply::not_allowed);
  check(shake.output().size() <= 26, "what is sent back is bounded");
  check(shake.event() == Event::more || shake.room().empty(), "after its end it takes nothing");
  return 0;
}
