// A whole conversation with a SocksHandshake, told as one line of text, so that two ways of cutting the same
// bytes can be compared. Used by the unit tests and the fuzzer; one thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "proxy/socks.h"

namespace nightlatch {

inline std::string socks_hex(std::string_view bytes) {
  const std::string copy(bytes);
  return hex({reinterpret_cast<const unsigned char*>(copy.data()), copy.size()});  // NOLINT
}

inline std::string socks_text(const SocksAddress& a) {
  return a.name.empty() ? Endpoint{a.address, a.port}.text() : fmt::format("name {}:{}", a.name, a.port);
}

inline std::vector<std::string_view> socks_pieces(std::string_view bytes, std::size_t each) {
  std::vector<std::string_view> out;
  out.reserve(bytes.size() / each + 1);
  for (std::size_t i = 0; i < bytes.size(); i += each) out.push_back(bytes.substr(i, each));
  return out;
}

// Feeds the pieces one after the other, lets everybody but mallory in, and grants every request.
// "credential alice s3cret; request connect 10.88.0.2:5432; sent 0500...; rest ..." or "more; ..." or
// "failed: why; ..."
inline std::string socks_conversation(SocksMethods accepted, const std::vector<std::string_view>& pieces) {
  using Event = SocksHandshake::Event;
  SocksHandshake shake(accepted);
  std::string told, sent, rest;
  const auto send_all = [&] {
    sent += shake.output();
    shake.sent(shake.output().size());
  };
  for (std::string_view piece : pieces) {
    while (shake.event() == Event::more && !piece.empty()) {
      const std::span<char> room = shake.room();
      const std::string_view taken = piece.substr(0, room.size());
      std::copy(taken.begin(), taken.end(), room.begin());
      piece.remove_prefix(taken.size());
      if (shake.received(taken.size()) == Event::credential) {
        told += fmt::format("credential {} {}; ", shake.user(), shake.password());
        send_all();
        shake.credential(shake.user() != "mallory");
      }
      send_all();
    }
    rest += piece;
  }
  if (shake.event() == Event::failed)
    return told + fmt::format("failed: {}; sent {}", shake.why(), socks_hex(sent));
  if (shake.event() == Event::more) return told + fmt::format("more; sent {}", socks_hex(sent));
  shake.answer(SocksReply::succeeded, {IpAddress::v4(0xc0000201), 1080});
  send_all();
  const bool connect = shake.command() == SocksCommand::connect;
  return told + fmt::format("request {} {}; sent {}; rest {}", connect ? "connect" : "udp",
                            socks_text(shake.destination()), socks_hex(sent),
                            std::string(shake.rest()) + rest);
}

}  // namespace nightlatch
