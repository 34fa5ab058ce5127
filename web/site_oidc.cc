// Signing in with an OpenID provider (OpenID Connect Core section 3.1): to the provider and back. Whatever
// comes back is refused unless everything about it is right, each fault under its own name; only then is the
// sign-in recorded, as of when the person authenticated at the provider (semantics 1).
#include "web/site_oidc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "auth/secret_box.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "store/identities.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestCode = 4096;

// The shortest age that is of any use: of what asked for it, or of anything at all.
struct Need {
  Seconds max_age{0};
  bool every_time = false;
  bool second_factor = false;
  std::string resource;
};

Seconds longest_session(const Office& office) {
  Seconds longest{0};
  for (const Policy& p : office.data().policies) {
    if (!p.deny) longest = std::max(longest, p.terms.session);
  }
  if (longest == Seconds(0)) longest = Seconds(12 * 3600);
  return office.data().session_max ? std::min(longest, *office.data().session_max) : longest;
}

// By the policy that says what the resource, if there is one, is still in want of.
Need need_of(const Office& office, const Resource* resource, const Verdict& verdict,
             const Provider& provider) {
  Need t;
  t.max_age = longest_session(office);
  if (resource == nullptr) return t;
  t.resource = resource->name;
  if (verdict.policy == nullptr || verdict.policy->deny) return t;
  t.max_age = verdict.session;
  if (verdict.policy->terms.mfa && !provider.mfa_acr.empty()) {
    t.second_factor = true;
    t.max_age = std::min(t.max_age, *verdict.policy->terms.mfa);
  }
  t.every_time = t.max_age == Seconds(0);
  if (t.every_time) t.max_age = kEveryTimeBurst;
  return t;
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }
}  // namespace

Site::OidcReturn::~OidcReturn() {
  wipe(secret);
  wipe(access_token);
  wipe(login.verifier);
}

// "/oidc/NAME/start", ".../callback", ".../logout", ".../sign-out"
void Site::route_oidc(const VisitPtr& v) {
  const std::string_view rest = std::string_view(v->request.path).substr(6);
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || !check_name(rest.substr(0, slash), "provider"))
    return show_error(v, 404);
  const std::string action = last_part(rest);
  auto provider = find_provider(reader_.db(), rest.substr(0, slash));
  if (!provider && provider.error().kind != ErrorKind::not_found) return unavailable(v, provider.error());
  if (!provider || !provider->enabled || rest.substr(slash) != "/" + action) return show_error(v, 404);
  if (!oidc_->client) return unavailable(v, Error::failure("there is no resolver to find providers with"));
  const bool posts = v->request.method == "POST";
  if (action == "start" && posts) return oidc_start(v, *provider);
  if (action == "callback" && !posts) return oidc_callback(v, *provider);
  if (action == "logout" && posts) return oidc_logout(v, *provider);
  if (action == "sign-out" && !posts) return oidc_sign_out(v, *provider);
  if (action == "start") return lead_to(v, "/");  // someone pressed Enter in the address bar
  show_error(v, 404);
}

ProviderOffers Site::offers(Visit& v, const Onward& onward, OfferFor what) {
  ProviderOffers out;
  const auto providers = list_providers(reader_.db());
  if (!providers) return out;
  for (const Provider& p : *providers) {
    if (p.enabled && (what != OfferFor::step_up || !p.mfa_acr.empty())) out.names.push_back(p.name);
  }
  if (out.names.empty()) return out;
  out.token = form_token(v, "provider");
  out.hold = onward.hold;
  out.login = onward.login;
  out.anew = what == OfferFor::anew;
  if (out.anew) out.label = "Sign in anew with ";
  if (what == OfferFor::step_up) out.label = "Confirm with ";
  const auto local = reader_.db().integer("SELECT 1 FROM user WHERE password IS NOT NULL LIMIT 1");
  out.first = local && !*local;
  return out;
}

void Site::oidc_start(const VisitPtr& v, const Provider& provider) {
  auto form = accept_form(v, "provider");
  if (!form) return;
  if (device_refusal(*v) && (v->device == nullptr || v->device->state != DeviceState::pending)) {
    return show_state(v, std::nullopt, 403, "", "");
  }
  const Onward onward = Onward::of(*form);
  auto hold = own_hold(*v, onward.hold);
  if (!hold) return unavailable(v, hold.error());
  // What asks is a flow that was held here, or a machine elsewhere that waits to be confirmed.
  const Resource* resource = *hold ? v->office->resource((*hold)->resource) : nullptr;
  std::optional<Login> waiting;
  if (!onward.login.empty()) {
    waiting = answerable(v, onward.login);
    if (!waiting) return;
    if (waiting->resource) resource = v->office->resource(*waiting->resource);
  }
  Verdict verdict;
  if (resource != nullptr) {
    verdict = waiting && v->user != nullptr && v->shown
                  ? verdict_there(*v, *waiting)
                  : decide_resource(*v->office, v->subject(), *resource, v->now);
  }
  const Need terms = need_of(*v->office, resource, verdict, provider);
  PendingLogin login;
  login.provider = provider.id;
  login.nonce = random_token(24);
  login.verifier = random_token(32);
  login.browser = v->form_cookie;
  login.source = source_text(v->place);
  login.counted_as = throttle_source(v->place);
  login.hold = *hold ? (*hold)->code : "";
  login.login = onward.login;
  login.resource = terms.resource;
  login.wanted = {terms.max_age, terms.every_time || form->get("anew") == "1"};
  login.second_factor = terms.second_factor;
  oidc_->client->metadata(
      provider, [this, v, provider,
                 login](const std::variant<ProviderClient::MetadataPtr, ProviderFault>& known) mutable {
        if (const auto* fault = std::get_if<ProviderFault>(&known)) {
          return oidc_refuse(v, provider, {login.hold, login.login}, *fault);
        }
        const ProviderMetadata& at = *std::get<ProviderClient::MetadataPtr>(known);
        if (!at.does_pkce) {
          return oidc_refuse(v, provider, {login.hold, login.login},
                             {"no_pkce", "it does not take S256 code challenges"});
        }
        login.asked = options_.now();
        send_to_provider(v, provider, at, std::move(login));
      });
}

// The browser goes on by itself: not by a redirect of the form, which some browsers would hold against the
// form's page (form-action) wherever the provider then leads.
void Site::send_to_provider(const VisitPtr& v, const Provider& provider, const ProviderMetadata& at,
                            PendingLogin login) {
  std::string scope = "openid";
  for (const std::string& s : provider.scopes) scope += " " + s;
  std::string acr;
  for (const std::string& a : provider.mfa_acr) acr += (acr.empty() ? "" : " ") + a;
  const Digest challenge = sha256(login.verifier);
  std::string url = at.authorization_endpoint;
  url += url.find('?') == std::string::npos ? "?" : "&";
  url += "response_type=code&client_id=" + percent_encode(provider.client_id) +
         "&redirect_uri=" + percent_encode(redirect_uri(provider)) + "&scope=" + percent_encode(scope) +
         "&nonce=" + login.nonce + "&code_challenge_method=S256&code_challenge=" + base64url(challenge) +
         fmt::format("&max_age={}", std::max<Seconds::rep>(login.wanted.max_age->count(), 1));
  if (login.wanted.anew) url += "&prompt=login";
  if (login.second_factor) url += "&acr_values=" + percent_encode(acr);
  url += "&state=" + oidc_->pending.add(std::move(login));
  MessagePage page;
  page.heading = "On to " + provider.name;
  page.paragraphs = {"Your browser is going there by itself. If nothing happens, use the link."};
  page.links = {{url, "Go on to " + provider.name}};
  page.facts = {{"authorize_url", url}};
  HttpResponse response = show(v->frame, page);
  if (v->frame.format == Format::html) response.headers.emplace_back("Refresh", "0; url=" + url);
  respond(v, std::move(response));
}

std::string Site::redirect_uri(const Provider& provider) const {
  return options_.url + "/oidc/" + provider.name + "/callback";
}

void Site::oidc_callback(const VisitPtr& v, const Provider& provider) {
  auto r = std::make_shared<OidcReturn>();
  r->v = v;
  r->provider = provider;
  const auto query = FormFields::parse(v->request.query);
  if (!query) return show_error(v, 400);
  r->source = throttle_source(v->place);
  auto admission = oidc_->returns.admit(r->source);
  if (!admission.decision.allowed) return throttled(v, {}, admission.decision);
  if (!admission.place) return oidc_wait(v, provider);
  r->place = std::move(admission.place);
  const auto check = oidc_->pending.take(
      query->get("state"), provider.id, v->form_cookie,
      [&v](const std::string& source) { return same_device(*v, source); }, r->login);
  if (check != PendingLogins::Check::good) {
    // Any page may lead a browser here with a state of its making: that costs nothing, and stops nobody.
    oidc_->returns.good(r->source);
    return oidc_refuse(v, provider, {}, {std::string(to_text(check)), "what came back was not awaited here"});
  }
  const std::string code(query->get("code"));
  const std::string iss(query->get("iss"));
  const std::string error(query->get("error"));
  oidc_->client->metadata(
      provider, [=, this](const std::variant<ProviderClient::MetadataPtr, ProviderFault>& known) {
        if (const auto* fault = std::get_if<ProviderFault>(&known)) {
          return oidc_no_good(r, *fault);
        }
        const ProviderMetadata& at = *std::get<ProviderClient::MetadataPtr>(known);
        // RFC 9207 section 2.4: an answer of another provider, mixed up with this one's.
        if (iss.empty() ? at.says_iss : iss != provider.issuer) {
          return oidc_refuse(v, provider, r->onward(),
                             {"wrong_iss_parameter", "the answer is another issuer's"});
        }
        if (!error.empty()) {
          return oidc_refuse(v, provider, r->onward(), {"provider_refused", "it says " + oauth_error(error)});
        }
        if (code.empty() || code.size() > kLongestCode) {
          return oidc_refuse(v, provider, r->onward(), {"missing_code", "the answer holds no code"});
        }
        oidc_exchange(r, code);
      });
}

// What comes to nothing counts against who came back, unless it is the provider that does not answer.
void Site::oidc_no_good(const OidcReturnPtr& r, const ProviderFault& fault) {
  if (fault.no_answer()) oidc_->returns.good(r->source);
  oidc_refuse(r->v, r->provider, r->onward(), fault);
}

// The client's secret is sealed under a key in a file: it is read where that may wait.
void Site::oidc_exchange(const OidcReturnPtr& r, const std::string& code) {
  change(
      r->v,
      [r](Database& db, WallTime) -> Status {
        auto sealed = sealed_secret(db, r->provider.id);
        if (!sealed) return sealed.error();
        if (!*sealed) return Done{};
        auto box = SecretBox::open(db);
        if (!box) return box.error();
        auto secret = box->unseal(**sealed, secret_purpose(r->provider.id));
        if (!secret) return secret.error();
        r->secret = std::move(*secret);
        return Done{};
      },
      [this, r, code] {
        oidc_->client->exchange(r->provider, {code, redirect_uri(r->provider), r->login.verifier, r->secret},
                                [this, r](std::variant<TokenAnswer, ProviderFault> answer) {
                                  if (const auto* fault = std::get_if<ProviderFault>(&answer)) {
                                    return oidc_no_good(r, *fault);
                                  }
                                  auto& tokens = std::get<TokenAnswer>(answer);
                                  r->access_token = std::move(tokens.access_token);
                                  oidc_verify(r, tokens.id_token);
                                });
        wipe(r->secret);
      });
}

void Site::oidc_verify(const OidcReturnPtr& r, const std::string& id_token) {
  oidc_->client->verify(r->provider, id_token, [this, r](const std::variant<Jws, ProviderFault>& verified) {
    if (const auto* fault = std::get_if<ProviderFault>(&verified)) {
      return oidc_no_good(r, *fault);
    }
    const WallTime now = options_.now();
    const Provider& p = r->provider;
    auto checked = check_id_token(
        std::get<Jws>(verified),
        {p.issuer, p.client_id, r->login.nonce, r->access_token, p.groups_claim, r->login.asked}, now);
    if (const auto* fault = std::get_if<ClaimFault>(&checked)) {
      return oidc_refuse(r->v, p, r->onward(), {std::string(to_text(*fault)), "the ID token is not right"});
    }
    r->claims = std::move(std::get<IdClaims>(checked));
    if (too_old(r->claims.authenticated, r->login.wanted, r->login.asked, now)) {
      oidc_->returns.good(r->source);  // the next step is to sign in anew
      return oidc_too_old(r, now);
    }
    oidc_profile(r);
  });
}

// What the ID token did not say and is needed here is asked for; nothing else is.
void Site::oidc_profile(const OidcReturnPtr& r) {
  const Profile& known = r->claims.profile;
  const bool groups = !r->provider.groups_claim.empty() && !known.groups;
  const bool name = r->provider.create_users && account_name(known).empty();
  if (!groups && !name) return oidc_arrive(r);
  oidc_->client->userinfo(
      r->provider, r->access_token, [this, r](const std::variant<std::string, ProviderFault>& got) {
        const auto* fault = std::get_if<ProviderFault>(&got);
        if (fault != nullptr && fault->reason != "no_userinfo") {
          return oidc_no_good(r, *fault);
        }
        if (fault == nullptr) {
          auto read = read_userinfo(std::get<std::string>(got), r->claims.subject, r->provider.groups_claim);
          if (const auto* wrong = std::get_if<ClaimFault>(&read)) {
            return oidc_refuse(r->v, r->provider, r->onward(),
                               {std::string(to_text(*wrong)), "userinfo is not right"});
          }
          auto& more = std::get<Profile>(read);
          Profile& profile = r->claims.profile;
          if (profile.preferred_username.empty())
            profile.preferred_username = std::move(more.preferred_username);
          if (!profile.email_verified) {
            profile.email = std::move(more.email);
            profile.email_verified = more.email_verified;
          }
          if (!profile.groups) profile.groups = std::move(more.groups);
        }
        oidc_arrive(r);
      });
}

// Who this is here, and the sign-in itself.
void Site::oidc_arrive(const OidcReturnPtr& r) {
  const auto person = std::make_shared<ArrivedPerson>();
  ArrivingPerson arriving;
  arriving.subject = r->claims.subject;
  const Profile& profile = r->claims.profile;
  arriving.wanted_name = account_name(profile);
  arriving.session = r->claims.session;
  arriving.authenticated = r->claims.authenticated;
  arriving.asked = r->login.asked;
  // Groups that the provider does not speak of are groups that nobody is in.
  if (!r->provider.groups_claim.empty())
    arriving.groups = profile.groups.value_or(std::vector<std::string>());
  const ProvenMethods methods = methods_of(r->claims, r->provider.mfa_acr);
  ProvenUser user{UserId::none, "", r->claims.authenticated, methods.words, std::nullopt, r->provider.name};
  if (methods.second_factor) user.second_factor = r->claims.authenticated;
  const auto here = [person] {
    return person->kind == ArrivedPerson::Kind::known || person->kind == ArrivedPerson::Kind::created;
  };
  admit(r->v, {.prove = [=, provider = r->provider](
                            Database& db, WallTime now) mutable -> Result<std::optional<ProvenUser>> {
                 auto arrived = person_of(db, provider, arriving, now);
                 if (!arrived) return arrived.error();
                 *person = std::move(*arrived);
                 if (!here()) return std::optional<ProvenUser>();
                 user.id = person->user;
                 user.name = person->name;
                 return std::optional(user);
               },
               .onward = r->onward(),
               .recorded =
                   [this, r, person] {
                     oidc_->returns.good(r->source);
                     const bool created = person->kind == ArrivedPerson::Kind::created;
                     if (created || person->groups_left_out > 0) oidc_tell(r, *person);
                   },
               .undone = [this, r] { oidc_->returns.good(r->source); },
               .refused = [this, r, person] { oidc_stranger(r, *person); }});
}

void Site::oidc_tell(const OidcReturnPtr& r, const ArrivedPerson& person) {
  AuditEvent e;
  e.at = options_.now();
  e.event = person.kind == ArrivedPerson::Kind::created ? "user.created" : "user.groups";
  e.user = person.name;
  e.source = r->v->place.address.text();
  e.detail = fmt::format("{}, subject {}", r->provider.name, r->claims.subject);
  if (person.groups_left_out > 0) {
    e.detail +=
        fmt::format("; {} groups there have names that no group can have here", person.groups_left_out);
  }
  audit_.write(std::move(e));
}

// The provider's word is good, and this is nobody here.
}  // namespace nightlatch
