// A passkey that is shown: whose it is, whether what the browser sent holds (auth/webauthn.h), and its use
// noted in the store before it counts. On the Database's thread, which may wait.
#pragma once

#include <optional>
#include <string>

#include "auth/webauthn.h"
#include "policy/model.h"
#include "store/audit.h"
#include "store/database.h"

namespace nightlatch {

struct PasskeyProof {
  std::string fault;  // why it is refused, as the log has it; empty: it holds, and its use is noted
  UserId user{};      // whose passkey it is; none when nobody's
  std::string user_name;
  std::string passkey;  // the name that its user gave it
  // RFC 8176: hwk, or swk when the key may be on several devices, as its authenticator says; user: someone
  // was there; mfa: and was verified by it.
  std::string methods;
};
// `user`: who must own it; without one, the assertion must say who it is by the user's handle.
[[nodiscard]] Result<PasskeyProof> prove_passkey(Database& db, const Ceremony& asked, const Assertion& sent,
                                                 std::optional<UserId> user, WallTime now);

// The row of the log for sessions that ended because they had begun with a passkey that was taken away.
// `removed`: the row of that.
[[nodiscard]] AuditEvent sessions_of_passkey(AuditEvent removed, std::int64_t sessions);

// Writes down why it was refused; a counter that did not grow is an event of its own, passkey.counter. `e`
// says the rest: the event, when, where, and who if that is known. On a thread that may wait.
void tell_of_refusal(AuditWriter& audit, const PasskeyProof& proof, AuditEvent e);

}  // namespace nightlatch
