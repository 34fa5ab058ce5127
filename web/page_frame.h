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

struct PageFrame {  // what every page has
  Format format = Format::text;
  std::string portal;  // "https://gate.office.example"
  ProviderOffers offers{};
};

// `body` is a template between the common head and foot; what `view` holds is escaped.
[[nodiscard]] HttpResponse html_page(const PageFrame& frame, int status, std::string_view body,
                                     const std::string& title, Value::Object view);
[[nodiscard]] HttpResponse json_page(int status, const Value::Object& object);
[[nodiscard]] HttpResponse text_page(int status, std::string body);
void add_unless_empty(Value::Object& object, const char* key, const std::string& value);

// The headers that every answer carries, whatever it is.
void add_security_headers(HttpResponse& response);

// Files that pages refer to: "/assets/style.css", "/favicon.svg". nullopt for any other path.
[[nodiscard]] std::optional<HttpResponse> asset(std::string_view path);

}  // namespace nightlatch
