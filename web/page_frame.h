// What all pages of the portal have in common, and the three forms that an answer takes. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"
#include "web/negotiate.h"
#include "web/value.h"

namespace nightlatch {

// The OpenID providers that a page offers to sign in with: a form each, to POST /oidc/NAME/start.
struct ProviderOffers {
  std::vector<std::string> names;  // empty: none is offered
  std::string label = "Sign in with ";
  std::string token;        // the forms' hidden token
  std::string hold, login;  // what it is for (web/site.h, Onward)
  bool anew = false;        // a sign-in that the provider remembers is not enough
  bool first = false;       // before the form for a password
};

// A form by which a passkey is shown, or made. The script web/assets/passkey.js asks the browser for it,
// fills the form in and sends it; without the script it stays hidden. A page that has one is allowed to run
// that script.
struct PasskeyForm {
  std::string action, label;  // where it goes, and what its button says
  std::string again;          // the path of a page with a fresh one
  bool create = false;
  bool first = false;                        // before the page's other form, and the one to use
  bool alone = false;                        // there is no other way on that page
  bool verified = false;                     // get: the authenticator must verify who it is
  std::string rp_id;                         // the portal's name
  std::string token;                         // the form's hidden token
  std::string challenge;                     // and that of the challenge: "STAMP.CHALLENGE"
  std::string hold, login;                   // what it is for (web/site.h, Onward)
  std::vector<std::string> credentials;      // base64url; get: one of these; create: none of these
  std::string user_handle, user_name, name;  // create: base64url; whose; what to call it
};

struct PageFrame {  // what every page has
  Format format = Format::text;
  std::string portal;  // "https://gate.office.example"
  ProviderOffers offers{};
  std::optional<PasskeyForm> passkey{};
};

// `body` is a template between the common head and foot; what `view` holds is escaped.
[[nodiscard]] HttpResponse html_page(const PageFrame& frame, int status, std::string_view body,
                                     const std::string& title, Value::Object view);
[[nodiscard]] HttpResponse json_page(int status, const Value::Object& object);
[[nodiscard]] HttpResponse text_page(int status, std::string body);
void add_unless_empty(Value::Object& object, const char* key, const std::string& value);

// The headers that every answer carries, whatever it is; of the content security policy, the page's own if it
// has one.
void add_security_headers(HttpResponse& response);

// Files that pages refer to: "/assets/style.css", "/assets/passkey.js", "/favicon.svg". nullopt for any other
// path.
[[nodiscard]] std::optional<HttpResponse> asset(std::string_view path);

}  // namespace nightlatch
