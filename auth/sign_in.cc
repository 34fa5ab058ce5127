#include "auth/sign_in.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/browsers.h"
#include "store/people.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {
constexpr Millis kQuickSuccession{10 * 60 * 1000};

struct Found {
  DeviceId id{};
  std::string name;
  DeviceState state = DeviceState::active;
};

Result<std::optional<Found>> find(Database& db, const SignInPlace& place) {
  auto devices = list_devices(db);
  if (!devices) return devices.error();
  for (const DeviceRow& d : *devices) {
    const bool here = place.mac ? d.mac == place.mac
                                : !d.mac && std::find(d.addresses.begin(), d.addresses.end(),
                                                      place.address) != d.addresses.end();
    if (here) return std::optional<Found>(Found{d.id, d.name, d.state});
  }
  return std::optional<Found>();
}

AuditEvent event_of(std::string_view event, const ProvenUser& user, const SignInPlace& place, WallTime now) {
  AuditEvent e;
  e.at = now;
  e.event = event;
  e.user = user.name;
  e.source = place.address.text();
  return e;
}

// What the setting says about a device that is not known. nullopt: it is refused.
Result<std::optional<Found>> enrol(Database& db, AuditWriter& audit, const ProvenUser& user,
                                   const SignInPlace& place, WallTime now) {
  auto text = get_setting(db, "enrol");
  if (!text) return text.error();
  auto how = parse_enrol(*text, "enrol");
  if (!how) return how.error();
  if (*how == Enrol::closed) return std::optional<Found>();
  NewDevice fresh;
  fresh.mac = place.mac;
  if (!place.mac) fresh.addresses = {place.address};
  fresh.state = *how == Enrol::open ? DeviceState::active : DeviceState::pending;
  fresh.owner = user.id;
  auto id = add_device(db, fresh);
  if (!id && id.error().kind != ErrorKind::conflict) return id.error();
  // A conflict: another request of the same device was a moment earlier.
  auto found = find(db, place);
  if (!found) return found.error();
  if (!*found) return Error::failure("the device could not be taken in");
  if (id) {
    AuditEvent e = event_of("device.enrolled", user, place, now);
    e.device = (*found)->name;
    e.detail = fmt::format("{}, {}", source_text(place), to_text(fresh.state));
    audit.write(std::move(e));
  }
  return found;
}

// The sign-in that this one replaces, when it is another person's (semantics 8).
void tell_of_hand_over(AuditWriter& audit, const ProvenUser& user, const SignInPlace& place,
                       const Found& device, const std::string& from, Millis age, WallTime now) {
  AuditEvent ended = event_of("session.end", user, place, now);
  ended.user = from;
  ended.device = device.name;
  ended.reason = "handed_over";
  ended.detail = fmt::format("{} signed in on this device", user.name);
  audit.write(std::move(ended));
  if (age >= kQuickSuccession) return;
  AuditEvent warning = event_of("device.shared_suspected", user, place, now);
  warning.device = device.name;
  warning.detail = fmt::format(
      "{} and {} signed in within {} of each other on {}; if several people use it at once: nightlatch "
      "device share {}",
      from, user.name, format_age(age), device.name, device.name);
  log_warning("{}", warning.detail);
  audit.write(std::move(warning));
}

Result<std::string> name_of(Database& db, UserId id) {
  auto users = list_users(db);
  if (!users) return users.error();
  for (const UserRow& u : *users) {
    if (u.id == id) return u.name;
  }
  return std::string("?");
}
}  // namespace

std::string source_text(const SignInPlace& place) {
  return place.mac ? place.mac->text() : place.address.text();
}

Result<SignInOutcome> sign_in(Database& db, AuditWriter& audit, const ProvenUser& user,
                              const SignInPlace& place, WallTime now) {
  SignInOutcome outcome;
  auto device = find(db, place);
  if (!device) return device.error();
  if (!*device) {
    device = enrol(db, audit, user, place, now);
    if (!device) return device.error();
    outcome.enrolled = device->has_value();
  }
  const auto refuse = [&](SignInOutcome::Kind kind, std::string_view reason) -> Result<SignInOutcome> {
    AuditEvent e = event_of("sign_in.refused", user, place, now);
    e.device = *device ? (*device)->name : "";
    e.verdict = "deny";
    e.reason = reason;
    audit.write(std::move(e));
    outcome.kind = kind;
    return outcome;
  };
  if (!*device) return refuse(SignInOutcome::Kind::not_enrolled, "not_enrolled");
  const Found& here = **device;
  outcome.device = here.id;
  outcome.device_name = here.name;
  if (here.state == DeviceState::revoked)
    return refuse(SignInOutcome::Kind::device_revoked, "device_revoked");

  // Without its audit row a sign-in is not acknowledged, and must not count either.
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto before = presence_on(db, here.id);
  if (!before) return before.error();
  auto recorded = record_sign_in(db,
                                 {user.id, here.id, user.authenticated, user.methods, user.second_factor,
                                  user.provider, place.address.text()},
                                 now);
  if (!recorded) return recorded.error();
  outcome.sign_in_id = recorded->id;

  AuditEvent e = event_of("sign_in", user, place, now);
  e.device = here.name;
  e.detail = fmt::format("{} by {}", user.methods, user.provider);
  if (user.authenticated != now) e.detail += ", authenticated " + format_rfc3339(user.authenticated);
  audit.write(std::move(e));
  if (recorded->handed_over_from) {
    auto name = name_of(db, *recorded->handed_over_from);
    outcome.handed_over_from = name ? *name : "?";
    const Millis age = *before ? now - (*before)->signed_in : kQuickSuccession;
    tell_of_hand_over(audit, user, place, here, outcome.handed_over_from, age, now);
  }
  NL_TRY(settle(audit));
  NL_TRY(tx->commit());
  outcome.kind =
      here.state == DeviceState::pending ? SignInOutcome::Kind::pending : SignInOutcome::Kind::signed_in;
  return outcome;
}

Result<bool> step_up(Database& db, AuditWriter& audit, const ProvenUser& user, const SignedInAt& at,
                     WallTime now) {
  auto tx = Transaction::begin(db);  // as for a sign-in
  if (!tx) return tx.error();
  auto recorded = record_second_factor(db,
                                       {user.id, at.device, user.authenticated, user.methods,
                                        user.second_factor, user.provider, at.place.address.text()},
                                       now);
  if (!recorded) return recorded.error();
  if (!*recorded) return false;
  if (user.second_factor) NL_TRY(note_factor_shown(db, at.browser, *user.second_factor));
  AuditEvent e = event_of("step_up", user, at.place, now);
  e.device = at.device_name;
  e.detail = fmt::format("{} by {}", user.methods, user.provider);
  audit.write(std::move(e));
  NL_TRY(settle(audit));
  NL_TRY(tx->commit());
  return true;
}

Result<bool> sign_out(Database& db, AuditWriter& audit, UserId user, const std::string& user_name,
                      DeviceId device, const std::string& device_name, WallTime now) {
  auto ended = end_sessions(db, user, device, now);
  if (!ended) return ended.error();
  if (*ended == 0) return false;
  AuditEvent e;
  e.at = now;
  e.event = "session.end";
  e.user = user_name;
  e.device = device_name;
  e.reason = "signed_out";
  audit.write(std::move(e));
  audit.flush();  // the session is over whether or not this could be written
  return true;
}

}  // namespace nightlatch
