// The keys of a QUIC client's Initial packets, which follow from the connection ID it chose: they keep
// nothing secret from who is on the path (RFC 9001 section 5, RFC 9369 section 3.3). Pure values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "proxy/byte_reader.h"

namespace nightlatch {

enum class QuicVersion : std::uint32_t { v1 = 0x00000001, v2 = 0x6b3343cf };

struct InitialKeys {
  std::array<std::uint8_t, 16> key{};
  std::array<std::uint8_t, 12> iv{};
  std::array<std::uint8_t, 16> header{};  // for header protection
};

using PacketNonce = std::array<std::uint8_t, 12>;
using HeaderMask = std::array<std::uint8_t, 16>;  // 5 bytes of it are used

inline constexpr std::size_t kQuicTag = 16;     // bytes that the seal adds to a payload
inline constexpr std::size_t kQuicSample = 16;  // bytes of it that the header's protection depends on

[[nodiscard]] InitialKeys client_initial_keys(QuicVersion version, Bytes connection_id);
[[nodiscard]] PacketNonce packet_nonce(const InitialKeys& keys, std::uint64_t packet_number);
[[nodiscard]] HeaderMask header_mask(const InitialKeys& keys, Bytes sample);  // of kQuicSample bytes

// The payload of a packet, when `sealed` (ciphertext and tag) was made with these keys for this header.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> open_payload(const InitialKeys& keys,
                                                                    std::uint64_t packet_number, Bytes header,
                                                                    Bytes sealed);

}  // namespace nightlatch
