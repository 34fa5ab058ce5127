// Makes the packets of a QUIC client, well and badly. For tests and fuzzers only; bytes are in a std::string.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/quic_keys.h"
#include "tests/unit/hello_maker.h"

namespace nightlatch::maker {

inline std::string varint(std::uint64_t n) {
  if (n < 64) return number(n, 1);
  if (n < 16384) return number(n | 0x4000, 2);
  if (n < 1U << 30) return number(n | 0x80000000, 4);
  return number(n | 0xc000000000000000, 8);
}

inline std::string crypto(std::uint64_t offset, std::string_view bytes) {
  return '\x06' + varint(offset) + varint(bytes.size()).append(bytes);
}
// The part of a stream that begins at `offset`.
inline std::string crypto_of(std::string_view stream, std::size_t offset, std::size_t size) {
  return crypto(offset, stream.substr(offset, size));
}

struct ClientInitial {
  std::string frames;
  std::string to = "to-server";            // destination connection ID
  std::string from = "client";             // source connection ID
  std::optional<std::string> keys_from{};  // the connection ID that the keys are made from; `to` when absent
  QuicVersion version = QuicVersion::v1;
  std::string token{};
  std::uint32_t packet_number = 0;
  unsigned number_size = 1;  // 1-4
  unsigned first_bits = 0;   // set in the first byte, before protection
  unsigned type = 0;         // 0 Initial, 1 0-RTT, 2 Handshake: as version 1 counts
  std::size_t size = 0;      // of the packet: PADDING up to it
};

inline std::string sealed(const InitialKeys& keys, std::uint64_t packet_number, std::string_view header,
                          std::string_view payload) {
  const PacketNonce nonce = packet_nonce(keys, packet_number);
  std::string out(payload.size() + kQuicTag, '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  int n = 0;
  const auto size = [](std::string_view text) { return static_cast<int>(text.size()); };
  const bool done =
      EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data()) == 1 &&
      EVP_EncryptUpdate(cipher, nullptr, &n, bytes_of(header).data(), size(header)) == 1 &&
      (payload.empty() || EVP_EncryptUpdate(cipher, at, &n, bytes_of(payload).data(), size(payload)) == 1) &&
      EVP_EncryptFinal_ex(cipher, at + payload.size(), &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kQuicTag), at + payload.size()) ==
          1;
  EVP_CIPHER_CTX_free(cipher);
  if (!done) std::abort();
  return out;
}

inline std::string packet(const ClientInitial& p) {
  const unsigned type = (p.type + (p.version == QuicVersion::v2 ? 1 : 0)) & 3;
  const auto header_for = [&](std::size_t payload_size) {
    std::string header = number(0xc0 | type << 4 | (p.number_size - 1) | p.first_bits, 1) +
                         number(static_cast<std::uint32_t>(p.version), 4) + vec(p.to, 1) + vec(p.from, 1);
    if (p.type == 0) header += varint(p.token.size()) + p.token;
    return header + varint(p.number_size + payload_size + kQuicTag) + number(p.packet_number, p.number_size);
  };
  std::string payload = p.frames;
  while (header_for(payload.size()).size() + payload.size() + kQuicTag < p.size) payload += '\0';
  std::string header = header_for(payload.size());
  const InitialKeys keys = client_initial_keys(p.version, bytes_of(p.keys_from.value_or(p.to)));
  const std::string body = sealed(keys, p.packet_number, header, payload);
  const std::size_t number_at = header.size() - p.number_size;
  const std::string all = header + body;
  if (all.size() < number_at + 4 + kQuicSample) return all;  // nobody can open it
  const HeaderMask mask = header_mask(keys, bytes_of(all).subspan(number_at + 4, kQuicSample));
  const auto flip = [&](std::size_t at, unsigned bits) {
    header[at] = static_cast<char>(static_cast<unsigned char>(header[at]) ^ bits);
  };
  flip(0, mask[0] & 0x0fU);
  for (std::size_t i = 0; i < p.number_size; ++i) flip(number_at + i, mask[1 + i]);
  return header + body;
}

// As the only packet of a datagram that begins a connection.
inline std::string datagram(ClientInitial p) {
  p.size = 1200;
  return packet(p);
}

inline std::string from_hex(std::string_view text) {
  std::string out;
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
  }
  return out;
}

}  // namespace nightlatch::maker
