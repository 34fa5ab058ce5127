// Sign-ins, who is present on which device, holds, and the store's own clock.
// sign_in is append-only history; presence is what counts now: at most one user on a device, so that a second
// user's sign-in is a hand-over by construction, but on a shared one as many as sign in there (semantics 8).
// Everything returns only once it is durable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

struct NewSignIn {
  UserId user{};
  DeviceId device{};
  WallTime at{};        // when the user really authenticated (semantics 1)
  std::string methods;  // "password", "password otp", ...: RFC 8176 words, separated by spaces
  std::optional<WallTime> second_factor;  // when one was shown, if one was
  std::string provider;                   // "local", or a provider's name
  std::string address;                    // where it came from, for the log
};
struct SignInResult {
  std::int64_t id = 0;
  std::optional<UserId> handed_over_from;  // the user whose session on this device it ended
};
[[nodiscard]] Result<SignInResult> record_sign_in(Database& db, const NewSignIn& sign_in, WallTime now);

// A second factor that a user who is present on the device showed at sign_in.at: a row of history, and the
// time of the factor in presence; the sign-in keeps its own. False, and nothing is recorded, when nobody or
// someone else is present there.
[[nodiscard]] Result<bool> record_second_factor(Database& db, const NewSignIn& sign_in, WallTime now);

// Who is present on this device now; on a shared one nobody, because its address identifies nobody. One
// indexed read: the gate asks for every flow.
[[nodiscard]] Result<std::optional<Presence>> presence_on(Database& db, DeviceId device);
// What counts of this user on this device, shared or not.
[[nodiscard]] Result<std::optional<Presence>> presence_on(Database& db, DeviceId device, UserId user);
struct PresenceRow {
  DeviceId device{};
  Presence presence;
  std::string methods;
  std::string provider;
};
[[nodiscard]] Result<std::vector<PresenceRow>> list_presence(Database& db);

// How the user who is present on the device authenticated: what the history has for the sign-in, and for the
// second factor that was shown later.
struct SignInWay {
  std::string methods, provider;
};
[[nodiscard]] Result<std::optional<SignInWay>> way_of(Database& db, DeviceId device,
                                                      const Presence& presence);

// Ends sessions: of a user, on a device, both, or all (both empty). Without a user, what the device has
// proven of itself ends too. Returns how many ended.
[[nodiscard]] Result<std::int64_t> end_sessions(Database& db, std::optional<UserId> user,
                                                std::optional<DeviceId> device, WallTime now);

// Holds. `source` is the MAC or address that the flow came from, as text: one hold for each source and
// resource.
struct Hold {
  std::string code;
  std::string source;
  ResourceId resource{};
  WallTime opened{};
  WallTime last{};
  std::int64_t flows = 0;
  std::string url;  // the http:// URL that was asked for, or empty
};
inline constexpr Seconds kHoldLifetime{3600};
[[nodiscard]] Result<std::optional<Hold>> find_hold(Database& db, std::string_view code);
// Returns the open hold of this source and resource with one flow more, or a new one.
[[nodiscard]] Result<Hold> open_hold(Database& db, std::string_view source, ResourceId resource,
                                     std::string_view url, WallTime now);

// The store's clock (semantics 11): the latest time ever written. Behind it no sign-in counts; the next write
// that sees a clock set back starts a new generation, in which only new sign-ins count.
struct StoreClock {
  WallTime latest{};
  std::int64_t generation = 0;
};
inline constexpr Millis kClockTolerance{2000};
[[nodiscard]] Result<StoreClock> store_clock(Database& db);
[[nodiscard]] Status advance_clock(Database& db, WallTime now);  // the gate calls it every half minute
// The same inside a transaction of the caller's: the generation that what it writes belongs to.
[[nodiscard]] Result<std::int64_t> move_clock(Database& db, WallTime now);
[[nodiscard]] inline bool set_back(const StoreClock& c, WallTime now) {
  return now + kClockTolerance < c.latest;
}

}  // namespace nightlatch
