// What authenticators send: attestation objects, authenticator data, keys. Every view lies within the input.
#include "auth/cbor.h"
#include "auth/webauthn.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
bool within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void judge(std::string_view bytes) {
  const auto data = parse_authenticator_data(bytes);
  if (!data) return;
  check(data->rp_id_hash == bytes.substr(0, 32), "the hash is at the front");
  if (!data->attested) return;
  const std::string_view id = data->attested->credential_id;
  check(within(id, bytes) && !id.empty() && id.size() <= kLongestCredentialId, "an id within bounds");
  if (!data->attested->key) return;
  const std::size_t length = data->attested->key->bytes.size();
  switch (data->attested->key->algorithm) {
    case CoseAlgorithm::es256:
      check(length == 64, "two coordinates");
      break;
    case CoseAlgorithm::eddsa:
      check(length == 32, "one point");
      break;
    case CoseAlgorithm::rs256:
      check(length == 259, "modulus and exponent");
      break;
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  judge(bytes);
  if (const auto inner = authenticator_data_in(bytes)) {
    check(within(*inner, bytes), "the data lies within the object");
    judge(*inner);
    check(!authenticator_data_in(std::string(bytes) + '\0').has_value(), "nothing may follow");
  }
  CborReader in(bytes);
  while (in.skip()) check(within(in.left(), bytes), "reading goes on, and stays inside");

  const Ceremony asked{"AMMPtDVxxGTStncdq417YDwBFi8vpIa-pw8oOuVW4TA", "https://gate.test", "gate.test",
                       false};
  const std::string client =
      R"({"type":"webauthn.create","challenge":")" + asked.challenge + R"(","origin":"https://gate.test"})";
  const auto made = check_registration(asked, client, bytes);
  if (const auto* credential = std::get_if<NewCredential>(&made)) {
    const std::string get =
        R"({"type":"webauthn.get","challenge":")" + asked.challenge + R"(","origin":"https://gate.test"})";
    const Assertion sent{credential->id, get, std::string(bytes.substr(0, 37)), std::string(bytes), ""};
    check(std::holds_alternative<PasskeyFault>(check_assertion(asked, credential->key, false, sent)),
          "its own bytes are no signature");
  }
  return 0;
}
