// QuicInitial: the host name that a QUIC client asks for, from the datagrams it sends (RFC 9000, RFC 9001;
// version 2: RFC 9369). Datagrams in, name out; pure, one flow, one thread, at most 80 KiB of memory.
//
// A client may open connection after connection from one address and port. So that no other name follows the
// one that was judged, all Initial packets of a flow must tell one ClientHello, and one name: the packets
// after a Retry, or in the other version, repeat it; whatever says something else is malformed. This holds
// for as long as the owner feeds the flow's datagrams. It need not feed those with a short header (first byte
// below 0x80).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "proxy/client_hello.h"
#include "proxy/quic_keys.h"

namespace nightlatch {

enum class QuicState : std::uint8_t {
  more,           // so far so good
  not_quic,       // nothing that begins a QUIC connection; it may still come
  other_version,  // QUIC of a version we do not know: the server's answer may bring the client to one we do
  malformed,      // no server should take this, or it would read it otherwise than we do; stays
  found,          // hello() says what is in it, which may be no name; stays, or becomes malformed
};

enum class QuicPacketKind : std::uint8_t;
struct QuicPacket;
struct OpenedQuicPacket;

class QuicInitial {
 public:
  static constexpr std::size_t kMostCrypto = 32768;    // bytes of the handshake, in whatever order they come
  static constexpr std::size_t kMostOrigins = 4;       // connection IDs that keys were made from
  static constexpr std::size_t kMostPackets = 16;      // in one datagram
  static constexpr std::size_t kMostMisses = 8;        // packets that no key opens: each costs two new keys
  static constexpr std::uint64_t kMostNumber = 126;    // of a packet
  static constexpr std::size_t kLeastDatagram = 1200;  // bytes, to begin a connection (RFC 9000 section 14.1)

  QuicState feed(Bytes datagram);
  [[nodiscard]] QuicState state() const { return state_; }
  [[nodiscard]] const ClientHello& hello() const { return hello_; }  // once found
  [[nodiscard]] std::size_t misses() const { return misses_; }       // Initial packets that no key opened

 private:
  struct Origin {  // the keys that follow from one connection ID
    InitialKeys v1, v2;
  };

  QuicState begins_otherwise(QuicPacketKind kind, std::size_t datagram_size);
  void take_initial(const QuicPacket& packet);
  std::optional<OpenedQuicPacket> open(const QuicPacket& packet);
  [[nodiscard]] bool take_frames(Bytes payload);
  [[nodiscard]] bool take_crypto(std::uint64_t offset, Bytes bytes);
  [[nodiscard]] bool read_hellos();

  std::vector<Origin> origins_;
  std::vector<std::uint8_t> crypto_;  // the client's handshake stream; only where arrived_ says so
  std::vector<bool> arrived_;
  std::size_t ready_ = 0;  // bytes from the start without a gap
  std::size_t read_ = 0;   // bytes of them that were messages
  std::size_t misses_ = 0;
  ClientHello hello_;
  QuicState state_ = QuicState::more;
};

}  // namespace nightlatch
