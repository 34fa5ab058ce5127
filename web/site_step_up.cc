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
  if (!codes && !*passkey) return no_factor_here(v, ask, factors->passkeys > 0);
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

// Nothing to ask for: there is no factor, or only passkeys of another name of the portal.
void Site::no_factor_here(const VisitPtr& v, const Ask& ask, bool elsewhere) const {
  MessagePage page;
  page.status = ask.status;
  page.tone = MessagePage::Tone::bad;
  page.heading = ask.resource.empty()
                     ? elsewhere ? "Your passkey cannot be used here" : "You have no second factor yet"
                     : ask.resource + " asks for more than a password";
  if (!ask.why.empty()) page.paragraphs.push_back(ask.why);
  page.facts = {{"verdict", "step_up"}, {"reason", ask.reason}, {"methods", Value::List{}}};
  if (!ask.resource.empty()) page.facts.emplace_back("resource", ask.resource);
  auto who = get_setting(reader_.db(), "factors.enrol");
  if (elsewhere) {
    page.paragraphs.emplace_back(kPasskeyElsewhere);
  } else if (who && *who == "self") {
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
  later(decision.delay,
        [=, this, admission = by_code(v, onward, std::string(form->get("code")))] { step_up(v, admission); });
}

Site::Admission Site::by_code(const VisitPtr& v, const Onward& onward, const std::string& code) {
  const std::string source = throttle_source(v->place), account = v->user->name;
  const auto result = std::make_shared<CodeResult>(CodeResult::wrong);
  const auto typed = std::make_shared<std::string>(code);
  return {
      .prove = [=, &audit = audit_, user = v->user->id, device = v->device->name, address = v->place.address](
                   Database& db, WallTime now) -> Result<std::optional<ProvenUser>> {
        auto used = use_code(db, user, *typed, now);
        wipe(*typed);
        if (!used) return used.error();
        *result = *used;
        tell_of_code(audit, *used, account, device, address, now);
        if (*used != CodeResult::otp && *used != CodeResult::recovery) return std::optional<ProvenUser>();
        return std::optional(ProvenUser{user, account, now, "otp", now, "local"});
      },
      .onward = onward,
      .recorded = [=, this] { code_throttle_.succeeded(account, source); },
      .undone = [=, this] { code_throttle_.undone(account, source); },
      .refused =
          [=, this] {
            show_again(v, onward,
                       *result == CodeResult::used_before
                           ? "That code has been used. Wait for the next one, and enter that."
                           : "That code is not right.");
          }};
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
