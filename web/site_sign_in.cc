// What changes something: signing in, renewing, signing out. Each is a form with its own token.
#include <fmt/format.h>

#include <algorithm>

#include "auth/password.h"
#include "base/crypto.h"
#include "base/text.h"
#include "store/people.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostChecks = 16;  // argon2 takes 19 MiB each

// On-link the MAC; off-link the address, or its /64: a machine may have as many addresses in it as it likes.
std::string throttle_source(const SignInPlace& place) {
  if (place.mac || place.address.is_v4()) return source_text(place);
  return mask(place.address, 64).text() + "/64";
}
}  // namespace

// One attempt to sign in, from the form to the answer.
struct Site::SignInTry {
  VisitPtr v;
  std::string name, password, hold, source;
  std::optional<Credential> credential;
  Millis delay{0};
  bool right = false;
  std::string browser_token;
  SignInOutcome outcome;

  ~SignInTry() { wipe(password); }
};

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
  // Browsers say where a form comes from. "null" is what our own Referrer-Policy makes of our own origin, so
  // there Sec-Fetch-Site decides; what sends neither is no browser, or is stopped by the token.
  const std::string origin = lower(v->request.header("origin"));
  const std::string site = lower(v->request.header("sec-fetch-site"));
  const bool foreign = (!site.empty() && site != "same-origin" && site != "none") ||
                       (!origin.empty() && origin != "null" && origin != lower(options_.url));
  const std::string hold(form->get("hold"));
  if (foreign) {
    start_over(v, hold,
               "That form came from another site, so it was not used. If you meant to sign in, do it here.");
    return std::nullopt;
  }
  switch (tokens_.redeem(form->get("token"), v->form_cookie, purpose)) {
    case FormTokens::Check::good:
      return form;
    case FormTokens::Check::used:
      start_over(v, hold, "That form was sent before. Here is a fresh one, in case it is still needed.");
      break;
    case FormTokens::Check::stale:
      start_over(v, hold, "That form had been open for more than 15 minutes. Please use this fresh one.");
      break;
    case FormTokens::Check::foreign:
      start_over(v, hold,
                 "That form did not belong to this browser. Please use this fresh one; it needs cookies.");
      break;
  }
  return std::nullopt;
}

void Site::start_over(const VisitPtr& v, const std::string& hold, const std::string& error) {
  auto own = own_hold(*v, hold);
  if (!own) return unavailable(v, own.error());
  show_state(v, *own, 403, error, "");
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
  t->hold = form->get("hold");
  t->source = throttle_source(v->place);
  if (checking_ >= kMostChecks) return unavailable(v, Error::busy("too many sign-ins at the same time"));

  const Throttle::Decision decision = throttle_.attempt(t->name, t->source);
  if (!decision.allowed) return throttled(t, decision);
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
        if (t->delay == Millis(0)) {
          const std::unique_ptr<Work> finished = std::move(*work);
          work_.erase(work);
          verified(t);
          return;
        }
        (*work)->timer = std::make_unique<Timer>(loop_, [this, t, work] {
          const std::unique_ptr<Work> finished = std::move(*work);
          work_.erase(work);
          verified(t);
        });
        (*work)->timer->once(t->delay);
      });
}

void Site::throttled(const std::shared_ptr<SignInTry>& t, const Throttle::Decision& decision) {
  const VisitPtr& v = t->v;
  if (decision.first_refusal) {
    AuditEvent e;
    e.at = v->now;
    e.event = "sign_in.throttled";
    e.device = v->device != nullptr ? v->device->name : "";
    e.verdict = "deny";
    e.reason = "too_many_failures";
    e.source = v->place.address.text();
    e.detail = fmt::format("no sign-in from here for {}", format_age(decision.retry_after));
    audit_.write(std::move(e));
  }
  auto own = own_hold(*v, t->hold);
  MessagePage page;
  page.status = 429;
  page.tone = MessagePage::Tone::bad;
  page.heading = "Too many attempts";
  page.paragraphs = {
      fmt::format("Please wait {} before you try again from this device.", format_age(decision.retry_after)),
      "Elsewhere the right password still works."};
  page.links = {{own && *own ? "/k/" + (*own)->code : "/", "Back to the sign-in page"}};
  page.facts = {{"retry_after_s", decision.retry_after.count()}};
  HttpResponse response = show(v->frame, page);
  response.headers.emplace_back("Retry-After", std::to_string(decision.retry_after.count()));
  respond(v, std::move(response));
}

void Site::verified(const std::shared_ptr<SignInTry>& t) {
  const VisitPtr& v = t->v;
  if (t->right && t->credential->enabled) return record(t);
  AuditEvent e;
  e.at = v->now;
  e.event = "sign_in.refused";
  // What was typed as a name may be anything, a password too: only names that exist are written down.
  e.user = t->credential ? t->credential->name : "";
  e.device = v->device != nullptr ? v->device->name : "";
  e.verdict = "deny";
  e.reason = t->right ? "user_disabled" : t->credential ? "wrong_password" : "unknown_name";
  e.source = v->place.address.text();
  audit_.write(std::move(e));
  // The store may have changed while the password was being checked.
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  auto own = own_hold(*v, t->hold);
  if (!own) return unavailable(v, own.error());
  show_state(v, *own, 403, "The name or the password is not right.", t->name);
}

void Site::record(const std::shared_ptr<SignInTry>& t) {
  t->browser_token = random_token(32);
  const WallTime now = options_.now();
  // Plain copies: the visit belongs to the loop.
  const ProvenUser user{t->credential->id, t->credential->name, now, "pwd", false, "local"};
  const SignInPlace place = t->v->place;
  const std::string digest = token_digest(t->browser_token);
  const auto outcome = std::make_shared<SignInOutcome>();
  AuditWriter& audit = audit_;
  const bool posted = writer_.post(
      [=, &audit](Database& db) -> Status {
        auto recorded = sign_in(db, audit, user, place, now);
        if (!recorded) return recorded.error();
        *outcome = std::move(*recorded);
        const bool present =
            outcome->kind == SignInOutcome::Kind::signed_in || outcome->kind == SignInOutcome::Kind::pending;
        return present ? remember_browser(db, digest, user.id, outcome->device, now) : Status(Done{});
      },
      [this, t, outcome](const Status& written) {
        if (!written) {
          throttle_.undone(t->name, t->source);
          return unavailable(t->v, written.error());
        }
        throttle_.succeeded(t->name, t->source);
        t->outcome = std::move(*outcome);
        signed_in(t);
      });
  if (!posted) {
    throttle_.undone(t->name, t->source);
    unavailable(t->v, Error::busy("too many changes wait for the store"));
  }
}

void Site::signed_in(const std::shared_ptr<SignInTry>& t) {
  const VisitPtr& v = t->v;
  v->now = std::max(v->now, options_.now());
  const bool present =
      t->outcome.kind == SignInOutcome::Kind::signed_in || t->outcome.kind == SignInOutcome::Kind::pending;
  if (present) v->browser_token = t->browser_token;
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  if (!present) return show_state(v, std::nullopt, 403, "", "");
  v->set_cookies.push_back(
      fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", kBrowserCookie, t->browser_token));
  auto own = own_hold(*v, t->hold);
  if (!own) own = std::optional<Hold>();
  if (v->frame.format == Format::html) {
    // See Other: going back or reloading never sends the password again.
    HttpResponse response;
    response.status = 303;
    response.headers = {{"Location", *own ? "/k/" + (*own)->code : "/me"}, {"Cache-Control", "no-store"}};
    return respond(v, std::move(response));
  }
  if (*own) return show_state(v, *own, 200, "", "");
  if (v->user != nullptr && !device_refusal(*v)) return get_me(v);
  show_state(v, std::nullopt, 200, "", "");
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
  respond(v, show(v->frame, page));
}

void Site::post_sign_out(const VisitPtr& v) {
  if (!accept_form(v, "sign-out")) return;
  if (v->user == nullptr) return show_state(v, std::nullopt, 403, "", "");
  const WallTime now = options_.now();
  AuditWriter& audit = audit_;
  const bool posted = writer_.post(
      [&audit, user = v->user->id, name = v->user->name, device = v->device->id,
       device_name = v->device->name, now](Database& db) -> Status {
        auto ended = sign_out(db, audit, user, name, device, device_name, now);
        return ended ? Status(Done{}) : Status(ended.error());
      },
      [this, v](const Status& written) {
        if (!written) return unavailable(v, written.error());
        v->set_cookies.push_back(
            fmt::format("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", kBrowserCookie));
        MessagePage page;
        page.tone = MessagePage::Tone::good;
        page.heading = "Signed out";
        page.paragraphs = {"Your connections to protected resources from this device have been closed."};
        page.links = {{"/", "Sign in again"}};
        page.facts = {{"signed_in", false}};
        respond(v, show(v->frame, page));
      });
  if (!posted) unavailable(v, Error::busy("too many changes wait for the store"));
}

}  // namespace nightlatch
