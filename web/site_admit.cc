// From a proven user to the answer: the one way in which the portal has a sign-in recorded, whatever proved
// it.
#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "web/site_work.h"

namespace nightlatch {

Onward Onward::of(const FormFields& form) {
  return {std::string(form.get("hold")), std::string(form.get("login"))};
}

void Site::admit(const VisitPtr& v, const ProvenUser& user, const Onward& onward,
                 const std::function<void(const Status&)>& settled) {
  const WallTime now = options_.now();
  // Plain copies: the visit belongs to the loop.
  const SignInPlace place = v->place;
  const std::string browser_token = random_token(32);
  const std::string digest = token_digest(browser_token);
  const auto outcome = std::make_shared<SignInOutcome>();
  AuditWriter& audit = audit_;
  const bool posted = writer_.post(
      [=, &audit](Database& db) -> Status {
        auto recorded = sign_in(db, audit, user, place, now);
        if (!recorded) return recorded.error();
        *outcome = std::move(*recorded);
        return outcome->present() ? remember_browser(db, digest, user.id, outcome->device, now)
                                  : Status(Done{});
      },
      [this, v, onward, outcome, browser_token, settled](const Status& written) {
        if (settled) settled(written);
        if (!written) return unavailable(v, written.error());
        if (outcome->present()) v->browser_token = browser_token;
        admitted(v, onward, outcome->present());
      });
  if (posted) return;
  const Error busy = Error::busy("too many changes wait for the store");
  if (settled) settled(busy);
  unavailable(v, busy);
}

// The sign-in is recorded, unless this device may not have any: back to what asked for it.
void Site::admitted(const VisitPtr& v, const Onward& onward, bool present) {
  v->now = std::max(v->now, options_.now());
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  if (!present) return show_state(v, std::nullopt, 403, "", "");
  v->set_cookies.push_back(
      fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", kBrowserCookie, v->browser_token));
  go_on(v, onward);
}

// Where a browser goes after something was proven: to the hold or the login it came for, else to /me.
void Site::go_on(const VisitPtr& v, const Onward& onward) {
  const std::string login = normal_code(onward.login);
  const bool to_login = is_login_code(login);
  if (to_login && v->frame.format != Format::html) return get_login_code(v, login);
  auto own = own_hold(*v, onward.hold);
  if (!own) own = std::optional<Hold>();
  if (v->frame.format == Format::html) {
    // See Other: going back or reloading never sends the password again.
    return lead_to(v, to_login ? "/l/" + login : *own ? "/k/" + (*own)->code : "/me");
  }
  if (*own) return show_state(v, *own, 200, "", "");
  if (v->user != nullptr && !device_refusal(*v)) return get_me(v);
  show_state(v, std::nullopt, 200, "", "");
}

void Site::change(const VisitPtr& v, std::function<Status(Database&)> job, std::function<void()> then) {
  const bool posted = writer_.post(std::move(job), [this, v, then = std::move(then)](const Status& written) {
    if (!written) return unavailable(v, written.error());
    then();
  });
  if (!posted) unavailable(v, Error::busy("too many changes wait for the store"));
}

void Site::lead_to(const VisitPtr& v, const std::string& path) const {
  HttpResponse response;
  response.status = 303;
  response.headers = {{"Location", path}, {"Cache-Control", "no-store"}};
  respond(v, std::move(response));
}

void Site::later(Millis delay, std::function<void()> then) {
  if (delay == Millis(0)) return then();
  work_.push_back(std::make_unique<Work>());
  const auto work = std::prev(work_.end());
  (*work)->timer = std::make_unique<Timer>(loop_, [this, work, then = std::move(then)] {
    const std::unique_ptr<Work> finished = std::move(*work);
    work_.erase(work);
    then();
  });
  (*work)->timer->once(delay);
}

}  // namespace nightlatch
