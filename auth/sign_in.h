// The one place that records a sign-in: whoever proved who they are, by whatever means, comes through here.
// Knows the device or takes it in as the setting `enrol` says (semantics 10), writes the sign-in, notices a
// hand-over (semantics 8; on a shared device there is none), and returns only when the store and the audit
// log have it on disk. Runs on a thread that may wait.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "policy/model.h"
#include "store/audit.h"
#include "store/database.h"

namespace nightlatch {

struct ProvenUser {
  UserId id{};
  std::string name;                       // as the store writes it
  WallTime authenticated{};               // when the person really did (semantics 1)
  std::string methods;                    // RFC 8176 words, separated by spaces
  std::optional<WallTime> second_factor;  // when one was shown, if one was
  std::string provider{"local"};
};

struct SignInPlace {       // where the request came from
  std::optional<Mac> mac;  // on-link: names the device, and nothing else does (semantics 9)
  IpAddress address;
};

struct SignInOutcome {
  enum class Kind : std::uint8_t {
    signed_in,       // recorded
    pending,         // recorded; counts once an admin approves the device
    device_revoked,  // not recorded
    not_enrolled,    // not recorded: an unknown device, and enrol = closed
  } kind = Kind::signed_in;
  DeviceId device{};
  std::string device_name;
  std::int64_t sign_in_id = 0;   // of the history, when it was recorded
  bool enrolled = false;         // the device was not known before
  std::string handed_over_from;  // whose session on this device ended with it, or empty

  [[nodiscard]] bool present() const { return kind == Kind::signed_in || kind == Kind::pending; }
};

[[nodiscard]] Result<SignInOutcome> sign_in(Database& db, AuditWriter& audit, const ProvenUser& user,
                                            const SignInPlace& place, WallTime now);

// Where somebody is signed in: with which browser on which device.
struct SignedInAt {
  DeviceId device{};
  std::string device_name;
  SignInPlace place;
  std::string browser;  // the SHA-256 of its token
};

// A second factor on top of the user's sign-in on that device, which it does not renew: only the factor's
// time is new, there and in the browser that showed it. `methods` is what was shown now ("otp"). False when
// the user is not signed in there any more.
[[nodiscard]] Result<bool> step_up(Database& db, AuditWriter& audit, const ProvenUser& user,
                                   const SignedInAt& at, WallTime now);

// Ends the user's session on one device, as the user asked. False when there was none.
[[nodiscard]] Result<bool> sign_out(Database& db, AuditWriter& audit, UserId user,
                                    const std::string& user_name, DeviceId device,
                                    const std::string& device_name, WallTime now);

// The source of a place as holds and the audit log write it: the MAC, or the address.
[[nodiscard]] std::string source_text(const SignInPlace& place);

}  // namespace nightlatch
