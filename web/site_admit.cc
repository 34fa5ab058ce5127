// From a proof to the answer: the one way in which the portal has a sign-in, or a second factor, recorded,
// whatever proves it.
#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "store/browsers.h"
#include "web/site_work.h"

namespace nightlatch {

Onward Onward::of(const FormFields& form) {
  return {std::string(form.get("hold")), std::string(form.get("login"))};
}

SignedInAt Visit::signed_in_at() const {
  return {device->id, device->name, place, token_digest(browser_token)};
}

void Site::prove_and(const VisitPtr& v, const Admission& admission, const Record& record,
                     const std::function<void()>& then) {
  const auto proven = std::make_shared<bool>(false);
  const bool posted = writer_.post(
      [=](Database& db, WallTime now) -> Status {
        auto user = admission.prove(db, now);
        if (!user) return user.error();
        *proven = user->has_value();
        return *proven ? record(db, **user, now) : Status(Done{});
      },
      [=, this](const Status& written) {
        if (!written) {
          admission.undone();
          return unavailable(v, written.error());
        }
        if (*proven) {
          admission.recorded();
          return then();
        }
        v->now = std::max(v->now, options_.now());
        if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
        admission.refused();
      },
      throttle_source(v->place));
  if (posted) return;
  admission.undone();
  unavailable(v, Error::busy("too many changes wait for the store"));
}

void Site::admit(const VisitPtr& v, const Admission& admission) {
  const std::string browser_token = random_token(32);
  const auto outcome = std::make_shared<SignInOutcome>();
  prove_and(
      v, admission,
      [&audit = audit_, outcome, place = v->place, digest = token_digest(browser_token),
       before = v->browser_token.empty() ? std::string() : token_digest(v->browser_token)](
          Database& db, const ProvenUser& user, WallTime now) -> Status {
        auto recorded = sign_in(db, audit, user, place, now);
        if (!recorded) return recorded.error();
        *outcome = std::move(*recorded);
        if (!outcome->present()) return Done{};
        const Presence shown{user.id, user.authenticated, user.second_factor, outcome->sign_in_id};
        return remember_browser(db, digest, outcome->device, shown, before, now);
      },
      [=, this] {
        if (outcome->present()) v->browser_token = browser_token;
        admitted(v, admission.onward, outcome->present());
      });
}

void Site::step_up(const VisitPtr& v, const Admission& admission) {
  const auto still = std::make_shared<bool>(false);
  prove_and(
      v, admission,
      [&audit = audit_, still, at = v->signed_in_at()](Database& db, const ProvenUser& user,
                                                       WallTime now) -> Status {
        auto recorded = nightlatch::step_up(db, audit, user, at, now);
        if (!recorded) return recorded.error();
        *still = *recorded;
        return Done{};
      },
      [=, this] {
        v->now = std::max(v->now, options_.now());
        if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
        if (!*still) return show_state(v, std::nullopt, 403, "Your sign-in has ended meanwhile.", "");
        go_on(v, admission.onward);
      });
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

void Site::change(const VisitPtr& v, StoreWriter::Job job, std::function<void()> then) {
  const bool posted = writer_.post(
      std::move(job),
      [this, v, then = std::move(then)](const Status& written) {
        if (!written) return unavailable(v, written.error());
        then();
      },
      throttle_source(v->place));
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
