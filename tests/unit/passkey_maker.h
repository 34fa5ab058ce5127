// An authenticator for tests: makes credentials and signs assertions as a real one does, and lets each test
// get any part of it wrong. ES256, Ed25519 or RS256, from OpenSSL.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/webauthn.h"
#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

class PasskeyMaker {
 public:
  explicit PasskeyMaker(CoseAlgorithm algorithm = CoseAlgorithm::es256, unsigned rsa_bits = 2048)
      : algorithm_(algorithm), key_(made(algorithm, rsa_bits)) {
    std::vector<unsigned char> raw(32);
    random_bytes(raw);
    id.assign(raw.begin(), raw.end());
  }

  static constexpr unsigned kPresent = 1, kVerified = 4, kEligible = 8, kBackedUp = 16;
  std::string id;
  std::string origin = "https://gate.test", rp_id = "gate.test";
  std::string user_handle;
  unsigned flags = kPresent | kVerified;
  std::uint32_t sign_count = 0;
  std::string more_client_data = ",\"crossOrigin\":false";

  [[nodiscard]] std::string client_data(std::string_view type, std::string_view challenge) const {
    return "{\"type\":\"" + std::string(type) + "\",\"challenge\":\"" + std::string(challenge) +
           "\",\"origin\":\"" + origin + "\"" + more_client_data + "}";
  }
  [[nodiscard]] std::string authenticator_data(bool with_key) const {
    const Digest hash = sha256(rp_id);
    std::string out(hash.begin(), hash.end());
    out += static_cast<char>(flags | (with_key ? 0x40U : 0U));
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(sign_count >> shift & 255U);
    if (with_key) {
      out += std::string(16, '\0');
      out += static_cast<char>(id.size() >> 8);
      out += static_cast<char>(id.size() & 255U);
      out += id + cose_key();
    }
    return out;
  }
  [[nodiscard]] std::string attestation_object() const {
    const std::string data = authenticator_data(true);
    std::string out =
        "\xa3\x63"
        "fmt\x64none\x67"
        "attStmt\xa0\x68"
        "authData\x59";
    out += static_cast<char>(data.size() >> 8);
    out += static_cast<char>(data.size() & 255U);
    return out + data;
  }
  // An assertion, counted up unless `counts` is off.
  bool counts = true;
  [[nodiscard]] Assertion assertion(std::string_view challenge) {
    if (counts) ++sign_count;
    Assertion out{id, client_data("webauthn.get", challenge), authenticator_data(false), "", user_handle};
    const Digest hash = sha256(out.client_data_json);
    out.signature = sign(out.authenticator_data + std::string(hash.begin(), hash.end()));
    return out;
  }
  [[nodiscard]] std::string sign(const std::string& what) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> ctx(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(ctx.get(), nullptr, algorithm_ == CoseAlgorithm::eddsa ? nullptr : EVP_sha256(),
                       nullptr, key_.get());
    std::string out(1024, '\0');
    std::size_t length = out.size();
    EVP_DigestSign(ctx.get(), mutable_raw(out), &length, raw(what), what.size());
    out.resize(length);
    return out;
  }
  [[nodiscard]] std::string cose_key() const {
    switch (algorithm_) {
      case CoseAlgorithm::es256: {
        std::string point(65, '\0');
        std::size_t length = 0;
        EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, mutable_raw(point), point.size(),
                                        &length);
        return "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + point.substr(1, 32) + "\x22\x58\x20" +
               point.substr(33, 32);
      }
      case CoseAlgorithm::eddsa: {
        std::string point(32, '\0');
        std::size_t length = point.size();
        EVP_PKEY_get_raw_public_key(key_.get(), mutable_raw(point), &length);
        return "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + point;
      }
      case CoseAlgorithm::rs256:
        break;
    }
    BIGNUM* n = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_RSA_N, &n);
    std::string modulus(static_cast<std::size_t>(BN_num_bytes(n)), '\0');
    BN_bn2bin(n, mutable_raw(modulus));
    BN_free(n);
    std::string out = "\xa4\x01\x03\x03\x39\x01";
    out += std::string("\x00\x20\x59", 3);
    out += static_cast<char>(modulus.size() >> 8);
    out += static_cast<char>(modulus.size() & 255U);
    return out + modulus + std::string("\x21\x43\x01\x00\x01", 5);
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  static Key made(CoseAlgorithm algorithm, unsigned rsa_bits) {
    EVP_PKEY* key = algorithm == CoseAlgorithm::es256   ? EVP_EC_gen("P-256")
                    : algorithm == CoseAlgorithm::eddsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                        : EVP_RSA_gen(rsa_bits);
    return {key, EVP_PKEY_free};
  }
  static const unsigned char* raw(const std::string& s) {
    return static_cast<const unsigned char*>(static_cast<const void*>(s.data()));
  }
  static unsigned char* mutable_raw(std::string& s) {
    return static_cast<unsigned char*>(static_cast<void*>(s.data()));
  }
  CoseAlgorithm algorithm_;
  Key key_;
};

}  // namespace nightlatch
