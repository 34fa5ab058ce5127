// /me/factors: where users look after their own second factors. Whoever changes one must have proven who they
// are a moment ago, with the factor that they have if they have one.
#include <fmt/format.h>

#include "auth/otp.h"
#include "auth/second_factor.h"
#include "base/qr_code.h"
#include "base/text.h"
#include "store/access.h"
#include "store/browsers.h"
#include "store/factors.h"
#include "store/passkeys.h"
#include "web/factor_pages.h"
#include "web/portal_config.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kSecretLength = 32;  // 20 bytes in base 32

// Binds a form to the secret that its page showed, so that nobody can have another one confirmed.
std::string purpose_of(UserId user, std::string_view secret) {
  return fmt::format("otp {} {}", static_cast<std::int64_t>(user), secret);
}

AuditEvent factor_event(std::string_view event, const Visit& v, std::string_view detail) {
  AuditEvent e;
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
  auto may = nightlatch::may_change_factors(reader_.db(), v->user->id, v->shown, v->now);
  if (!may) return may.error();
  FactorsPage page;
  page.user = v->user->name;
  if (factors->otp_since) page.otp_since = format_rfc3339(*factors->otp_since);
  page.recovery_codes = factors->recovery_codes;
  auto passkeys = list_passkeys(reader_.db(), v->user->id);
  if (!passkeys) return passkeys.error();
  const auto name = passkey_name();
  bool usable = factors->otp_since || factors->recovery_codes > 0;
  for (const PasskeyRow& row : *passkeys) {
    const bool here = name && usable_at(row.passkey, *name);
    usable = usable || here;
    page.passkeys.push_back({row.passkey.name, format_rfc3339(row.created),
                             row.last_used ? format_rfc3339(*row.last_used) : "", row.passkey.backup_eligible,
                             here});
  }
  if (!name) {
    page.no_passkeys =
        "Not here: browsers make passkeys for a name, and this portal is reached by an address. An "
        "administrator can give it a name: the setting portal.url.";
  }
  switch (v->clock_set_back && *may != FactorChange::by_admin ? FactorChange::sign_in_first : *may) {
    case FactorChange::by_admin:
      page.note = "An administrator sets these up.";
      break;
    case FactorChange::sign_in_first:
      page.note =
          "To change these, sign in again first: your last sign-in in this browser was more than ten minutes "
          "ago.";
      page.renew = true;
      page.renew_token = form_token(*v, "renew");
      break;
    case FactorChange::factor_first:
      page.note = usable ? "To change these, show the factor that you have."
                         : "Your passkey cannot be used here. " + std::string(kPasskeyElsewhere);
      page.confirm = usable;
      break;
    case FactorChange::allowed:
      page.otp_token = form_token(*v, "factor-otp");
      page.recovery_token = form_token(*v, "factor-recovery");
      page.remove_token = form_token(*v, "factor-remove");
      page.passkey_token = form_token(*v, "factor-passkey");
      break;
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

// A change that this visit was allowed, if it still is when it is made: what an admin took away meanwhile, or
// another device replaced, is seen.
void Site::change_factors(const VisitPtr& v, StoreWriter::Job job, std::function<void()> then) {
  const auto allowed = std::make_shared<bool>(false);
  change(
      v,
      [allowed, job = std::move(job), user = v->user->id, at = v->signed_in_at()](Database& db,
                                                                                  WallTime now) -> Status {
        auto browser = find_browser(db, at.browser);
        if (!browser) return browser.error();
        if (!*browser || (*browser)->user != user || (*browser)->device != at.device) return Done{};
        auto may = nightlatch::may_change_factors(db, user, (*browser)->shown, now);
        if (!may) return may.error();
        *allowed = *may == FactorChange::allowed;
        return *allowed ? job(db, now) : Status(Done{});
      },
      [this, v, allowed, then = std::move(then)] {
        if (*allowed) return then();
        v->now = std::max(v->now, options_.now());
        if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
        if (may_change_factors(v)) lead_to(v, "/me/factors");
      });
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
  const auto codes = std::make_shared<std::vector<std::string>>();
  change_factors(
      v,
      [=, &audit = audit_, user = v->user->id, name = v->user->name, at = v->signed_in_at(),
       told = factor_event("factor.added", *v, "otp")](Database& db, WallTime now) mutable -> Status {
        auto had = find_factors(db, user);
        if (!had) return had.error();
        NL_TRY(keep_otp_secret(db, user, secret, step, now));
        if (had->recovery_codes == 0) {
          *codes = make_recovery_codes();
          NL_TRY(keep_recovery_codes(db, user, *codes, now));
        }
        auto counted = nightlatch::step_up(db, audit, {user, name, now, "otp", now}, at, now);
        if (!counted) return counted.error();
        if (!*counted) return Error::conflict("the session ended before the factor was kept");
        told.at = now;
        audit.write(told);
        return settle(audit);
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
  const auto codes = std::make_shared<std::vector<std::string>>(make_recovery_codes());
  change_factors(
      v,
      [=, &audit = audit_, user = v->user->id, browser = v->signed_in_at().browser,
       told = factor_event("factor.added", *v, "recovery codes")](Database& db,
                                                                  WallTime now) mutable -> Status {
        NL_TRY(keep_recovery_codes(db, user, *codes, now, browser));
        told.at = now;
        audit.write(told);
        return settle(audit);
      },
      [=, this] { show_codes(v, "Your new recovery codes", *codes); });
}

void Site::post_factor_remove(const VisitPtr& v) {
  auto form = accept_form(v, "factor-remove");
  if (!form || !may_change_factors(v)) return;
  const bool passkey = form->get("kind") == "passkey";
  if (!passkey && form->get("kind") != "otp") return show_error(v, 400);
  const std::string name(form->get("name"));
  change_factors(
      v,
      [=, &audit = audit_, user = v->user->id,
       told = factor_event("factor.removed", *v, passkey ? "passkey " + name : "otp")](
          Database& db, WallTime now) mutable -> Status {
        told.at = now;
        if (!passkey) {
          auto removed = remove_factor(db, user, FactorKind::otp);
          if (!removed) return removed.error();
          if (*removed) audit.write(told);
          return settle(audit);
        }
        auto removed = remove_passkeys(db, user, name);
        if (!removed) return removed.error();
        if (removed->passkeys > 0) audit.write(told);
        if (removed->sessions > 0) audit.write(sessions_of_passkey(told, removed->sessions));
        return settle(audit);
      },
      [=, this] { lead_to(v, "/me/factors"); });
}

}  // namespace nightlatch
