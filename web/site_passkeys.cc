// Passkeys (W3C Web Authentication) on the portal: a sign-in that is a second factor too, and a second factor
// on top of another sign-in. Which of the two a page offers is found here; what a form says never chooses.
// Making a new one is in site_new_passkey.cc.
#include <fmt/format.h>

#include "auth/passkey.h"
#include "base/text.h"
#include "store/passkeys.h"
#include "web/portal_config.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestField = 8192;  // in base64url

// The answer's five fields. nullopt when one is not base64url.
std::optional<Assertion> assertion_in(const FormFields& form) {
  Assertion sent;
  const std::pair<const char*, std::string*> fields[] = {{"credential", &sent.credential_id},
                                                         {"client_data", &sent.client_data_json},
                                                         {"authenticator_data", &sent.authenticator_data},
                                                         {"signature", &sent.signature},
                                                         {"user_handle", &sent.user_handle}};
  for (const auto& [name, to] : fields) {
    const std::string_view text = form.get(name);
    auto bytes = text.size() <= kLongestField ? from_base64url(text) : std::nullopt;
    if (!bytes) return std::nullopt;
    *to = std::move(*bytes);
  }
  return sent;
}

std::string step_up_purpose(UserId user) {
  return fmt::format("passkey step-up {}", static_cast<std::int64_t>(user));
}
constexpr std::string_view kSignInPurpose = "passkey sign-in";

// A page like this one, with a fresh challenge.
std::string again(const Onward& onward, std::string_view otherwise) {
  if (!onward.hold.empty()) return "/k/" + onward.hold;
  if (!onward.login.empty()) return "/l/" + onward.login;
  return std::string(otherwise);
}

std::string refusal_text(const std::string& fault) {
  if (fault == "unknown_passkey") return "That passkey is not known here: it may have been removed.";
  if (fault == "user_not_verified") {
    return "That passkey did not check who you are: here it needs your fingerprint, your face or its PIN.";
  }
  if (fault == "counter") {
    return "That passkey was not accepted: there may be a copy of it. Please tell an administrator.";
  }
  return "That passkey was not accepted.";
}
}  // namespace

// A passkey that a browser says it has, on its way through the throttle and the store.
struct Site::PasskeyShown {
  Ceremony asked;
  Assertion sent;
  std::optional<UserId> user;
  Onward onward;
  std::string account, source;  // for the throttle
  AuditEvent refused;           // as it is written when it comes to that
  std::string fault;            // why it was
};

// Browsers know passkeys by a domain name only (section 5.1.2, "effective domain").
std::optional<std::string> Site::passkey_name() const {
  auto host = host_of_url(options_.url);
  if (!host || IpAddress::parse(*host)) return std::nullopt;
  return host;
}

Ceremony Site::ceremony(const std::string& challenge, bool user_verification) const {
  std::string origin = lower(options_.url);
  if (origin.ends_with(":443")) origin.resize(origin.size() - 4);
  return {challenge, std::move(origin), passkey_name().value_or(""), user_verification};
}

void Site::offer_passkey(Visit& v, PasskeyForm form, const std::string& purpose) const {
  form.rp_id = passkey_name().value_or("");
  form.token = form_token(v, purpose);
  form.challenge = challenges_.issue(v.form_cookie, purpose);
  v.frame.passkey = std::move(form);
}

// Whoever asks is not known yet: offered as soon as anybody in the office has one.
void Site::offer_passkey_sign_in(const VisitPtr& v, const Onward& onward) {
  const auto name = passkey_name();
  if (v->frame.format != Format::html || !name) return;
  const auto any = any_passkey(reader_.db(), *name);
  if (!any || !*any) return;
  PasskeyForm form;
  form.action = "/sign-in/passkey";
  form.label = "Sign in with a passkey";
  form.again = again(onward, "/");
  form.verified = true;
  form.hold = onward.hold;
  form.login = onward.login;
  offer_passkey(*v, std::move(form), std::string(kSignInPurpose));
}

// False when this user has none that was made for the portal's name, or it has no name.
Result<bool> Site::offer_passkey_step_up(const VisitPtr& v, const Onward& onward, const Factors& factors) {
  auto passkeys = list_passkeys(reader_.db(), v->user->id);
  if (!passkeys) return passkeys.error();
  const auto name = passkey_name();
  if (!name) return false;
  std::erase_if(*passkeys, [&](const PasskeyRow& row) { return !usable_at(row.passkey, *name); });
  if (passkeys->empty()) return false;
  auto with_passkey = signed_in_with_passkey(reader_.db(), v->presence->sign_in_id);
  if (!with_passkey) return with_passkey.error();
  PasskeyForm form;
  form.action = "/step-up/passkey";
  form.label = "Use your passkey";
  form.again = again(onward, "/step-up");
  form.first = !factors.otp_since;  // recovery codes are for the day when nothing else is at hand
  form.alone = form.first && factors.recovery_codes == 0;
  form.verified = *with_passkey;
  form.hold = onward.hold;
  form.login = onward.login;
  for (const PasskeyRow& row : *passkeys) form.credentials.push_back(encoded(row.passkey.credential_id));
  offer_passkey(*v, std::move(form), step_up_purpose(v->user->id));
  return true;
}

// What was asked of this browser for this purpose, once. nullopt, with the error for people: nothing that is
// still open.
std::optional<Ceremony> Site::redeem_challenge(const VisitPtr& v, const FormFields& form,
                                               const std::string& purpose, bool user_verification,
                                               std::string& error) {
  const std::string_view token = form.get("challenge");
  switch (challenges_.redeem(token, v->form_cookie, purpose)) {
    case FormTokens::Check::good:
      return ceremony(std::string(token.substr(token.find('.') + 1)), user_verification);
    case FormTokens::Check::used:
      error = "That was sent before. Please try again.";
      break;
    case FormTokens::Check::stale:
      error = "That took more than five minutes. Please try again.";
      break;
    case FormTokens::Check::foreign:
      error = "That did not belong to this browser. Please try again; it needs cookies.";
      break;
  }
  return std::nullopt;
}

void Site::judge_passkey(const VisitPtr& v, const FormFields& form, std::optional<UserId> user,
                         bool user_verification, void (Site::*then)(const VisitPtr&, const Admission&)) {
  auto shown = std::make_shared<PasskeyShown>();
  shown->user = user;
  shown->onward = Onward::of(form);
  shown->source = throttle_source(v->place);
  shown->refused.at = v->now;
  shown->refused.event = user ? "step_up.refused" : "sign_in.refused";
  shown->refused.user = user ? v->user->name : "";
  shown->refused.device = v->device != nullptr ? v->device->name : "";
  shown->refused.source = v->place.address.text();
  auto sent = assertion_in(form);
  if (!sent || !passkey_name()) return show_error(v, 400);
  shown->sent = std::move(*sent);
  shown->account =
      user ? v->user->name : fmt::format("passkey {}", hex(sha256(shown->sent.credential_id)).substr(0, 32));
  const Throttle::Decision decision = passkey_throttle_.attempt(shown->account, shown->source);
  if (!decision.allowed) return throttled(v, shown->onward, decision);
  std::string error;
  auto asked = redeem_challenge(v, form, user ? step_up_purpose(*user) : std::string(kSignInPurpose),
                                user_verification, error);
  if (!asked) {
    PasskeyProof none;
    none.fault = "wrong_challenge";
    tell_of_refusal(audit_, none, shown->refused);
    return start_over(v, shown->onward, error);
  }
  shown->asked = std::move(*asked);
  later(decision.delay, [=, this] { (this->*then)(v, by_passkey(v, shown)); });
}

// The store says whose it is at that moment.
Site::Admission Site::by_passkey(const VisitPtr& v, const std::shared_ptr<PasskeyShown>& shown) {
  return {.prove = [shown, &audit = audit_](Database& db, WallTime now) -> Result<std::optional<ProvenUser>> {
            auto proof = prove_passkey(db, shown->asked, shown->sent, shown->user, now);
            if (!proof) return proof.error();
            shown->fault = proof->fault;
            if (proof->fault.empty())
              return std::optional(ProvenUser{proof->user, proof->user_name, now, proof->methods, now});
            tell_of_refusal(audit, *proof, shown->refused);
            return std::optional<ProvenUser>();
          },
          .onward = shown->onward,
          .recorded = [this, shown] { passkey_throttle_.succeeded(shown->account, shown->source); },
          .undone = [this, shown] { passkey_throttle_.undone(shown->account, shown->source); },
          .refused = [this, v, shown] { start_over(v, shown->onward, refusal_text(shown->fault)); }};
}

// The authenticator has verified its user: possession, and knowledge or inherence, in one.
void Site::post_passkey_sign_in(const VisitPtr& v) {
  auto form = accept_form(v, kSignInPurpose);
  if (!form) return;
  if (device_refusal(*v) && (v->device == nullptr || v->device->state != DeviceState::pending)) {
    return show_state(v, std::nullopt, 403, "", "");
  }
  judge_passkey(v, *form, std::nullopt, true, &Site::admit);
}

// On top of a password, holding it is enough. On top of a sign-in by passkey it is not: that would be the
// same thing shown twice, and its user must be verified again.
void Site::post_passkey_step_up(const VisitPtr& v) {
  const UserId who = v->user != nullptr ? v->user->id : UserId::none;
  auto form = accept_form(v, step_up_purpose(who));
  if (!form) return;
  if (v->user == nullptr || device_refusal(*v)) return show_state(v, std::nullopt, 403, "", "");
  auto with_passkey = signed_in_with_passkey(reader_.db(), v->presence->sign_in_id);
  if (!with_passkey) return unavailable(v, with_passkey.error());
  judge_passkey(v, *form, v->user->id, *with_passkey, &Site::step_up);
}

}  // namespace nightlatch
