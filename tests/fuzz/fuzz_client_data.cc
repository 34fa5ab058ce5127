// The client data of a passkey ceremony: never two meanings, and nothing of it invented.
#include "auth/webauthn.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  if (const auto client = parse_client_data(text)) {
    const std::size_t all = client->type.size() + client->challenge.size() + client->origin.size();
    check(all <= text.size(), "no more is read than is there");
    check(!parse_client_data(std::string(text) + "{").has_value(), "nothing may follow");
  }
  // Whatever was asked, only the answer to it is taken.
  const Ceremony asked{"AMMPtDVxxGTStncdq417YDwBFi8vpIa-pw8oOuVW4TA", "https://gate.test", "gate.test",
                       false};
  const auto made = check_registration(asked, text, "");
  check(std::holds_alternative<PasskeyFault>(made), "client data alone registers nothing");
  // A challenge that is any bytes at all comes back as it was sent.
  if (size > 1024) return 0;
  const std::string challenge = base64url({data, size});
  const auto own = parse_client_data(R"({"type":"webauthn.get","challenge":")" + challenge +
                                     R"(","origin":"https://gate.test","crossOrigin":false,"more":[1,{}]})");
  check(own.has_value() && own->challenge == challenge && !own->cross_origin, "what browsers send is read");
  return 0;
}
