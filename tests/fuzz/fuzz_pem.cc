// Certificates that came over plain HTTP, before anybody trusts them: what is compared is all that is taken.
#include "auth/pem.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto found = read_certificates(fuzz::text(data, size));
  if (!found) return 0;
  check(!found->empty() && found->size() <= 16, "as many as are allowed");
  for (const PemCertificate& one : *found) {
    check(one.fingerprint.size() == 95, "SHA-256 in pairs");
    const auto again = read_certificates(one.pem);
    check(again.ok() && again->size() == 1, "what is kept holds one certificate");
    check(again->front().fingerprint == one.fingerprint, "and the one that was compared");
  }
  return 0;
}
