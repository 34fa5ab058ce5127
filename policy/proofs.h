// What a device has proven of itself, as far as it counts at one moment: by a service token or a client
// certificate, shown to the portal or sent in the connection. Pure, without allocation; any thread.
#pragma once

#include <optional>

#include "policy/decide.h"

namespace nightlatch {

// Times and lengths are brought into a range in which no sum or difference of them overflows, whatever the
// store holds.
inline constexpr WallTime kEarliest{Millis(0)};
inline constexpr WallTime kLatest{kNever.time_since_epoch() / 2};
[[nodiscard]] constexpr WallTime bounded(WallTime t) {
  return t < kEarliest ? kEarliest : t > kLatest ? kLatest : t;
}

// A sign-in or a proof so far ahead of now is still "just now", not a clock set back.
inline constexpr Millis kClockJitter{2000};
// A proof is void after so long, whatever a policy says: the machine shows its secret again.
inline constexpr Seconds kLongestProof{30 * 86400};

// When it is void: with its token or certificate, or after its longest term. nullopt: it does not count, for
// its token or certificate is another device's, not in force or gone, or its time is ahead of the clock.
[[nodiscard]] std::optional<WallTime> void_from(const Office& office, const Proof& proof, DeviceId device,
                                                WallTime now) noexcept;

// Until when a certificate that counts ties the device's flows to it; kEarliest when there is none.
[[nodiscard]] WallTime certified_until(const Office& office, const Subject& subject, WallTime now) noexcept;

// Whether this machine's token may come in a connection from there: from its device's own place; or, while
// its device has yet to be known by a place, from one that identifies nobody.
[[nodiscard]] bool at_home(const Device* from, const Device& machine) noexcept;

}  // namespace nightlatch
