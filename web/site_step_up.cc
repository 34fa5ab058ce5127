// A second factor on top of a sign-in: the page that asks for a code, and what becomes of the code.
#include <fmt/format.h>

#include "auth/second_factor.h"
#include "base/text.h"
#include "store/access.h"
#include "store/factors.h"
#include "web/factor_pages.h"
#include "web/site_work.h"

namespace nightlatch {

// Which factors the user may show is found here, and nothing in a form chooses among them. `hold` names the
// resource that asks, if one does.
void Site::ask_for_code(const VisitPtr& v, const Onward& onward, const Ask& ask) {
  auto factors = find_factors(reader_.db(), v->user->id);
  if (!factors) return unavailable(v, factors.error());
  const bool codes = factors->otp_since || factors->recovery_codes > 0;
  auto passkey = offer_passkey_step_up(v, onward, *factors);
  if (!passkey) return unavailable(v, passkey.error());
  if (!codes && !*passkey) return no_factor_yet(v, ask);
  CodePage page;
  page.status = ask.status;
  page.heading = ask.resource.empty() ? "Confirm that it is you" : "One more step to reach " + ask.resource;
  page.why = !ask.why.empty() ? ask.why
             : codes          ? "A code makes your second factor fresh on this device."
                              : "Your passkey makes your second factor fresh on this device.";
  page.error = ask.error;
  page.hold = onward.hold;
  page.login = onward.login;
  page.token = form_token(*v, "step-up");
  page.otp = factors->otp_since.has_value();
  page.recovery = factors->recovery_codes > 0;
  page.passkey = *passkey;
  page.reason = ask.reason;
  page.resource = ask.resource;
  respond(v, show(v->frame, page));
}

void Site::no_factor_yet(const VisitPtr& v, const Ask& ask) const {
  MessagePage page;
  page.status = ask.status;
  page.tone = MessagePage::Tone::bad;
  page.heading = ask.resource.empty() ? "You have no second factor yet"
                                      : ask.resource + " asks for more than a password";
  if (!ask.why.empty()) page.paragraphs.push_back(ask.why);
  page.facts = {{"verdict", "step_up"}, {"reason", ask.reason}, {"methods", Value::List{}}};
  if (!ask.resource.empty()) page.facts.emplace_back("resource", ask.resource);
  auto who = get_setting(reader_.db(), "factors.enrol");
  if (who && *who == "self") {
    page.paragraphs.emplace_back(
        "You have not set up a second factor yet. It takes a minute and a telephone.");
    page.links = {{"/me/factors", "Set up a second factor"}};
  } else {
    page.paragraphs.emplace_back("You have no second factor yet. An administrator can give you one.");
  }
  respond(v, show(v->frame, page));
}

void Site::get_step_up(const VisitPtr& v) {
  if (v->user == nullptr || device_refusal(*v)) return show_state(v, std::nullopt, 200, "", "");
  ask_for_code(v, {}, {});
}

void Site::post_step_up(const VisitPtr& v) {
  auto form = accept_form(v, "step-up");
  if (!form) return;
  if (v->user == nullptr || device_refusal(*v)) return show_state(v, std::nullopt, 403, "", "");
  const Onward onward = Onward::of(*form);
  const std::string source = throttle_source(v->place);
  const std::string account = v->user->name;
  const Throttle::Decision decision = code_throttle_.attempt(account, source);
  if (!decision.allowed) return throttled(v, onward, decision);
  auto code = std::make_shared<std::string>(form->get("code"));
  later(decision.delay, [=, this] { use_code_of(v, onward, code); });
}

// The code is used up, and the factor recorded, on the writer's thread; the answer follows.
void Site::use_code_of(const VisitPtr& v, const Onward& onward, const std::shared_ptr<std::string>& code) {
  const std::string source = throttle_source(v->place);
  const std::string account = v->user->name;
  const auto result = std::make_shared<CodeResult>(CodeResult::wrong);
  const auto still = std::make_shared<bool>(true);
  const WallTime now = options_.now();
  const ProvenUser user{v->user->id, v->user->name, now, "otp", now, "local"};
  const bool posted = writer_.post(
      [=, &audit = audit_, device = v->device->id, name = v->device->name,
       address = v->place.address](Database& db) -> Status {
        // Together: what took the factor away meanwhile is either before both or after both.
        auto tx = Transaction::begin(db);
        if (!tx) return tx.error();
        auto used = use_code(db, user.id, *code, now);
        wipe(*code);
        if (!used) return used.error();
        *result = *used;
        tell_of_code(audit, *used, user.name, name, address, now);
        if (*used != CodeResult::otp && *used != CodeResult::recovery) return Done{};
        auto recorded = step_up(db, audit, user, device, name, address, now);
        if (!recorded) return recorded.error();
        *still = *recorded;
        return tx->commit();
      },
      [=, this](const Status& written) {
        if (!written) {
          code_throttle_.undone(account, source);
          return unavailable(v, written.error());
        }
        v->now = std::max(v->now, options_.now());
        if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
        if (*result == CodeResult::otp || *result == CodeResult::recovery) {
          code_throttle_.succeeded(account, source);
          if (!*still) return show_state(v, std::nullopt, 403, "Your sign-in has ended meanwhile.", "");
          return go_on(v, onward);
        }
        show_again(v, onward,
                   *result == CodeResult::used_before
                       ? "That code has been used. Wait for the next one, and enter that."
                       : "That code is not right.");
      });
  if (posted) return;
  code_throttle_.undone(account, source);
  unavailable(v, Error::busy("too many changes wait for the store"));
}

// What the log says of a code that was shown; a recovery code is worth a line of its own.
void Site::tell_of_code(AuditWriter& audit, CodeResult result, const std::string& user,
                        const std::string& device, const IpAddress& address, WallTime now) {
  if (result == CodeResult::otp) return;  // the sign-in or the step-up that follows says it
  AuditEvent e;
  e.at = now;
  e.event = result == CodeResult::recovery ? "factor.recovery_used" : "step_up.refused";
  e.user = user;
  e.device = device;
  e.source = address.text();
  if (result != CodeResult::recovery) {
    e.verdict = "deny";
    e.reason = result == CodeResult::used_before ? "code_used_before" : "wrong_code";
  }
  audit.write(std::move(e));
}

// The same page as before, with what was wrong.
void Site::show_again(const VisitPtr& v, const Onward& onward, const std::string& error) {
  auto own = own_hold(*v, onward.hold);
  if (!own) return unavailable(v, own.error());
  if (*own || v->user == nullptr) return show_state(v, *own, 403, error, "", onward.login);
  ask_for_code(v, onward, {.status = 403, .error = error});
}

}  // namespace nightlatch
