#include "proxy/quic_initial.h"

#include <algorithm>

namespace nightlatch {

enum class QuicPacketKind : std::uint8_t {
  none,           // no long header, or not all of it
  other_version,  // long, of a version we do not know
  broken,         // of a version we know, and against its rules
  initial,
  later,  // 0-RTT or Handshake: its keys are not to be had
};

// A packet with a long header (RFC 9000 section 17.2), as it lies in the datagram.
struct QuicPacket {
  QuicPacketKind kind = QuicPacketKind::none;
  QuicVersion version = QuicVersion::v1;
  Bytes connection_id;  // the server's
  Bytes bytes;          // all of it
  std::size_t number_at = 0;
};

// An Initial without its protection.
struct OpenedQuicPacket {
  bool valid = false;  // its number and the reserved bits are as they have to be
  std::vector<std::uint8_t> payload;
};

namespace {

using Kind = QuicPacketKind;

bool is_known(Kind kind) { return kind == Kind::initial || kind == Kind::later; }

// The bit that is always set is not asked for: RFC 9287 lets a client clear it.
QuicPacket read_packet(Bytes rest) {
  QuicPacket p;
  ByteReader reader(rest);
  const std::uint64_t first = reader.number(1);
  const std::uint64_t version = reader.number(4);
  p.connection_id = reader.vector(1);
  const Bytes source = reader.vector(1);
  // Only a server sends version 0, with the versions that it speaks.
  if (!reader.ok() || first < 0x80 || version == 0) return p;
  const bool v1 = version == static_cast<std::uint32_t>(QuicVersion::v1);
  const bool v2 = version == static_cast<std::uint32_t>(QuicVersion::v2);
  p.kind = v1 || v2 ? Kind::broken : Kind::other_version;
  if (p.kind == Kind::other_version || p.connection_id.size() > 20 || source.size() > 20) return p;
  p.version = v1 ? QuicVersion::v1 : QuicVersion::v2;
  // Initial, 0-RTT, Handshake, Retry: counted from 0 in version 1, from 1 in version 2.
  const std::uint64_t type = ((first >> 4) - (v1 ? 0U : 1U)) & 3;
  if (type == 0) reader.take(reader.varint());  // the token
  const std::uint64_t length = reader.varint();
  p.number_at = rest.size() - reader.rest().size();
  reader.take(length);
  if (!reader.ok() || type == 3) return p;  // only a server sends Retry
  p.bytes = rest.first(rest.size() - reader.rest().size());
  p.kind = type == 0 ? Kind::initial : Kind::later;
  return p;
}

// Takes off the protection of the header (RFC 9001 section 5.4), then that of the payload (5.3).
//
// The number is read as it stands. A server adds to it what it knows of the numbers before (RFC 9000 appendix
// A.3), which changes nothing as long as all are small; and no client needs more than kMostNumber of them.
std::optional<OpenedQuicPacket> open_with(const InitialKeys& keys, const QuicPacket& p) {
  if (p.bytes.size() < p.number_at + 4 + kQuicSample) return std::nullopt;
  const HeaderMask mask = header_mask(keys, p.bytes.subspan(p.number_at + 4, kQuicSample));
  const auto first = static_cast<std::uint8_t>(p.bytes.front() ^ (mask[0] & 0x0f));
  const std::size_t header_size = p.number_at + 1 + (first & 3);
  const Bytes protected_header = p.bytes.first(header_size);
  std::vector<std::uint8_t> header(protected_header.begin(), protected_header.end());
  header.front() = first;
  std::uint64_t number = 0;
  for (std::size_t i = p.number_at; i < header_size; ++i) {
    header[i] ^= mask[1 + i - p.number_at];
    number = number << 8 | header[i];
  }
  auto payload = open_payload(keys, number, header, p.bytes.subspan(header_size));
  if (!payload) return std::nullopt;
  return OpenedQuicPacket{number <= QuicInitial::kMostNumber && (first & 0x0c) == 0, std::move(*payload)};
}

// RFC 9000 section 19.3, after the type.
void skip_ack(ByteReader& reader, bool with_ecn) {
  reader.varint();  // largest
  reader.varint();  // delay
  std::uint64_t numbers = reader.varint();
  reader.varint();  // first range
  for (; numbers > 0 && reader.ok(); --numbers) {
    reader.varint();  // gap
    reader.varint();  // range
  }
  for (int i = 0; with_ecn && i < 3; ++i) reader.varint();
}

}  // namespace

QuicState QuicInitial::feed(Bytes datagram) {
  if (state_ == QuicState::malformed || datagram.empty()) return state_;
  QuicPacket packet = read_packet(datagram);
  if (!is_known(packet.kind)) return begins_otherwise(packet.kind, datagram.size());
  const Bytes connection_id = packet.connection_id;
  for (std::size_t packets = 1; is_known(packet.kind) && state_ != QuicState::malformed; ++packets) {
    if (packet.kind == Kind::initial) take_initial(packet);
    datagram = datagram.subspan(packet.bytes.size());
    packet = read_packet(datagram);
    // What is coalesced is of one connection (RFC 9000 section 12.2). Padding, cut packets and such are
    // passed over: a server does so too.
    const bool strange =
        packet.kind == Kind::other_version ||
        (is_known(packet.kind) &&
         (!std::ranges::equal(packet.connection_id, connection_id) || packets == kMostPackets));
    if (strange) state_ = QuicState::malformed;
  }
  return state_;
}

QuicState QuicInitial::begins_otherwise(QuicPacketKind kind, std::size_t datagram_size) {
  if (!origins_.empty()) {  // of the connection, with a short header; else it can only begin another one
    if (kind == Kind::other_version) state_ = QuicState::malformed;
  } else if (kind == Kind::broken) {
    state_ = QuicState::malformed;
  } else if (kind == Kind::other_version && datagram_size >= kLeastDatagram) {
    state_ = QuicState::other_version;
  } else if (state_ == QuicState::more) {
    state_ = QuicState::not_quic;
  }
  return state_;
}

void QuicInitial::take_initial(const QuicPacket& packet) {
  const auto opened = open(packet);
  if (!opened) {
    // No server has keys for it either, as it would have had to see first what they are made from. Late
    // packets of a connection that began before we listened look like this.
    if (origins_.empty() || ++misses_ > kMostMisses) state_ = QuicState::malformed;
    return;
  }
  if (state_ != QuicState::found) state_ = QuicState::more;
  if (!opened->valid || !take_frames(opened->payload) || !read_hellos()) state_ = QuicState::malformed;
}

// A client goes on with the keys it began with while the server's connection ID replaces its own, and makes
// new ones of the ID that it got with a Retry (RFC 9001 section 5.2).
std::optional<OpenedQuicPacket> QuicInitial::open(const QuicPacket& packet) {
  const bool v1 = packet.version == QuicVersion::v1;
  for (const Origin& origin : origins_) {
    if (auto opened = open_with(v1 ? origin.v1 : origin.v2, packet)) return opened;
  }
  const Origin own{client_initial_keys(QuicVersion::v1, packet.connection_id),
                   client_initial_keys(QuicVersion::v2, packet.connection_id)};
  auto opened = open_with(v1 ? own.v1 : own.v2, packet);
  if (!opened) return std::nullopt;
  if (origins_.size() == kMostOrigins)
    opened->valid = false;
  else
    origins_.push_back(own);
  return opened;
}

// Only these frames may be in an Initial packet (RFC 9000 section 12.4).
bool QuicInitial::take_frames(Bytes payload) {
  if (payload.empty()) return false;
  ByteReader reader(payload);
  while (!reader.empty()) {
    switch (reader.number(1)) {
      case 0x00:  // PADDING
      case 0x01:  // PING
        break;
      case 0x02:
        skip_ack(reader, false);
        break;
      case 0x03:
        skip_ack(reader, true);
        break;
      case 0x06: {  // CRYPTO
        const std::uint64_t offset = reader.varint();
        const Bytes bytes = reader.take(reader.varint());
        if (!reader.ok() || !take_crypto(offset, bytes)) return false;
        break;
      }
      case 0x1c:          // CONNECTION_CLOSE
        reader.varint();  // error
        reader.varint();  // type of the frame
        reader.take(reader.varint());
        break;
      default:
        return false;
    }
  }
  return reader.ok();
}

// The same bytes may come again, but not others in their place (RFC 9000 section 2.2).
bool QuicInitial::take_crypto(std::uint64_t offset, Bytes bytes) {
  if (offset > kMostCrypto || bytes.size() > kMostCrypto - offset) return false;
  auto at = static_cast<std::size_t>(offset);
  if (crypto_.size() < at + bytes.size()) {
    crypto_.resize(at + bytes.size());
    arrived_.resize(at + bytes.size());
  }
  for (const std::uint8_t byte : bytes) {
    if (arrived_[at] && crypto_[at] != byte) return false;
    arrived_[at] = true;
    crypto_[at++] = byte;
  }
  while (ready_ < arrived_.size() && arrived_[ready_]) ++ready_;
  return true;
}

// Asked by a HelloRetryRequest, a client says hello again, to the same name (RFC 8446 section 4.1.2).
bool QuicInitial::read_hellos() {
  while (true) {
    const Bytes rest = Bytes(crypto_).subspan(read_, ready_ - read_);
    const auto size = client_hello_size(rest);
    if (!size) return false;
    if (*size == 0 || rest.size() < *size) return true;
    auto hello = parse_client_hello(rest.first(*size).subspan(4));
    if (!hello || (state_ == QuicState::found && *hello != hello_)) return false;
    hello_ = std::move(*hello);
    read_ += *size;
    state_ = QuicState::found;
  }
}

}  // namespace nightlatch
