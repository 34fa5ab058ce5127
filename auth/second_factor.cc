#include "auth/second_factor.h"

#include <fmt/format.h>

#include "auth/otp.h"
#include "auth/secret_box.h"
#include "base/crypto.h"
#include "base/text.h"
#include "store/access.h"
#include "store/factors.h"

namespace nightlatch {

namespace {
constexpr std::size_t kRecoverySymbols = 16;

std::string purpose(UserId user) { return fmt::format("otp/{}", static_cast<std::int64_t>(user)); }

Result<CodeResult> use_otp(Database& db, UserId user, std::string_view typed, WallTime now) {
  auto row = find_otp(db, user);
  if (!row) return row.error();
  if (!*row) return CodeResult::wrong;
  auto box = SecretBox::open(db);
  if (!box) return box.error();
  auto secret = box->unseal((*row)->sealed, purpose(user));
  if (!secret) return secret.error();
  const auto step = otp_step(*secret, typed, now, -1);
  wipe(*secret);
  if (!step) return CodeResult::wrong;
  auto used = use_otp_step(db, user, *step);
  if (!used) return used.error();
  return *used ? CodeResult::otp : CodeResult::used_before;
}
}  // namespace

Result<CodeResult> use_code(Database& db, UserId user, std::string_view typed, WallTime now) {
  if (typed.size() > 64) return CodeResult::wrong;
  std::string code = normal_code(typed);
  if (code.size() != kRecoverySymbols) return use_otp(db, user, typed, now);
  const Digest digest = sha256(code);
  wipe(code);
  auto used = use_recovery_code(db, user, digest, now);
  if (!used) return used.error();
  return *used ? CodeResult::recovery : CodeResult::wrong;
}

std::vector<std::string> make_recovery_codes() {
  std::vector<std::string> codes;
  while (codes.size() < kRecoveryCodes) {
    std::string code = random_code(kRecoverySymbols);
    for (std::size_t at = kRecoverySymbols - 4; at > 0; at -= 4) code.insert(at, 1, '-');
    codes.push_back(std::move(code));
  }
  return codes;
}

Status keep_recovery_codes(Database& db, UserId user, const std::vector<std::string>& codes, WallTime now,
                           std::string_view spared_browser) {
  std::vector<Digest> digests;
  for (const std::string& code : codes) {
    std::string plain = normal_code(code);
    digests.push_back(sha256(plain));
    wipe(plain);
  }
  return set_recovery_codes(db, user, digests, now, spared_browser);
}

Result<FactorChange> may_change_factors(Database& db, UserId user, const std::optional<Presence>& shown,
                                        WallTime now) {
  const auto recent = [now](const std::optional<WallTime>& at) { return at && now - *at < kMomentAgo; };
  auto who = get_setting(db, "factors.enrol");
  if (!who) return who.error();
  if (*who != "self") return FactorChange::by_admin;
  if (!shown || !recent(shown->signed_in)) return FactorChange::sign_in_first;
  auto factors = find_factors(db, user);
  if (!factors) return factors.error();
  return factors->any() && !recent(shown->second_factor) ? FactorChange::factor_first : FactorChange::allowed;
}

Status keep_otp_secret(Database& db, UserId user, std::string_view secret, std::int64_t last_step,
                       WallTime now) {
  const auto seal = [&]() -> Result<std::string> {
    auto box = SecretBox::open(db);
    if (!box) return box.error();
    return box->seal(secret, purpose(user));
  };
  return set_otp(db, user, seal, last_step, now);
}

}  // namespace nightlatch
