// What the site's own files share: work that is under way, and the signed-in browser's cookie. Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/text.h"
#include "net/loop.h"
#include "web/site.h"

namespace nightlatch {

// Something that proves who somebody is, on its way to be recorded.
struct Site::Admission {
  // On the writer's thread, in the transaction that records it: what was taken from the user meanwhile is
  // seen, and what was used up is used up with what it opens. nullopt: it is refused.
  std::function<Result<std::optional<ProvenUser>>(Database&, WallTime now)> prove;
  Onward onward;
  // On the loop, one of the three: it is on disk; the store had no answer, and nothing was decided; it is
  // refused, which this last one answers.
  std::function<void()> recorded, undone, refused;
};

inline constexpr std::string_view kBrowserCookie = "__Host-nl";

// A password being checked, or an answer that waits. Gone work never calls back.
struct Site::Work {
  Ticket ticket;
  std::unique_ptr<Timer> timer;
};

// On-link the MAC; off-link the address, or its /64: a machine may have as many addresses in it as it likes.
inline std::string throttle_source(const SignInPlace& place) {
  if (place.mac || place.address.is_v4()) return source_text(place);
  return mask(place.address, 64).text() + "/64";
}

inline std::string token_digest(std::string_view token) {
  const Digest digest = sha256(token);
  return {digest.begin(), digest.end()};
}

// explain_reason() as a sentence of its own: "payroll asks for a sign-in every 8 h; ...".
[[nodiscard]] std::string sentence(const std::string& resource, const Verdict& verdict);

// Whether a request comes from the device that a hold's or a login's source names, or from another address of
// it.
[[nodiscard]] bool same_device(const Visit& v, const std::string& source);

[[nodiscard]] bool is_login_code(std::string_view code);         // after normal_code() (base/text.h)
[[nodiscard]] std::string spoken_code(const std::string& code);  // a login's, as people read it: "7QF4-ZX2A"

// Behind a shared address a sign-in is one person's, and only a credential tells whose a connection is.
inline constexpr std::string_view kSharedNote =
    "Several people share this address: your sign-in counts for connections that carry your name and your "
    "application password, which an administrator can give you.";

// Browsers know a passkey by the name that it was made for.
inline constexpr std::string_view kPasskeyElsewhere =
    "It was made when this portal had another name, and browsers do not offer it here. An administrator can "
    "take it away; then you can set up another factor.";

inline std::string encoded(std::string_view bytes) {  // base64url
  return base64url({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

}  // namespace nightlatch
