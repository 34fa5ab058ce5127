#include "policy/proofs.h"

#include <algorithm>

namespace nightlatch {

std::optional<WallTime> void_from(const Office& office, const Proof& proof, DeviceId device,
                                  WallTime now) noexcept {
  now = bounded(now);
  const WallTime proven = bounded(proof.proven);
  if (proven > now + kClockJitter) return std::nullopt;
  WallTime ends = proven + kLongestProof;
  if (proof.token != TokenId::none) {
    const Token* token = office.token(proof.token);
    if (token == nullptr || token->device != device || machine_of(office, *token, now) == nullptr)
      return std::nullopt;
    if (token->expires) ends = std::min(ends, bounded(*token->expires));
  } else {
    const Certificate* shown = office.certificate(proof.certificate);
    if (shown == nullptr || shown->device != device || shown->revoked) return std::nullopt;
    if (shown->expires) ends = std::min(ends, bounded(*shown->expires));
  }
  return now < ends ? std::optional(ends) : std::nullopt;
}

WallTime certified_until(const Office& office, const Subject& subject, WallTime now) noexcept {
  WallTime until = kEarliest;
  const Device* device = subject.device;
  if (device == nullptr || device->shared || subject.clock_set_back) return until;
  const Seconds fresh = std::clamp(office.data().certificate_fresh, Seconds(0), kLongestProof);
  for (const Proof& p : subject.proofs) {
    if (p.token != TokenId::none) continue;
    const auto ends = void_from(office, p, device->id, now);
    if (ends) until = std::max(until, std::min(*ends, std::min(bounded(p.proven), bounded(now)) + fresh));
  }
  return until;
}

bool at_home(const Device* from, const Device& machine) noexcept {
  if (from != nullptr && from->id == machine.id) return true;
  const bool placed = machine.mac.has_value() || !machine.addresses.empty();
  return !placed && (from == nullptr || from->shared);
}

Binding binding_of(const Office& office, const Subject& subject, WallTime now) noexcept {
  return bounded(now) < certified_until(office, subject, now) ? Binding::certificate : subject.binding;
}

const User* speaks_for(const Office& office, const Token& token, WallTime now) noexcept {
  if (token.revoked || (token.expires && bounded(now) >= bounded(*token.expires))) return nullptr;
  const User* user = office.user(token.user);
  return user != nullptr && user->enabled ? user : nullptr;
}

const Device* machine_of(const Office& office, const Token& token, WallTime now) noexcept {
  if (token.revoked || (token.expires && bounded(now) >= bounded(*token.expires))) return nullptr;
  return token.user == UserId::none ? office.device(token.device) : nullptr;
}

}  // namespace nightlatch
