// When signing in with an OpenID provider comes to nothing: what the person is told, and the log.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "store/identities.h"
#include "web/site_oidc.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
std::string clock_text(WallTime t) { return format_rfc3339(std::chrono::floor<Seconds>(t)); }

// Where somebody goes on from who came to nothing at a provider.
std::string way_back(const Onward& onward) {
  if (!onward.hold.empty()) return "/k/" + onward.hold;
  const std::string login = normal_code(onward.login);
  return is_login_code(login) ? "/l/" + login : "/";
}
}  // namespace

void Site::oidc_stranger(const OidcReturnPtr& r, const ArrivedPerson& person) {
  using Kind = ArrivedPerson::Kind;
  const std::string& p = r->provider.name;
  if (person.kind == Kind::logged_out) {
    return oidc_refuse(r->v, r->provider, r->onward(),
                       {"logged_out_meanwhile", "the person signed out there; subject " + r->claims.subject});
  }
  ProviderFault fault{"unknown_subject", fmt::format("subject {}; nightlatch provider link {} SUBJECT USER",
                                                     r->claims.subject, p)};
  MessagePage page;
  page.status = 403;
  page.tone = MessagePage::Tone::bad;
  page.heading = "Nobody here goes by that account";
  page.paragraphs = {p + " says who you are, but no user of this office is known by it.",
                     "An administrator can say which user you are, and finds you in the log."};
  if (person.kind == Kind::disabled) {
    fault.reason = "user_disabled";
    page.heading = "You may not sign in here";
    page.paragraphs = {"An administrator has disabled your account."};
  } else if (person.kind == Kind::name_taken) {
    fault.reason = "name_taken";
    fault.detail =
        fmt::format("there is a user {} already; subject {}; nightlatch provider link {} SUBJECT USER",
                    person.name, r->claims.subject, p);
  } else if (person.kind == Kind::no_name) {
    fault.reason = "no_usable_name";
  }
  oidc_audit(r->v, r->provider, fault, person.kind == Kind::disabled ? person.name : "");
  page.links = {{way_back(r->onward()), "Sign in as someone else"}};
  page.facts = {{"reason", fault.reason}, {"provider", p}};
  respond(r->v, show(r->v->frame, page));
}

// A silent answer from a session at the provider that is older than what asked for it allows.
void Site::oidc_too_old(const OidcReturnPtr& r, WallTime now) {
  const Visit& v = *r->v;
  const std::string& p = r->provider.name;
  const Millis age = now - r->claims.authenticated;
  oidc_audit(r->v, r->provider,
             {"auth_time_too_old",
              fmt::format("authenticated {}, {} ago; subject {}", clock_text(r->claims.authenticated),
                          format_age(age), r->claims.subject)});
  MessagePage page;
  page.status = 403;
  page.heading = "That sign-in is too old";
  const std::string asks =
      r->login.wanted.anew
          ? "A new sign-in was asked for at " + clock_text(r->login.asked)
          : fmt::format("{} one that is less than {} old, and now it is {}",
                        r->login.resource.empty() ? "Asked for was" : r->login.resource + " asks for",
                        format_age(*r->login.wanted.max_age), clock_text(now));
  page.paragraphs = {fmt::format("{} says that you signed in there at {}, {} ago.", p,
                                 clock_text(r->claims.authenticated), format_age(age)),
                     asks + ".", "Nothing was changed. You can sign in anew."};
  page.facts = {{"reason", "auth_time_too_old"},
                {"provider", p},
                {"authenticated_at", format_rfc3339(r->claims.authenticated)},
                {"now", format_rfc3339(now)}};
  PageFrame frame = v.frame;
  frame.offers = offers(*r->v, r->onward(), OfferFor::anew);
  std::erase_if(frame.offers.names, [&](const std::string& name) { return name != p; });
  frame.offers.first = true;
  respond(r->v, show(frame, page));
}

void Site::oidc_audit(const VisitPtr& v, const Provider& provider, const ProviderFault& fault,
                      const std::string& user) {
  AuditEvent e;
  e.at = options_.now();
  e.event = "sign_in.refused";
  e.user = user;
  e.device = v->device != nullptr ? v->device->name : "";
  e.reason = fault.reason;
  e.detail = provider.name + ": " + printable(fault.detail);
  audit_refusal(*v, std::move(e));
}

// The hosts that a browser is sent to are reachable before anybody is signed in (semantics 14): the gate
// reads them. What the portal itself asks is not among them: devices have no business there.
void Site::learn_hosts(const Provider& provider, const ProviderMetadata& at) {
  const std::vector<ProviderHost> hosts = hosts_for_browsers(at);
  const bool posted = writer_.post(
      [id = provider.id, name = provider.name, hosts, &audit = audit_](Database& db, WallTime now) -> Status {
        auto changed = set_provider_hosts(db, id, hosts);
        if (!changed) return changed.error();
        if (!*changed) return Done{};
        AuditEvent e;
        e.at = now;
        e.event = "provider.hosts";
        e.detail = name + ": everybody is sent to";
        for (const ProviderHost& h : hosts) e.detail += fmt::format(" {}:{}", printable(h.host), h.port);
        audit.write(std::move(e));
        return Done{};
      },
      [name = provider.name](const Status& written) {
        if (!written) log_warning("{}: {}", name, written.error().message);
      });
  if (!posted)
    log_warning("{}: its hosts could not be written down, too much waits for the store", provider.name);
}

// Others from here are on their way back at this moment. The state is not used up: the browser asks again by
// itself.
void Site::oidc_wait(const VisitPtr& v, const Provider& provider) {
  oidc_audit(v, provider, {"too_many_at_once", "others from here are being signed in"});
  MessagePage page;
  page.status = 429;
  page.heading = "One moment";
  page.paragraphs = {"Others are being signed in from here. Your browser tries again by itself."};
  page.facts = {
      {"reason", "too_many_at_once"}, {"provider", provider.name}, {"retry_after_s", std::int64_t{1}}};
  HttpResponse response = show(v->frame, page);
  response.headers.emplace_back("Retry-After", "1");
  if (v->frame.format == Format::html) response.headers.emplace_back("Refresh", "1");
  respond(v, std::move(response));
}

// "Cannot verify" is not "expired": nothing about anybody's sessions has changed (semantics 14).
void Site::oidc_refuse(const VisitPtr& v, const Provider& provider, const Onward& onward,
                       const ProviderFault& fault) {
  oidc_audit(v, provider, fault);
  MessagePage page;
  page.status = 403;
  page.tone = MessagePage::Tone::bad;
  page.facts = {{"reason", fault.reason}, {"provider", provider.name}};
  page.links = {{way_back(onward), "Back to the sign-in page"}};
  if (fault.no_answer()) {
    page.status = 503;
    page.heading = "Cannot verify who you are";
    page.paragraphs = {provider.name + " does not answer as it should, so it could not be asked who you are.",
                       "Sessions that are open run to their end. Please try again in a moment."};
  } else if (fault.reason == "provider_refused" || fault.reason == "code_refused") {
    page.heading = "Not signed in";
    page.paragraphs = {provider.name + " did not sign you in. Nothing was changed."};
  } else if (fault.reason == "logged_out_meanwhile") {
    page.heading = "You signed out at " + provider.name;
    page.paragraphs = {"That was while you were signing in here. Nothing was changed; please sign in again."};
  } else if (fault.reason.find("state") != std::string::npos) {
    page.heading = "This sign-in was not awaited";
    page.paragraphs = {
        "It was begun in another browser or on another device, was used before, or took longer than ten "
        "minutes. Nothing was changed; please begin again."};
  } else {
    page.heading = "Cannot verify who you are";
    page.paragraphs = {
        "What " + provider.name + " says cannot be trusted, so it was not used. Nothing was changed.",
        "An administrator finds the reason in the log."};
  }
  respond(v, show(v->frame, page));
}

}  // namespace nightlatch
