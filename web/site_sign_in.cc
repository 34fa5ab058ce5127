// What changes something: signing in, renewing, signing out. Each is a form with its own token.
#include <fmt/format.h>

#include <algorithm>

#include "auth/password.h"
#include "base/crypto.h"
#include "base/text.h"
#include "store/identities.h"
#include "store/people.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostChecks = 16;  // argon2 takes 19 MiB each
}  // namespace

// One attempt to sign in, from the form to the answer.
struct Site::SignInTry {
  VisitPtr v;
  std::string name, password, code, source;
  Onward onward;
  std::optional<Credential> credential;
  Millis delay{0};
  bool right = false;
  std::string_view refusal;  // why the store says no, as the log has it

  [[nodiscard]] Result<std::optional<ProvenUser>> prove(Database& db, AuditWriter& audit,
                                                        const SignInPlace& place, const std::string& device,
                                                        WallTime now);

  ~SignInTry() {
    wipe(password);
    wipe(code);
  }
};

// Browsers say where a form comes from. "null" is what our own Referrer-Policy makes of our own origin, so
// there Sec-Fetch-Site decides; what sends neither is no browser, or is stopped by the token.
bool Site::from_elsewhere(const HttpRequest& request) const {
  const std::string origin = lower(request.header("origin"));
  const std::string site = lower(request.header("sec-fetch-site"));
  return (!site.empty() && site != "same-origin" && site != "none") ||
         (!origin.empty() && origin != "null" && origin != lower(options_.url));
}

// Refuses what a page of another origin could have sent. nullopt: an answer has been given.
std::optional<FormFields> Site::accept_form(const VisitPtr& v, std::string_view purpose) {
  const std::string type = lower(v->request.header("content-type"));
  if (trim(std::string_view(type).substr(0, type.find(';'))) != "application/x-www-form-urlencoded") {
    show_error(v, 415);
    return std::nullopt;
  }
  auto form = FormFields::parse(v->request.body);
  if (!form) {
    show_error(v, 400);
    return std::nullopt;
  }
  const Onward onward = Onward::of(*form);
  if (from_elsewhere(v->request)) {
    start_over(v, {onward.hold, ""},  // a login that another site names is not one that was meant here
               "That form came from another site, so it was not used. If you meant to sign in, do it here.");
    return std::nullopt;
  }
  switch (tokens_.redeem(form->get("token"), v->form_cookie, purpose)) {
    case FormTokens::Check::good:
      return form;
    case FormTokens::Check::used:
      start_over(v, onward, "That form was sent before. Here is a fresh one, in case it is still needed.");
      break;
    case FormTokens::Check::stale:
      start_over(v, onward, "That form had been open for more than 15 minutes. Please use this fresh one.");
      break;
    case FormTokens::Check::foreign:
      start_over(v, onward,
                 "That form did not belong to this browser. Please use this fresh one; it needs cookies.");
      break;
  }
  return std::nullopt;
}

void Site::start_over(const VisitPtr& v, const Onward& onward, const std::string& error) {
  if (!onward.login.empty()) {
    if (auto login = answerable(v, onward.login)) show_login(v, *login, 403, error);
    return;
  }
  auto own = own_hold(*v, onward.hold);
  if (!own) return unavailable(v, own.error());
  // A browser that is signed in was asked for a code.
  const bool code = v->request.path.starts_with("/step-up") && v->user != nullptr && !*own;
  if (code) return ask_for_code(v, onward, {.status = 403, .error = error});
  show_state(v, *own, 403, error, "", onward.login);
}

void Site::post_sign_in(const VisitPtr& v) {
  auto form = accept_form(v, "sign-in");
  if (!form) return;
  if (device_refusal(*v) && (v->device == nullptr || v->device->state != DeviceState::pending)) {
    return show_state(v, std::nullopt, 403, "", "");
  }
  auto t = std::make_shared<SignInTry>();
  t->v = v;
  t->name = trim(form->get("name"));
  t->password = form->get("password");
  t->code = form->get("code");
  t->onward = Onward::of(*form);
  t->source = throttle_source(v->place);
  if (checking_ >= kMostChecks) return unavailable(v, Error::busy("too many sign-ins at the same time"));

  const Throttle::Decision decision = throttle_.attempt(t->name, t->source);
  if (!decision.allowed) return throttled(v, t->onward, decision);
  t->delay = decision.delay;
  // A name that cannot be one is treated like one that does not exist.
  if (check_name(t->name, "name")) {
    auto credential = find_credential(reader_.db(), t->name);
    if (!credential) {
      throttle_.undone(t->name, t->source);
      return unavailable(v, credential.error());
    }
    t->credential = std::move(*credential);
  }
  // The same work for every name: neither the answer nor its time tells which ones exist.
  work_.push_back(std::make_unique<Work>());
  ++checking_;
  const auto work = std::prev(work_.end());
  (*work)->ticket = run_in_pool(
      loop_,
      [t] {
        const std::string& hash = t->credential ? t->credential->password_hash : decoy_hash();
        t->right = verify_password(hash, t->password) && t->credential.has_value();
      },
      [this, t, work] {
        wipe(t->password);
        --checking_;
        work_.erase(work);
        later(t->delay, [this, t] { verified(t); });
      });
}

void Site::throttled(const VisitPtr& v, const Onward& onward, const Throttle::Decision& decision) {
  if (decision.first_refusal) {
    AuditEvent e;
    e.at = v->now;
    e.event = "sign_in.throttled";
    e.device = v->device != nullptr ? v->device->name : "";
    e.verdict = "deny";
    e.reason = "too_many_failures";
    e.source = v->place.address.text();
    if (v->user != nullptr) e.user = v->user->name;
    e.detail = fmt::format("no attempt from here for {}", format_age(decision.retry_after));
    audit_.write(std::move(e));
  }
  auto own = own_hold(*v, onward.hold);
  MessagePage page;
  page.status = 429;
  page.tone = MessagePage::Tone::bad;
  page.heading = "Too many attempts";
  page.paragraphs = {
      fmt::format("Please wait {} before you try again from this device.", format_age(decision.retry_after))};
  if (v->user == nullptr) page.paragraphs.emplace_back("Elsewhere the right password still works.");
  page.links = {{own && *own ? "/k/" + (*own)->code : "/", "Back to the sign-in page"}};
  page.facts = {{"retry_after_s", decision.retry_after.count()}};
  HttpResponse response = show(v->frame, page);
  response.headers.emplace_back("Retry-After", std::to_string(decision.retry_after.count()));
  respond(v, std::move(response));
}

void Site::verified(const std::shared_ptr<SignInTry>& t) {
  if (!t->right) return refused(t, t->credential ? "wrong_password" : "unknown_name");
  if (!t->credential->enabled) return refused(t, "user_disabled");
  const bool with_code = !t->code.empty();
  Millis delay{0};
  if (with_code) {
    const Throttle::Decision decision = code_throttle_.attempt(t->credential->name, t->source);
    if (!decision.allowed) return throttled(t->v, t->onward, decision);
    delay = decision.delay;
  }
  const auto settled = [this, t, with_code](void (Throttle::*how)(std::string_view, std::string_view)) {
    (throttle_.*how)(t->name, t->source);
    if (with_code) (code_throttle_.*how)(t->credential->name, t->source);
  };
  later(delay, [this, t, settled] {
    admit(t->v, {.prove = [t, &audit = audit_, place = t->v->place,
                           device = t->v->device != nullptr ? t->v->device->name : ""](
                              Database& db, WallTime now) { return t->prove(db, audit, place, device, now); },
                 .onward = t->onward,
                 .recorded = [settled] { settled(&Throttle::succeeded); },
                 .undone = [settled] { settled(&Throttle::undone); },
                 .refused = [this, t] { refused(t, t->refusal); }});
  });
}

// The password is right, as it was when it was looked up: is it still, and the code that came with it?
Result<std::optional<ProvenUser>> Site::SignInTry::prove(Database& db, AuditWriter& audit,
                                                         const SignInPlace& place, const std::string& device,
                                                         WallTime now) {
  auto current = find_credential(db, credential->name);
  if (!current) return current.error();
  const bool same =
      *current && (*current)->id == credential->id && (*current)->password_hash == credential->password_hash;
  if (!same || !(*current)->enabled) {
    refusal = same ? "user_disabled" : "wrong_password";
    return std::optional<ProvenUser>();
  }
  ProvenUser user{credential->id, credential->name, now, "pwd", std::nullopt, "local"};
  if (code.empty()) return std::optional(std::move(user));
  auto used = use_code(db, user.id, code, now);
  if (!used) return used.error();
  tell_of_code(audit, *used, user.name, device, place.address, now);
  if (*used != CodeResult::otp && *used != CodeResult::recovery) {
    refusal = *used == CodeResult::used_before ? "code_used_before" : "wrong_code";
    return std::optional<ProvenUser>();
  }
  user.methods = "pwd otp";
  user.second_factor = now;
  return std::optional(std::move(user));
}

void Site::refused(const std::shared_ptr<SignInTry>& t, std::string_view reason) {
  const VisitPtr& v = t->v;
  AuditEvent e;
  e.at = v->now;
  e.event = "sign_in.refused";
  // What was typed as a name may be anything, a password too: only names that exist are written down.
  e.user = t->credential ? t->credential->name : "";
  e.device = v->device != nullptr ? v->device->name : "";
  e.verdict = "deny";
  e.reason = reason;
  e.source = v->place.address.text();
  audit_.write(std::move(e));
  // The store may have changed while the password was being checked.
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  auto own = own_hold(*v, t->onward.hold);
  if (!own) return unavailable(v, own.error());
  const char* error = reason == "wrong_code"         ? "The code is not right."
                      : reason == "code_used_before" ? "That code has been used: wait for the next one."
                                                     : "The name or the password is not right.";
  show_state(v, *own, 403, error, t->name, t->onward.login);
}

// Renewing is a real authentication: it leads to the form, with the name filled in.
void Site::post_renew(const VisitPtr& v) {
  if (!accept_form(v, "renew")) return;
  if (v->user == nullptr) return show_state(v, std::nullopt, 403, "", "");
  SignInPage page;
  page.heading = "Renew your sign-in";
  page.why = "With your password, every session of yours on " + v->device->name + " begins anew.";
  page.name = v->user->name;
  page.button = "Renew";
  page.token = form_token(*v, "sign-in");
  v->frame.offers = offers(*v, {}, OfferFor::anew);
  offer_passkey_sign_in(v, {});
  respond(v, show(v->frame, page));
}

std::string Site::provider_of_sign_in(const Visit& v) {
  if (!v.presence) return {};
  const auto told = find_told_sign_in(reader_.db(), v.presence->sign_in_id);
  const auto provider = told && *told ? find_provider(reader_.db(), (*told)->provider)
                                      : Result<Provider>(Error::not_found("the sign-in was made here"));
  return provider && provider->enabled ? provider->name : std::string();
}

void Site::post_sign_out(const VisitPtr& v) {
  if (!accept_form(v, "sign-out")) return;
  if (v->user == nullptr) return show_state(v, std::nullopt, 403, "", "");
  change(
      v,
      [&audit = audit_, user = v->user->id, name = v->user->name, device = v->device->id,
       device_name = v->device->name](Database& db, WallTime now) -> Status {
        auto ended = sign_out(db, audit, user, name, device, device_name, now);
        return ended ? Status(Done{}) : Status(ended.error());
      },
      [this, v, provider = provider_of_sign_in(*v)] {
        v->set_cookies.push_back(
            fmt::format("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", kBrowserCookie));
        MessagePage page;
        page.tone = MessagePage::Tone::good;
        page.heading = "Signed out";
        page.paragraphs = {"Your connections to protected resources from this device have been closed."};
        page.links = {{"/", "Sign in again"}};
        if (!provider.empty()) {
          page.paragraphs.push_back("You may still be signed in at " + provider + ".");
          page.links.push_back({"/oidc/" + provider + "/sign-out", "Sign out at " + provider + " too"});
        }
        page.facts = {{"signed_in", false}};
        respond(v, show(v->frame, page));
      });
}

}  // namespace nightlatch
