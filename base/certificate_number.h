// How certificates are named in revocation lists: by their issuer and a serial number (RFC 5280 section 5.1).
// Pure; any thread.
#pragma once

#include <string>

struct X509_name_st;    // X509_NAME
struct asn1_string_st;  // ASN1_INTEGER

namespace nightlatch {

// Hexadecimal, lower case; empty when there is no memory for it.
[[nodiscard]] std::string serial_text(const asn1_string_st* serial);
// "1a2b3c4d/0f": the issuer's name, in its canonical form, by 32 bits of its hash. Two CAs of one hash would
// share what either has revoked, and never the other way.
[[nodiscard]] std::string certificate_key(const X509_name_st* issuer, const asn1_string_st* serial);

}  // namespace nightlatch
