// ClientHello: the host name that a TLS client asks for in its first message (RFC 8446 section 4.1.2, RFC
// 6066 section 3). Bytes in, name out; pure, bounded, one flow, one thread. What a server would read
// otherwise than we do is refused as malformed, so that the name that was judged is the name that is served.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/byte_reader.h"

namespace nightlatch {

struct ClientHello {
  // A host name in its canonical form (WireName, policy/host_name.h). Empty when the
  // client sent none, or an address, which names nobody and which RFC 6066 does not allow there.
  std::string server_name;
  bool has_sni = false;  // a server_name extension is there, with a name or an address
  // encrypted_client_hello is there (RFC 9849): the name may be a front for another. Browsers send it at
  // random too, with nothing in it (GREASE), and from outside nobody can tell.
  bool has_ech = false;

  bool operator==(const ClientHello&) const = default;
};

inline constexpr std::size_t kMostClientHello = 4 + 16384;  // bytes: the header of the message and its body

// The size of the ClientHello that begins so, its header of 4 bytes included; 0 while that is not there yet;
// nothing when it is another message, or above the limit.
[[nodiscard]] std::optional<std::size_t> client_hello_size(Bytes beginning);

// The body of a ClientHello, all of it, without the header of the message; nothing when it is malformed.
[[nodiscard]] std::optional<ClientHello> parse_client_hello(Bytes body);

enum class HelloState : std::uint8_t {
  more,       // so far so good
  not_tls,    // not a TLS record of type handshake
  malformed,  // TLS, and not a ClientHello that can be relied on
  found,      // hello() says what is in it, which may be no name
};

// The same over TCP: the message may lie in several records, and a record in several segments.
class ClientHelloStream {
 public:
  // A hello takes at most so many records, and so many bytes of the stream, their headers included.
  static constexpr std::size_t kMostRecords = 64;
  static constexpr std::size_t kMostBytes = kMostClientHello + kMostRecords * 5;

  // Returns what is known now; once it is not `more` it stays. Bytes after the hello are not looked at.
  HelloState feed(Bytes bytes);
  [[nodiscard]] HelloState state() const { return state_; }
  [[nodiscard]] const ClientHello& hello() const { return hello_; }  // once found

 private:
  std::size_t take_header(Bytes bytes);
  std::size_t take_fragment(Bytes bytes);

  std::array<std::uint8_t, 5> header_{};  // of the record that is being read
  std::size_t header_size_ = 0;
  std::size_t record_left_ = 0;  // bytes of its fragment that are still to come
  std::size_t records_ = 0;
  std::vector<std::uint8_t> message_;  // at most kMostClientHello
  ClientHello hello_;
  HelloState state_ = HelloState::more;
};

}  // namespace nightlatch
