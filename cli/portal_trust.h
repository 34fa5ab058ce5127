// Portals that a user's own machine knows: where they are, and which certificate authority vouches for them.
// Kept in the user's configuration folder ($XDG_CONFIG_HOME/nightlatch, else ~/.config/nightlatch): `portal`
// is the one used last, portals/HOST.pem the authority of each that has one of its own. Needs no store. Main
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/context.h"

namespace nightlatch::cli {

struct PortalAddress {
  std::string url;   // "https://gate.office.example", "https://10.0.0.1:8443"
  std::string hold;  // the code of a hold's link, or empty
};
// "gate.office.example", "https://gate.office.example/", or the link that a blocked program showed (/k/CODE).
[[nodiscard]] Result<PortalAddress> parse_portal(std::string_view text);
// What was given, else $NIGHTLATCH_PORTAL, else the one used last; `usage` when none of them says.
[[nodiscard]] Result<PortalAddress> which_portal(const std::string& given);
void remember_portal(const PortalAddress& portal);  // that it is not remembered is no failure

// The authority to verify the portal by, as PEM; empty: the system's. From --ca, else what is kept here, else
// the portal is asked for it over plain HTTP, and it is kept once it is known to be right: by --fingerprint,
// or because the person at the terminal says so.
[[nodiscard]] Result<std::string> trusted_authority(Context& context, const PortalAddress& portal);

}  // namespace nightlatch::cli
