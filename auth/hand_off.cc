#include "auth/hand_off.h"

#include <fmt/format.h>

#include "store/browsers.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {

AuditEvent event_of(std::string_view event, const Login& login, const LoginNames& names, WallTime now) {
  AuditEvent e;
  e.at = now;
  e.event = event;
  e.device = names.device;
  e.resource = names.resource;
  e.source = login.address.text();
  return e;
}

// The login while it can be settled.
Result<std::optional<Login>> open_one(Database& db, std::string_view code, WallTime now) {
  auto login = find_login(db, code);
  if (!login) return login.error();
  if (!*login || (*login)->state != Login::State::open || (*login)->over(now)) return std::optional<Login>();
  return login;
}

// What the approver's own browser has shown; nothing when the sign-in there has ended.
Result<std::optional<ProvenUser>> proven(Database& db, const Approver& approver) {
  auto here = presence_on(db, approver.at.device, approver.user);
  if (!here) return here.error();
  auto browser = find_browser(db, approver.at.browser);
  if (!browser) return browser.error();
  if (!*here || !*browser || !(*browser)->shown) return std::optional<ProvenUser>();
  if ((*browser)->user != approver.user || (*browser)->device != approver.at.device)
    return std::optional<ProvenUser>();
  const Presence& shown = *(*browser)->shown;
  auto way = way_of(db, approver.at.device, shown);
  if (!way) return way.error();
  if (!*way) return std::optional<ProvenUser>();
  return std::optional(ProvenUser{approver.user, approver.name, shown.signed_in, (*way)->methods,
                                  shown.second_factor, (*way)->provider});
}

Result<bool> end_login(Database& db, AuditWriter& audit, const Login& login, Login::State state,
                       AuditEvent event, WallTime now) {
  auto done = settle_login(db, login.code, state, std::nullopt, now);
  if (!done) return done.error();
  if (!*done) return false;
  audit.write(std::move(event));
  NL_TRY(settle(audit));
  return true;
}

}  // namespace

SignInPlace place_of(const Login& login) { return {Mac::parse(login.source), login.address}; }

Result<OpenedLogin> start_login(Database& db, AuditWriter& audit, const NewLogin& fresh,
                                const LoginNames& names, WallTime now) {
  NL_TRY(expire_old_logins(db, audit, now));
  auto opened = open_login(db, fresh, now);
  if (!opened || !opened->login) return opened;
  AuditEvent e = event_of("login.started", *opened->login, names, now);
  e.detail = "waits for a confirmation in a browser; asked from " + fresh.source;
  audit.write(std::move(e));
  NL_TRY(settle(audit));
  return opened;
}

Result<Approval> approve_login(Database& db, AuditWriter& audit, std::string_view code,
                               const Approver& approver, const LoginNames& names, WallTime now) {
  auto login = open_one(db, code, now);
  if (!login) return login.error();
  if (!*login) return Approval{Approval::Kind::not_open, {}};
  auto user = proven(db, approver);
  if (!user) return user.error();
  if (!*user) return Approval{Approval::Kind::not_signed_in, {}};

  AuditEvent e = event_of("login.approved", **login, names, now);
  e.user = approver.name;
  e.detail =
      fmt::format("confirmed on {} from {}", approver.at.device_name, approver.at.place.address.text());
  audit.write(std::move(e));  // on disk with the sign-in
  // The sign-in first: when this ends in between, the login is still open, and what was confirmed counts.
  auto outcome = sign_in(db, audit, **user, place_of(**login), now);
  if (!outcome) return outcome.error();
  auto done = settle_login(db, code, outcome->present() ? Login::State::approved : Login::State::refused,
                           outcome->present() ? std::optional(approver.user) : std::nullopt, now);
  if (!done) return done.error();
  NL_TRY(settle(audit));
  return Approval{Approval::Kind::recorded, std::move(*outcome)};
}

Result<bool> refuse_login(Database& db, AuditWriter& audit, std::string_view code, const Approver& approver,
                          const LoginNames& names, WallTime now) {
  auto login = open_one(db, code, now);
  if (!login) return login.error();
  if (!*login) return false;
  AuditEvent e = event_of("login.refused", **login, names, now);
  e.user = approver.name;
  e.verdict = "deny";
  e.reason = "refused";
  e.detail = fmt::format("refused on {} from {}", approver.at.device_name, approver.at.place.address.text());
  return end_login(db, audit, **login, Login::State::refused, std::move(e), now);
}

Result<bool> withdraw_login(Database& db, AuditWriter& audit, std::string_view code, const LoginNames& names,
                            WallTime now) {
  auto login = open_one(db, code, now);
  if (!login) return login.error();
  if (!*login) return false;
  return end_login(db, audit, **login, Login::State::withdrawn,
                   event_of("login.withdrawn", **login, names, now), now);
}

Status expire_old_logins(Database& db, AuditWriter& audit, WallTime now) {
  auto expired = expire_logins(db, now);
  if (!expired) return expired.error();
  if (expired->empty()) return Done{};
  for (const Login& login : *expired) {
    AuditEvent e = event_of("login.expired", login, {}, now);
    e.detail = "nobody confirmed it in time; asked from " + login.source;
    audit.write(std::move(e));
  }
  return settle(audit);
}

}  // namespace nightlatch
