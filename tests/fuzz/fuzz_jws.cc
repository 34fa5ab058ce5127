// Signed tokens and key sets from strangers: nothing that they did not sign with a key of the set is ever
// taken.
#include <string>

#include "auth/jws.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {
// RFC 7515 appendix A.3: a real key and what it signed.
constexpr const char* kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view kSigned =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  static const JwkSet known = *JwkSet::parse(kKeys);
  static const std::vector<JwsAlgorithm> allowed{JwsAlgorithm::rs256, JwsAlgorithm::ps256,
                                                 JwsAlgorithm::es256, JwsAlgorithm::es384,
                                                 JwsAlgorithm::es512};
  const auto by_known = known.verify(text, allowed);
  if (const auto* jws = std::get_if<Jws>(&by_known)) {
    check(jws->payload == kSigned && jws->algorithm == JwsAlgorithm::es256, "only what was signed is taken");
  } else {
    check(!to_text(std::get<JwsFault>(by_known)).empty(), "every fault has a name");
  }
  check(!std::holds_alternative<Jws>(known.verify(text, {})), "nothing is allowed unless it was said");
  if (const auto set = JwkSet::parse(text)) {
    check(set->size() <= kMostJwks, "key sets are bounded");
    check(!std::holds_alternative<Jws>(set->verify("eyJhbGciOiJub25lIn0.e30.", allowed)),
          "none is no signature");
  }
  return 0;
}
