// /me/factors: where users look after their own second factors. Whoever changes one must have proven who they
// are a moment ago, with the factor that they have if they have one.
#include <fmt/format.h>

#include "auth/otp.h"
#include "auth/second_factor.h"
#include "base/qr_code.h"
#include "base/text.h"
#include "store/access.h"
#include "store/factors.h"
#include "store/passkeys.h"
#include "web/factor_pages.h"
#include "web/portal_config.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr Millis kMomentAgo{10 * 60 * 1000};
constexpr std::size_t kSecretLength = 32;  // 20 bytes in base 32

bool recent(const std::optional<WallTime>& at, WallTime now) { return at && now - *at < kMomentAgo; }

// Binds a form to the secret that its page showed, so that nobody can have another one confirmed.
std::string purpose_of(UserId user, std::string_view secret) {
  return fmt::format("otp {} {}", static_cast<std::int64_t>(user), secret);
}

AuditEvent factor_event(std::string_view event, const Visit& v, std::string_view detail, WallTime now) {
  AuditEvent e;
  e.at = now;
  e.event = event;
  e.user = v.user->name;
  e.device = v.device->name;
  e.source = v.place.address.text();
  e.detail = detail;
  return e;
}
}  // namespace

// Why this browser may not change factors now: empty when it may.
Result<FactorsPage> Site::factors_page(const VisitPtr& v) {
  auto factors = find_factors(reader_.db(), v->user->id);
  if (!factors) return factors.error();
  auto who = get_setting(reader_.db(), "factors.enrol");
  if (!who) return who.error();
  FactorsPage page;
  page.user = v->user->name;
  if (factors->otp_since) page.otp_since = format_rfc3339(*factors->otp_since);
  page.recovery_codes = factors->recovery_codes;
  auto passkeys = list_passkeys(reader_.db(), v->user->id);
  if (!passkeys) return passkeys.error();
  for (const PasskeyRow& row : *passkeys) {
    page.passkeys.push_back({row.passkey.name, format_rfc3339(row.created),
                             row.last_used ? format_rfc3339(*row.last_used) : "",
                             row.passkey.backup_eligible});
  }
  if (!passkey_name()) {
    page.no_passkeys =
        "Not here: browsers make passkeys for a name, and this portal is reached by an address. An "
        "administrator can give it a name: the setting portal.url.";
  }
  if (*who != "self") {
    page.note = "An administrator sets these up.";
  } else if (!v->presence || v->clock_set_back || !recent(v->presence->signed_in, v->now)) {
    page.note = "To change these, sign in again first: your last sign-in was more than ten minutes ago.";
    page.renew = true;
    page.renew_token = form_token(*v, "renew");
  } else if (factors->any() && !recent(v->presence->second_factor, v->now)) {
    page.note = "To change these, show the factor that you have.";
    page.confirm = true;
  } else {
    page.otp_token = form_token(*v, "factor-otp");
    page.recovery_token = form_token(*v, "factor-recovery");
    page.remove_token = form_token(*v, "factor-remove");
    page.passkey_token = form_token(*v, "factor-passkey");
  }
  return page;
}

void Site::get_factors(const VisitPtr& v) {
  if (v->user == nullptr || device_refusal(*v)) return show_state(v, std::nullopt, 200, "", "");
  auto page = factors_page(v);
  if (!page) return unavailable(v, page.error());
  respond(v, show(v->frame, *page));
}

// Whether this visit may change factors; when not, the page that says why has been shown.
bool Site::may_change_factors(const VisitPtr& v) {
  if (v->user == nullptr || device_refusal(*v)) {
    show_state(v, std::nullopt, 403, "", "");
    return false;
  }
  auto page = factors_page(v);
  if (!page) {
    unavailable(v, page.error());
    return false;
  }
  if (page->note.empty()) return true;
  HttpResponse response = show(v->frame, *page);
  response.status = 403;
  respond(v, std::move(response));
  return false;
}

void Site::show_otp_setup(const VisitPtr& v, const std::string& secret, const std::string& error) {
  OtpSetupPage page;
  page.status = error.empty() ? 200 : 403;
  page.error = error;
  page.secret = base32(secret);
  std::string uri = otp_uri(secret, host_of_url(options_.url).value_or("nightlatch"), v->user->name);
  auto svg = qr_svg(uri);
  wipe(uri);
  if (svg) page.qr_svg = *svg;
  page.token = form_token(*v, purpose_of(v->user->id, page.secret));
  respond(v, show(v->frame, page));
}

void Site::post_otp(const VisitPtr& v) {
  if (!accept_form(v, "factor-otp") || !may_change_factors(v)) return;
  show_otp_setup(v, make_otp_secret(), "");
}

void Site::post_otp_confirm(const VisitPtr& v) {
  const auto sent = FormFields::parse(v->request.body);
  const std::string secret_text(sent ? sent->get("secret").substr(0, kSecretLength) : "");
  const UserId who = v->user != nullptr ? v->user->id : UserId::none;
  auto form = accept_form(v, purpose_of(who, secret_text));
  if (!form || !may_change_factors(v)) return;
  const auto secret = from_base32(secret_text);
  if (!secret || base32(*secret) != secret_text) return show_error(v, 400);
  const std::string source = throttle_source(v->place);
  const std::string account = v->user->name;
  const Throttle::Decision decision = code_throttle_.attempt(account, source);
  if (!decision.allowed) return throttled(v, {}, decision);
  const auto step = otp_step(*secret, form->get("code"), options_.now(), 0);
  if (!step) {
    return show_otp_setup(
        v, *secret,
        "That code is not right. If the next ones are not either, the telephone's clock may be wrong.");
  }
  code_throttle_.succeeded(account, source);
  keep_new_otp(v, *secret, *step);
}

// The first code was a second factor that has just been shown, so it counts as one.
void Site::keep_new_otp(const VisitPtr& v, const std::string& secret, std::int64_t step) {
  const WallTime now = options_.now();
  const ProvenUser user{v->user->id, v->user->name, now, "otp", now, "local"};
  const auto codes = std::make_shared<std::vector<std::string>>();
  AuditEvent told = factor_event("factor.added", *v, "otp", now);
  change(
      v,
      [=, &audit = audit_, device = v->device->id, name = v->device->name,
       address = v->place.address](Database& db) -> Status {
        auto tx = Transaction::begin(db);
        if (!tx) return tx.error();
        auto had = find_factors(db, user.id);
        if (!had) return had.error();
        NL_TRY(keep_otp_secret(db, user.id, secret, step, now));
        if (had->recovery_codes == 0) {
          *codes = make_recovery_codes();
          NL_TRY(keep_recovery_codes(db, user.id, *codes, now));
        }
        auto counted = step_up(db, audit, user, device, name, address, now);
        if (!counted) return counted.error();
        if (!*counted) return Error::conflict("the session ended before the factor was kept");
        audit.write(told);
        NL_TRY(settle(audit));
        return tx->commit();
      },
      [=, this] {
        if (codes->empty()) return lead_to(v, "/me/factors");
        show_codes(v, "Your authenticator is set up", *codes);
      });
}

void Site::show_codes(const VisitPtr& v, const std::string& heading, const std::vector<std::string>& codes) {
  RecoveryCodesPage page;
  page.heading = heading;
  page.why =
      "Keep these recovery codes where you will find them without your telephone. Each is good once, and "
      "they "
      "are shown only now.";
  page.codes = codes;
  respond(v, show(v->frame, page));
}

void Site::post_recovery(const VisitPtr& v) {
  if (!accept_form(v, "factor-recovery") || !may_change_factors(v)) return;
  const WallTime now = options_.now();
  const auto codes = std::make_shared<std::vector<std::string>>(make_recovery_codes());
  change(
      v,
      [=, &audit = audit_, user = v->user->id, device = v->device->id,
       told = factor_event("factor.added", *v, "recovery codes", now)](Database& db) -> Status {
        auto tx = Transaction::begin(db);
        if (!tx) return tx.error();
        auto here = presence_on(db, device, user);
        if (!here) return here.error();
        if (!*here) return Error::conflict("the session ended before the codes were kept");
        NL_TRY(keep_recovery_codes(db, user, *codes, now, device));
        audit.write(told);
        NL_TRY(settle(audit));
        return tx->commit();
      },
      [=, this] { show_codes(v, "Your new recovery codes", *codes); });
}

void Site::post_factor_remove(const VisitPtr& v) {
  auto form = accept_form(v, "factor-remove");
  if (!form || !may_change_factors(v)) return;
  const bool passkey = form->get("kind") == "passkey";
  if (!passkey && form->get("kind") != "otp") return show_error(v, 400);
  const std::string name(form->get("name"));
  change(
      v,
      [=, &audit = audit_, user = v->user->id,
       told = factor_event("factor.removed", *v, passkey ? "passkey " + name : "otp", options_.now())](
          Database& db) -> Status {
        auto tx = Transaction::begin(db);
        if (!tx) return tx.error();
        auto removed = passkey ? remove_passkeys(db, user, name) : remove_factor(db, user, FactorKind::otp);
        if (!removed) return removed.error();
        if (*removed) audit.write(told);
        NL_TRY(settle(audit));
        return tx->commit();
      },
      [=, this] { lead_to(v, "/me/factors"); });
}

}  // namespace nightlatch
