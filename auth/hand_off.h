// Hand-off: a sign-in for a machine without a browser, confirmed in a browser elsewhere (RFC 8628). What
// opens and settles a login, with its rows in the audit log. Who confirms gives the machine their own
// sign-in: its time, its methods and the time of its second factor, never younger than they are in the
// browser that confirms. Everything runs on a thread that may wait, and returns only when it is on disk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/sign_in.h"
#include "store/logins.h"

namespace nightlatch {

// `names`: what the log calls the device and the resource; empty when unknown.
struct LoginNames {
  std::string device, resource;
};
[[nodiscard]] Result<OpenedLogin> start_login(Database& db, AuditWriter& audit, const NewLogin& login,
                                              const LoginNames& names, WallTime now);

// The browser in which somebody answers, as the portal knows it at that moment.
struct Approver {
  UserId user{};
  std::string name;
  SignedInAt at;
};
struct Approval {
  enum class Kind : std::uint8_t {
    recorded,       // see `outcome`: a device may still wait for an admin, or not be admitted
    not_open,       // settled or over by now: nothing was changed
    not_signed_in,  // the approver's own session has ended: nothing was changed
  } kind = Kind::recorded;
  SignInOutcome outcome;
};
[[nodiscard]] Result<Approval> approve_login(Database& db, AuditWriter& audit, std::string_view code,
                                             const Approver& approver, const LoginNames& names, WallTime now);
// False when it was not open any more.
[[nodiscard]] Result<bool> refuse_login(Database& db, AuditWriter& audit, std::string_view code,
                                        const Approver& approver, const LoginNames& names, WallTime now);
// The machine itself waits no longer.
[[nodiscard]] Result<bool> withdraw_login(Database& db, AuditWriter& audit, std::string_view code,
                                          const LoginNames& names, WallTime now);
[[nodiscard]] Status expire_old_logins(Database& db, AuditWriter& audit, WallTime now);

// Where the asking device is, as a sign-in there takes it.
[[nodiscard]] SignInPlace place_of(const Login& login);

}  // namespace nightlatch
