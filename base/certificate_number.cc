#include "base/certificate_number.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509.h>

#include "base/text.h"

namespace nightlatch {

std::string serial_text(const asn1_string_st* serial) {
  BIGNUM* number = ASN1_INTEGER_to_BN(serial, nullptr);
  char* digits = number == nullptr ? nullptr : BN_bn2hex(number);
  std::string text = digits == nullptr ? "" : lower(digits);
  OPENSSL_free(digits);
  BN_free(number);
  return text;
}

std::string certificate_key(const X509_name_st* issuer, const asn1_string_st* serial) {
  return fmt::format("{:08x}/{}", X509_NAME_hash_ex(issuer, nullptr, nullptr, nullptr), serial_text(serial));
}

}  // namespace nightlatch
