#include "auth/passkey.h"

#include <fmt/format.h>

#include "base/crypto.h"
#include "base/log.h"
#include "store/passkeys.h"

namespace nightlatch {

namespace {
constexpr std::string_view kCounter = "counter";

PasskeyKey key_of(const NewPasskey& p) { return {static_cast<CoseAlgorithm>(p.algorithm), p.public_key}; }

// Whether the assertion is one by this user. Empty: it is.
Result<std::string> wrong_user(Database& db, const PasskeyRow& row, const Assertion& sent,
                               std::optional<UserId> user) {
  if (user && row.passkey.user != *user) return std::string("wrong_user");
  if (user && sent.user_handle.empty()) return std::string();
  auto handle = find_user_handle(db, row.passkey.user);
  if (!handle) return handle.error();
  if (!*handle || !equal_constant_time(**handle, sent.user_handle)) return std::string("wrong_user");
  return std::string();
}
}  // namespace

Result<PasskeyProof> prove_passkey(Database& db, const Ceremony& asked, const Assertion& sent,
                                   std::optional<UserId> user, WallTime now) {
  PasskeyProof proof;
  auto row = find_passkey(db, sent.credential_id);
  if (!row) return row.error();
  if (!*row) {
    proof.fault = "unknown_passkey";
    return proof;
  }
  const NewPasskey& passkey = (*row)->passkey;
  auto wrong = wrong_user(db, **row, sent, user);
  if (!wrong) return wrong.error();
  proof.fault = *wrong;
  if (!proof.fault.empty()) return proof;
  const auto checked = check_assertion(asked, key_of(passkey), passkey.backup_eligible, sent);
  if (const auto* fault = std::get_if<PasskeyFault>(&checked)) {
    proof.fault = to_text(*fault);
    return proof;
  }
  // From here on whoever sent it holds the key: it is the user's, or a copy.
  const auto& facts = std::get<AssertionFacts>(checked);
  proof.user = passkey.user;
  proof.user_name = (*row)->user_name;
  proof.passkey = passkey.name;
  proof.methods =
      fmt::format("{} user{}", passkey.backup_eligible ? "swk" : "hwk", facts.user_verified ? " mfa" : "");
  if (!(*row)->user_enabled) {
    proof.fault = "user_disabled";
    return proof;
  }
  auto used = use_passkey(db, (*row)->id, facts.sign_count, facts.backed_up, now);
  if (!used) return used.error();
  if (!*used) proof.fault = kCounter;
  return proof;
}

AuditEvent sessions_of_passkey(AuditEvent removed, std::int64_t sessions) {
  removed.event = "session.end";
  removed.reason = "passkey_removed";
  removed.detail = fmt::format("{}: {} sessions", removed.detail, sessions);
  return removed;
}

void tell_of_refusal(AuditWriter& audit, const PasskeyProof& proof, AuditEvent e) {
  e.verdict = "deny";
  e.reason = proof.fault;
  if (!proof.user_name.empty()) e.user = proof.user_name;
  if (proof.fault == kCounter) {
    e.event = "passkey.counter";
    e.detail = fmt::format("{}: its counter did not grow; there may be a copy: nightlatch user factor {}",
                           proof.passkey, proof.user_name);
    log_warning("passkey of {}: {}", proof.user_name, e.detail);
  }
  const bool copied = proof.fault == kCounter;
  audit.write(std::move(e));
  if (copied) audit.flush();
}

}  // namespace nightlatch
