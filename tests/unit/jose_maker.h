// Makes keys and signs tokens as a provider does, with OpenSSL alone, so that what is tested is not also what
// made the test. For tests only.
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

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch::jose {

inline std::string encode(std::string_view bytes) {
  return base64url({static_cast<const unsigned char*>(static_cast<const void*>(bytes.data())), bytes.size()});
}

class SigningKey {
 public:
  static SigningKey rsa(unsigned bits) { return SigningKey(EVP_RSA_gen(bits), "RSA", 0); }
  static SigningKey ec(const char* curve, std::size_t size) {  // "P-256", 32
    return SigningKey(EVP_EC_gen(curve), curve, size);
  }

  // The public key as a JWK; `more` is put in front: "\"kid\":\"1\","
  [[nodiscard]] std::string jwk(const std::string& more = "") const {
    if (size_ == 0) {
      return "{" + more + R"("kty":"RSA","n":")" + encode(number(OSSL_PKEY_PARAM_RSA_N, 0)) + R"(","e":")" +
             encode(number(OSSL_PKEY_PARAM_RSA_E, 0)) + "\"}";
    }
    return "{" + more + R"("kty":"EC","crv":")" + kind_ + R"(","x":")" +
           encode(number(OSSL_PKEY_PARAM_EC_PUB_X, size_)) + R"(","y":")" +
           encode(number(OSSL_PKEY_PARAM_EC_PUB_Y, size_)) + "\"}";
  }

  // `header` and `payload` as they are; the algorithm is told apart from what the header says.
  [[nodiscard]] std::string sign(const std::string& algorithm, const std::string& header,
                                 const std::string& payload) const {
    const std::string input = encode(header) + "." + encode(payload);
    const std::string digest = "SHA" + algorithm.substr(2);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_PKEY_CTX* parameters = nullptr;
    EVP_DigestSignInit(context.get(), &parameters, EVP_get_digestbyname(digest.c_str()), nullptr, key_.get());
    if (algorithm[0] == 'P') {
      EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
    }
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, bytes(input), input.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), bytes(signature), &size, bytes(input), input.size());
    signature.resize(size);
    return input + "." + encode(size_ == 0 ? signature : flat(signature));
  }

 private:
  SigningKey(EVP_PKEY* key, std::string kind, std::size_t size)
      : key_(key, EVP_PKEY_free), kind_(std::move(kind)), size_(size) {}
  static unsigned char* bytes(std::string& s) {
    return static_cast<unsigned char*>(static_cast<void*>(s.data()));
  }
  static const unsigned char* bytes(const std::string& s) {
    return static_cast<const unsigned char*>(static_cast<const void*>(s.data()));
  }
  static std::string padded(const BIGNUM* n, std::size_t size) {
    std::string out(size == 0 ? static_cast<std::size_t>(BN_num_bytes(n)) : size, '\0');
    BN_bn2binpad(n, bytes(out), static_cast<int>(out.size()));
    return out;
  }
  [[nodiscard]] std::string number(const char* name, std::size_t size) const {
    BIGNUM* n = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &n);
    std::string out = padded(n, size);
    BN_free(n);
    return out;
  }
  // r || s, RFC 7518 section 3.4
  [[nodiscard]] std::string flat(const std::string& der) const {
    const unsigned char* at = bytes(der);
    ECDSA_SIG* sig = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string out = padded(ECDSA_SIG_get0_r(sig), size_) + padded(ECDSA_SIG_get0_s(sig), size_);
    ECDSA_SIG_free(sig);
    return out;
  }
  std::shared_ptr<EVP_PKEY> key_;
  std::string kind_;
  std::size_t size_;  // of a coordinate; 0: RSA
};

inline std::string header(const std::string& algorithm, const std::string& kid = "",
                          const std::string& more = "") {
  return R"({"alg":")" + algorithm + "\"" + (kid.empty() ? "" : R"(,"kid":")" + kid + "\"") + more + "}";
}
inline std::string set_of(const std::vector<std::string>& jwks) {
  std::string out;
  for (const std::string& jwk : jwks) out += (out.empty() ? "" : ",") + jwk;
  return R"({"keys":[)" + out + "]}";
}

}  // namespace nightlatch::jose
