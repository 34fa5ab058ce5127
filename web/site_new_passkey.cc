// A new passkey: its page, and what the browser answers. Under the same terms as every other factor
// (site_factors.cc).
#include <fmt/format.h>

#include "auth/passkey.h"
#include "base/text.h"
#include "store/factors.h"
#include "store/passkeys.h"
#include "web/factor_pages.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kLongestName = 48;  // in bytes; a number may come after it
constexpr std::size_t kLongestField = 24'000;

std::string purpose_of(UserId user) { return fmt::format("passkey add {}", static_cast<std::int64_t>(user)); }

bool good_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && printable(name) == name;
}

AuditEvent event_of(std::string_view event, const Visit& v, std::string detail, WallTime now) {
  AuditEvent e;
  e.at = now;
  e.event = event;
  e.user = v.user->name;
  e.device = v.device->name;
  e.source = v.place.address.text();
  e.detail = std::move(detail);
  return e;
}
}  // namespace

void Site::post_passkey(const VisitPtr& v) {
  if (!accept_form(v, "factor-passkey") || !may_change_factors(v)) return;
  if (!passkey_name()) return show_error(v, 400);
  const auto handle = std::make_shared<std::string>();
  change(
      v,
      [handle, user = v->user->id](Database& db, WallTime) -> Status {
        auto made = make_user_handle(db, user);
        if (!made) return made.error();
        *handle = std::move(*made);
        return Done{};
      },
      [=, this] { show_passkey_setup(v, *handle, 200, ""); });
}

void Site::show_passkey_setup(const VisitPtr& v, const std::string& handle, int status,
                              const std::string& error) {
  auto passkeys = list_passkeys(reader_.db(), v->user->id);
  if (!passkeys) return unavailable(v, passkeys.error());
  PasskeyForm form;
  form.action = "/me/factors/passkey/confirm";
  form.label = "Make the passkey";
  form.again = "/me/factors";
  form.create = true;
  form.alone = true;
  for (const PasskeyRow& row : *passkeys) form.credentials.push_back(encoded(row.passkey.credential_id));
  form.user_handle = encoded(handle);
  form.user_name = v->user->name;
  form.name = good_name(v->device->name) ? v->device->name : "passkey";
  offer_passkey(*v, std::move(form), purpose_of(v->user->id));
  respond(v, show(v->frame, PasskeySetupPage{status, error, passkey_name().value_or("")}));
}

void Site::post_passkey_confirm(const VisitPtr& v) {
  const UserId who = v->user != nullptr ? v->user->id : UserId::none;
  auto form = accept_form(v, purpose_of(who));
  if (!form || !may_change_factors(v)) return;
  auto handle = find_user_handle(reader_.db(), who);
  if (!handle) return unavailable(v, handle.error());
  const auto field = [&](const char* name) {
    const std::string_view text = form->get(name);
    return text.size() <= kLongestField ? from_base64url(text) : std::nullopt;
  };
  const auto client_data = field("client_data");
  const auto attestation = field("attestation");
  const std::string name(trim(form->get("name")));
  if (!*handle || !passkey_name() || !client_data || !attestation) return show_error(v, 400);
  if (!good_name(name)) {
    return show_passkey_setup(v, **handle, 403, "Please give it a name of 1 to 48 letters, digits or signs.");
  }
  std::string error;
  const auto asked = redeem_challenge(v, *form, purpose_of(who), false, error);
  if (!asked) return show_passkey_setup(v, **handle, 403, error);
  auto made = check_registration(*asked, *client_data, *attestation);
  if (const auto* fault = std::get_if<PasskeyFault>(&made)) {
    AuditEvent refused = event_of("factor.refused", *v, "passkey", options_.now());
    refused.reason = to_text(*fault);
    audit_refusal(*v, std::move(refused));
    return show_passkey_setup(v, **handle, 403,
                              *fault == PasskeyFault::unsupported_key
                                  ? "That passkey is of a kind that is not known here."
                                  : "That passkey was not accepted.");
  }
  keep_new_passkey(v, std::get<NewCredential>(made), name, **handle);
}

// Someone has just used it, so it counts as a second factor that was shown.
void Site::keep_new_passkey(const VisitPtr& v, const NewCredential& made, const std::string& name,
                            const std::string& handle) {
  const std::string methods =
      fmt::format("{} user{}", made.backup_eligible ? "swk" : "hwk", made.user_verified ? " mfa" : "");
  const NewPasskey passkey{v->user->id,
                           name,
                           made.id,
                           static_cast<std::int64_t>(made.key.algorithm),
                           made.key.bytes,
                           made.sign_count,
                           made.user_verified,
                           made.backup_eligible,
                           made.backed_up,
                           passkey_name().value_or("")};
  const auto codes = std::make_shared<std::vector<std::string>>();
  const auto error = std::make_shared<std::string>();
  change_factors(
      v,
      [=, &audit = audit_, user_name = v->user->name, at = v->signed_in_at(),
       told = event_of("factor.added", *v, "", v->now)](Database& db, WallTime now) mutable -> Status {
        auto had = find_factors(db, passkey.user);
        if (!had) return had.error();
        auto added = add_passkey(db, passkey, now);
        if (!added && added.error().kind == ErrorKind::conflict) {
          *error = "It was not added: " + added.error().message + ".";
          return Done{};
        }
        if (!added) return added.error();
        if (had->recovery_codes == 0) {
          *codes = make_recovery_codes();
          NL_TRY(keep_recovery_codes(db, passkey.user, *codes, now));
        }
        auto counted = nightlatch::step_up(db, audit, {passkey.user, user_name, now, methods, now}, at, now);
        if (!counted) return counted.error();
        if (!*counted) return Error::conflict("the session ended before the passkey was kept");
        told.at = now;
        told.detail = "passkey " + *added;
        audit.write(told);
        return settle(audit);
      },
      [=, this] {
        if (!error->empty()) return show_passkey_setup(v, handle, 403, *error);
        if (codes->empty()) return lead_to(v, "/me/factors");
        show_codes(v, "Your passkey is set up", *codes);
      });
}

}  // namespace nightlatch
