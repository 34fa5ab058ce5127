// Claims, userinfo, logout tokens, discovery documents and token answers: whatever is taken holds what was
// asked for.
#include <algorithm>

#include "auth/id_token.h"
#include "auth/provider_metadata.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  const WallTime now = from_ms(1'790'000'000'000);
  const IdTokenQuestion question{"https://id.example", "gate", "n1", "token", "groups", now - Seconds(60)};
  const auto id = check_id_token({std::string(text), JwsAlgorithm::rs256, ""}, question, now);
  if (const auto* claims = std::get_if<IdClaims>(&id)) {
    check(!claims->subject.empty() && claims->subject.size() <= kLongestClaim, "somebody, within bounds");
    check(claims->authenticated <= now, "nobody authenticated in the future");
    check(claims->profile.groups.value_or(std::vector<std::string>{}).size() <= kMostGroups,
          "groups are bounded");
    check(text.find("gate") != std::string_view::npos || text.find("\\u") != std::string_view::npos,
          "made for us");
    check(!methods_of(*claims, {"gold"}).words.empty(), "methods are always said");
  }
  const auto info = read_userinfo(text, "s-1", "groups");
  if (std::holds_alternative<Profile>(info)) {
    check(text.find("sub") != std::string_view::npos || text.find("\\u") != std::string_view::npos,
          "about someone");
  }
  const auto logout =
      check_logout_token({std::string(text), JwsAlgorithm::rs256, ""}, question.issuer, "gate", now);
  check(!std::holds_alternative<LogoutClaims>(logout) || !std::holds_alternative<IdClaims>(id),
        "no token is both an ID token and a logout token");
  const auto metadata = read_metadata(text, "https://id.example");
  if (const auto* m = std::get_if<ProviderMetadata>(&metadata)) {
    check(m->issuer == "https://id.example", "only the issuer that was asked for");
    for (const std::string& url : {m->authorization_endpoint, m->token_endpoint, m->jwks_uri}) {
      check(is_provider_url(url) && !host_of_provider_url(url).empty(), "https only");
    }
  }
  if (is_provider_url(text))
    check(text.starts_with("https://") && !host_of_provider_url(text).empty(), "a host");
  if (const auto answer = read_token_answer(text)) {
    check(answer->access_token.find_first_of("\r\n ") == std::string::npos, "a token never breaks a header");
  }
  check(oauth_error(text).size() <= 64 && read_token_error(text).size() <= 64, "errors are short");
  return 0;
}
