// Logging out: at the provider after signing out here (RP-Initiated Logout 1.0), and here because of a logout
// at the provider (Back-Channel Logout 1.0), which ends all sessions of that person at once.
#include <fmt/format.h>

#include <memory>

#include "base/log.h"
#include "base/text.h"
#include "store/identities.h"
#include "web/site_oidc.h"

namespace nightlatch {

namespace {
// Section 2.8: for programs, and never kept.
HttpResponse logout_answer(int status, const Value::Object& object) {
  HttpResponse response = json_page(status, object);
  for (auto& [name, value] : response.headers) {
    if (name == "Cache-Control") value = "no-store";
  }
  return response;
}
}  // namespace

// Without a hint who it was: the provider asks the person whether to log out there.
void Site::oidc_sign_out(const VisitPtr& v, const Provider& provider) {
  oidc_->client->metadata(
      provider, [this, v, provider](const std::variant<ProviderClient::MetadataPtr, ProviderFault>& known) {
        if (const auto* fault = std::get_if<ProviderFault>(&known)) {
          if (warnings_.worth(provider.name)) log_warning("{}: {}", provider.name, fault->detail);
          return lead_to(v, "/");
        }
        const ProviderMetadata& at = *std::get<ProviderClient::MetadataPtr>(known);
        if (at.end_session_endpoint.empty()) return lead_to(v, "/");
        std::string url = at.end_session_endpoint;
        url += url.find('?') == std::string::npos ? "?" : "&";
        url += "client_id=" + percent_encode(provider.client_id) +
               "&post_logout_redirect_uri=" + percent_encode(options_.url + "/");
        lead_to(v, url);
      });
}

void Site::oidc_logout(const VisitPtr& v, const Provider& provider) {
  const std::string type = lower(v->request.header("content-type"));
  const auto form = FormFields::parse(v->request.body);
  const bool is_form =
      trim(std::string_view(type).substr(0, type.find(';'))) == "application/x-www-form-urlencoded";
  const std::string token(form && is_form ? form->get("logout_token") : "");
  oidc_->client->verify(
      provider, token, [this, v, provider](const std::variant<Jws, ProviderFault>& verified) {
        if (const auto* fault = std::get_if<ProviderFault>(&verified))
          return refuse_logout(v, provider, *fault);
        auto checked =
            check_logout_token(std::get<Jws>(verified), provider.issuer, provider.client_id, options_.now());
        if (const auto* fault = std::get_if<ClaimFault>(&checked)) {
          return refuse_logout(v, provider, {std::string(to_text(*fault)), "the logout token is not right"});
        }
        log_out(v, provider, std::get<LogoutClaims>(checked));
      });
}

void Site::log_out(const VisitPtr& v, const Provider& provider, const LogoutClaims& claims) {
  const auto used_before = std::make_shared<bool>(false);
  const LogoutNotice notice{claims.subject, claims.session, claims.id};
  change(
      v,
      [=, &audit = audit_](Database& db, WallTime now) -> Status {
        // Together: a token that is used up and has ended nothing would be refused when it comes again.
        auto people = use_logout_token(db, provider.id, notice, now);
        if (!people) return people.error();
        *used_before = !people->has_value();
        if (*used_before) return Done{};
        for (const LoggedOut& person : **people) {
          auto ended = end_sessions(db, person.id, std::nullopt, now);
          if (!ended) return ended.error();
          AuditEvent e;
          e.at = now;
          e.event = "session.end";
          e.user = person.name;
          e.reason = "provider_logout";
          e.detail = fmt::format("{}: {} sessions", provider.name, *ended);
          audit.write(std::move(e));
        }
        audit.flush();  // the sessions are over whether or not this could be written
        return Done{};
      },
      [this, v, provider, used_before] {
        if (*used_before) return refuse_logout(v, provider, {"used_jti", "the logout token was used before"});
        HttpResponse response;
        response.headers = {{"Cache-Control", "no-store"}};
        respond(v, std::move(response));
      });
}

void Site::refuse_logout(const VisitPtr& v, const Provider& provider, const ProviderFault& fault) {
  AuditEvent e;
  e.at = options_.now();
  e.event = "logout.refused";
  e.reason = fault.reason;
  e.detail = provider.name + ": " + printable(fault.detail);
  audit_refusal(*v, std::move(e));
  // A provider that has no answer for us may try again: 503. Else section 2.8.
  respond(v, logout_answer(fault.no_answer() ? 503 : 400,
                           {{"error", "invalid_request"}, {"error_description", fault.reason}}));
}

}  // namespace nightlatch
