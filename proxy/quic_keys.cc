#include "proxy/quic_keys.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.h"

namespace nightlatch {

namespace {

struct Salt {
  std::array<std::uint8_t, 20> bytes;
  std::string_view key, iv, header;  // the labels
};

constexpr Salt kSaltV1{{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                        0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
                       "quic key",
                       "quic iv",
                       "quic hp"};
constexpr Salt kSaltV2{{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                        0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
                       "quicv2 key",
                       "quicv2 iv",
                       "quicv2 hp"};

// HKDF-Expand-Label without a context (RFC 8446 section 7.1), of at most one block of SHA-256.
template <std::size_t size>
std::array<std::uint8_t, size> expand(const Digest& secret, std::string_view label) {
  static_assert(size <= sizeof(Digest));
  std::string info{'\0', static_cast<char>(size), static_cast<char>(6 + label.size())};
  info.append("tls13 ").append(label);
  info += '\0';    // no context
  info += '\x01';  // the first block
  const Digest block = hmac_sha256(text_of(secret), info);
  std::array<std::uint8_t, size> out{};
  std::copy_n(block.begin(), size, out.begin());
  return out;
}

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

}  // namespace

InitialKeys client_initial_keys(QuicVersion version, Bytes connection_id) {
  const Salt& salt = version == QuicVersion::v1 ? kSaltV1 : kSaltV2;
  const Digest initial = hmac_sha256(text_of(salt.bytes), text_of(connection_id));
  const Digest client = expand<32>(initial, "client in");
  return {expand<16>(client, salt.key), expand<12>(client, salt.iv), expand<16>(client, salt.header)};
}

PacketNonce packet_nonce(const InitialKeys& keys, std::uint64_t packet_number) {
  PacketNonce nonce = keys.iv;
  for (std::size_t i = nonce.size(); i > 4; packet_number >>= 8) {
    nonce[--i] ^= static_cast<std::uint8_t>(packet_number & 0xff);
  }
  return nonce;
}

HeaderMask header_mask(const InitialKeys& keys, Bytes sample) {
  HeaderMask mask{};
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int n = 0;
  // Should OpenSSL fail, the mask is wrong, and what is read with it cannot be opened.
  if (cipher != nullptr &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_ecb(), nullptr, keys.header.data(), nullptr) == 1 &&
      EVP_CIPHER_CTX_set_padding(cipher.get(), 0) == 1) {
    EVP_EncryptUpdate(cipher.get(), mask.data(), &n, sample.data(), static_cast<int>(mask.size()));
  }
  return mask;
}

std::optional<std::vector<std::uint8_t>> open_payload(const InitialKeys& keys, std::uint64_t packet_number,
                                                      Bytes header, Bytes sealed) {
  if (sealed.size() < kQuicTag || sealed.size() > 65535) return std::nullopt;
  const Bytes text = sealed.first(sealed.size() - kQuicTag);
  std::array<std::uint8_t, kQuicTag> tag{};
  std::copy_n(sealed.last(kQuicTag).begin(), kQuicTag, tag.begin());
  const PacketNonce nonce = packet_nonce(keys, packet_number);
  std::vector<std::uint8_t> payload(text.size() + 1);  // never without an address
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int n = 0;
  const auto add = [&](std::uint8_t* out, Bytes in) {
    return in.empty() ||
           EVP_DecryptUpdate(cipher.get(), out, &n, in.data(), static_cast<int>(in.size())) == 1;
  };
  const bool opened =
      cipher != nullptr &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data()) == 1 &&
      add(nullptr, header) && add(payload.data(), text) &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) ==
          1 &&
      EVP_DecryptFinal_ex(cipher.get(), payload.data() + text.size(), &n) == 1;
  if (!opened) return std::nullopt;
  payload.resize(text.size());
  return payload;
}

}  // namespace nightlatch
