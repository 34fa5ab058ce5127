// What the site keeps for sign-ins with OpenID providers: what it knows of the providers, and who is away at
// one. Owned by the site; loop's thread.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "web/pending_logins.h"
#include "web/provider_client.h"
#include "web/return_desk.h"
#include "web/site.h"

namespace nightlatch {

struct Site::Oidc {
  std::unique_ptr<ProviderClient> client;  // nullptr: there is no resolver here, and nothing can be asked
  PendingLogins pending;
  ReturnDesk returns;
};

// One browser on its way back from a provider.
struct Site::OidcReturn {
  VisitPtr v;
  std::string source;           // throttle_source()
  std::shared_ptr<void> place;  // of the ReturnDesk
  Provider provider;
  PendingLogin login;
  IdClaims claims;
  std::string secret;        // the client's; wiped as soon as it was used
  std::string access_token;  // likewise

  ~OidcReturn();
  [[nodiscard]] Onward onward() const { return {login.hold, login.login}; }
};

}  // namespace nightlatch
