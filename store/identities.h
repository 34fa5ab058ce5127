// Who the people of an OpenID provider are here: (provider, subject) leads to a user, and nothing else does:
// no claim ever takes over a user's name. Each change is one transaction; every function runs on the
// Database's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/providers.h"

namespace nightlatch {

struct ArrivingPerson {
  std::string subject;
  std::string wanted_name;                         // what a new user would be called, or empty
  std::string session;                             // the provider's `sid`, or empty
  std::optional<std::vector<std::string>> groups;  // as the provider calls them; nothing: it was not asked
  WallTime authenticated{};                        // there
  WallTime asked{};                                // when the browser was sent there
};
struct ArrivedPerson {
  enum class Kind : std::uint8_t {
    known,
    created,     // a user was made: the provider may do that, and the name was free
    unknown,     // an admin has to link this subject to a user
    name_taken,  // the name that a new user would have belongs to somebody
    no_name,     // the provider said no name that a user can have
    disabled,
    logged_out,  // there, since the browser was sent there
  } kind = Kind::unknown;
  UserId user{};
  std::string name;
  std::size_t groups_left_out = 0;  // whose names no group here can have: no policy can name them either
};
// Finds the user or makes one, and brings the memberships of GROUP@PROVIDER up to date, those alone.
[[nodiscard]] Result<ArrivedPerson> person_of(Database& db, const Provider& provider,
                                              const ArrivingPerson& person, WallTime now);

struct Identity {
  std::string provider, subject, user;
  WallTime created{};
};
[[nodiscard]] Result<std::vector<Identity>> list_identities(Database& db, std::string_view provider);
// conflict when the subject is somebody already.
[[nodiscard]] Status link_identity(Database& db, std::string_view provider, std::string_view subject,
                                   std::string_view user, WallTime now);
// Ends the user's sessions, for they may rest on it.
[[nodiscard]] Status unlink_identity(Database& db, std::string_view provider, std::string_view subject);

// Whom a logout token speaks of, and that it has been used. nullopt: it was used before.
struct LogoutNotice {
  std::string subject, session, id;
};
struct LoggedOut {
  UserId id{};
  std::string name;
};
[[nodiscard]] Result<std::optional<std::vector<LoggedOut>>> use_logout_token(Database& db,
                                                                             ProviderId provider,
                                                                             const LogoutNotice& notice,
                                                                             WallTime now);

// A sign-in that a provider told of: when the person authenticated there, and when we heard of it. nullopt:
// it was made here.
struct ToldSignIn {
  std::string provider;
  WallTime at{}, told{};
};
[[nodiscard]] Result<std::optional<ToldSignIn>> find_told_sign_in(Database& db, std::int64_t sign_in_id);

// The provider whose group this is by its name (GROUP@PROVIDER), or empty.
[[nodiscard]] Result<std::string> provider_of_group(Database& db, std::string_view group);

}  // namespace nightlatch
