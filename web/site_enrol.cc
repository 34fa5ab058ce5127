// POST /enrol: a machine proves itself, by its service token on the ordinary port, or by a client certificate
// where those are asked for. Whoever is refused is told nothing; the audit log has the reason.
#include <fmt/format.h>

#include <chrono>

#include "auth/device_proof.h"
#include "base/text.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
// What the throttle counts by: no user can have such a name.
constexpr std::string_view kAccount = "/enrol";
constexpr std::size_t kLongestSecret = 128;

HttpResponse refusal() {
  HttpResponse response = json_page(403, {{"verdict", "deny"}, {"message", "This proves nothing here."}});
  response.close = true;
  return response;
}

// "Bearer SECRET" (RFC 6750 section 2.1) or the form's field `token`.
std::string secret_in(const HttpRequest& request) {
  const std::string_view field = request.header("authorization");
  const auto blank = field.find(' ');
  if (blank != std::string_view::npos && lower(field.substr(0, blank)) == "bearer")
    return std::string(trim(field.substr(blank)));
  const auto form = FormFields::parse(request.body);
  return form ? std::string(form->get("token")) : std::string();
}
}  // namespace

// A page of another site must not make a visitor's machine prove anything. Programs send neither field; a
// page that hides where it is from sends Origin: null.
bool Site::from_another_site(const Visit& v) const {
  const std::string origin = lower(v.request.header("origin"));
  const std::string site = lower(v.request.header("sec-fetch-site"));
  return (!site.empty() && site != "same-origin" && site != "none") ||
         (!origin.empty() && origin != lower(options_.url));
}

void Site::post_enrol(const VisitPtr& v) {
  v->frame.format = Format::json;
  if (from_another_site(*v)) return respond(v, refusal());
  std::string secret = secret_in(v->request);
  if (secret.empty()) {
    return respond(v,
                   json_page(400, {{"message",
                                    "Send the service token: Authorization: Bearer nlt_..., or a form with "
                                    "the field token."}}));
  }
  const Token* token = secret.size() <= kLongestSecret ? v->office->token_with(sha256(secret)) : nullptr;
  wipe(secret);
  prove(v, {token != nullptr ? token->id : TokenId::none, std::nullopt});
}

void Site::mtls(HttpRequest request, const HttpResponder& responder) {
  const bool enrols = request.path == "/enrol" && request.method == "POST";
  const auto v = std::make_shared<Visit>(Visit{.request = std::move(request),
                                               .responder = responder,
                                               .frame = {Format::json, options_.url},
                                               .now = options_.now(),
                                               .office = {},
                                               .place = {},
                                               .browser_token = {},
                                               .presence = {},
                                               .shown = {},
                                               .proofs = {},
                                               .form_cookie = {},
                                               .set_cookies = {}});
  if (!enrols) {
    HttpResponse response = json_page(404, {{"message", "Here is only POST /enrol."}});
    response.close = true;
    return respond(v, std::move(response));
  }
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  const auto& shown = v->request.certificate;
  if (!shown || from_another_site(*v)) return respond(v, refusal());
  prove(v, {TokenId::none, ShownCertificate{trust_.own, shown->sha256, shown->name, shown->serial,
                                            shown->chain, shown->expires, trust_.crl_file}});
}

void Site::prove(const VisitPtr& v, const ShownProof& shown) {
  const std::string source = throttle_source(v->place);
  const Throttle::Decision decision = throttle_.attempt(kAccount, source);
  if (!decision.allowed) return enrol_throttled(v, decision);
  later(decision.delay, [this, v, shown, source] {
    const auto outcome = std::make_shared<ProofOutcome>();
    const bool posted = writer_.post(
        [shown, outcome, place = v->place, &audit = audit_](Database& db, WallTime now) -> Status {
          auto proven = prove_device(db, audit, shown, place, now);
          if (!proven) return proven.error();
          *outcome = std::move(*proven);
          return Done{};
        },
        [this, v, source, outcome](const Status& written) {
          if (!written) {
            throttle_.undone(kAccount, source);
            return unavailable(v, written.error());
          }
          if (outcome->kind == ProofOutcome::Kind::refused) return respond(v, refusal());
          throttle_.succeeded(kAccount, source);
          HttpResponse response =
              json_page(200, {{"device", outcome->device},
                              {"state", outcome->kind == ProofOutcome::Kind::pending ? "pending" : "active"},
                              {"machine", outcome->by},
                              {"until", format_rfc3339(outcome->until)}});
          response.close = v->request.certificate != nullptr;  // each proof is a handshake of its own
          respond(v, std::move(response));
        },
        source);
    if (posted) return;
    throttle_.undone(kAccount, source);
    unavailable(v, Error::busy("too many changes wait for the store"));
  });
}

void Site::enrol_throttled(const VisitPtr& v, const Throttle::Decision& decision) {
  tell_of_throttled_proof(v->place, decision, v->now);
  HttpResponse response = json_page(
      429, {{"message", fmt::format("Too many attempts; wait {}.", format_age(decision.retry_after))},
            {"retry_after_s", decision.retry_after.count()}});
  response.headers.emplace_back("Retry-After", std::to_string(decision.retry_after.count()));
  response.close = true;
  respond(v, std::move(response));
}

void Site::tell_of_throttled_proof(const SignInPlace& place, const Throttle::Decision& decision,
                                   WallTime now) {
  if (!decision.first_refusal) return;
  AuditEvent e;
  e.at = now;
  e.event = "proof.throttled";
  e.verdict = "deny";
  e.reason = "too_many_failures";
  e.source = place.address.text();
  e.detail = fmt::format("no proof from here for {}", format_age(decision.retry_after));
  audit_.write(std::move(e));
}

// The handshake has refused it: it counts as any other attempt, and so does not fill the log. That there was
// none is no attempt: any page may have a browser knock here.
void Site::refused_certificate(const Endpoint& peer, std::string_view reason) {
  SignInPlace place;
  place.address = peer.address;
  place.mac = options_.mac_of ? options_.mac_of(peer.address) : std::nullopt;
  const WallTime now = options_.now();
  const std::string source = throttle_source(place);
  if (reason == "no_certificate") {
    if (!refusals_.worth("no_certificate/" + source)) return;
  } else if (const Throttle::Decision decision = throttle_.attempt(kAccount, source); !decision.allowed) {
    return tell_of_throttled_proof(place, decision, now);
  }
  AuditEvent e;
  e.at = now;
  e.event = "proof.refused";
  e.verdict = "deny";
  e.reason = reason;
  e.source = place.address.text();
  e.detail = source_text(place);
  audit_.write(std::move(e));
}

}  // namespace nightlatch
