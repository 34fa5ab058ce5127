// Logins: sign-ins that a machine without a browser waits for while somebody confirms them in a browser
// elsewhere (RFC 8628). One is known by two codes: a short one that people type, and a long random one with
// which the machine asks what came of it, of which only the SHA-256 is here. A login grants nothing by
// itself: who confirms it records a sign-in (auth/hand_off.h). It is settled once, lasts ten minutes, and is
// kept an hour longer, so that it can be said what became of it. Each change is one transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

inline constexpr Seconds kLoginLifetime{600};
inline constexpr std::size_t kLoginCodeSymbols = 8;  // 40 bits, as people type them

struct Login {
  enum class State : std::uint8_t {
    open,
    approved,   // a sign-in of `user` on the device is on record
    refused,    // somebody said no, or the device was not admitted
    withdrawn,  // the machine waits no longer
    expired,
  };
  std::string code;
  std::string source;                  // of the asking device, as text: its MAC, or its address off-link
  IpAddress address;                   // that it asked from
  std::optional<ResourceId> resource;  // what it is for, when that was said
  WallTime asked{}, expires{};
  State state = State::open;
  std::optional<UserId> user;  // who approved it

  // True from its end on, and when the clock has been set back behind its beginning: no clock lengthens it.
  [[nodiscard]] bool over(WallTime now) const;
};
[[nodiscard]] std::string_view to_text(Login::State s);

struct NewLogin {
  std::string device_sha256;  // of the machine's own code: 32 bytes
  std::string source;
  IpAddress address;
  std::string counted_as;  // the source as limits count it: an IPv6 address off-link counts with its network
  std::optional<ResourceId> resource;
};
struct OpenedLogin {
  std::optional<Login> login;  // nothing: there are too many
  Seconds retry_after{0};      // then: when one of them ends
};
// At most 5 open ones and 30 in ten minutes for each source, and 2 000 in all.
[[nodiscard]] Result<OpenedLogin> open_login(Database& db, const NewLogin& login, WallTime now);

// How long until there is room for one more of this source; nothing: there is room. Only reads.
[[nodiscard]] Result<std::optional<Seconds>> wait_for_login(Database& db, const std::string& counted_as,
                                                            WallTime now);

// In whatever state; nothing when there is none.
[[nodiscard]] Result<std::optional<Login>> find_login(Database& db, std::string_view code);
[[nodiscard]] Result<std::optional<Login>> find_login_of(Database& db, const std::string& device_sha256);

// Settles an open login. False, and nothing is changed, when it is not open any more, or over.
[[nodiscard]] Result<bool> settle_login(Database& db, std::string_view code, Login::State state,
                                        std::optional<UserId> user, WallTime now);

// Marks the open ones that are over as expired, and returns them; forgets what is older than an hour.
[[nodiscard]] Result<std::vector<Login>> expire_logins(Database& db, WallTime now);
[[nodiscard]] Result<bool> logins_to_expire(Database& db, WallTime now);  // whether there are any: only reads

}  // namespace nightlatch
