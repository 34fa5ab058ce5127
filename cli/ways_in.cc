#include "cli/ways_in.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "store/identities.h"
#include "store/passkeys.h"
#include "store/providers.h"
#include "store/sessions.h"

namespace nightlatch::cli {

namespace {
std::string counted(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}
}  // namespace

Result<std::string> ways_left(Database& db, const UserRow& user, bool with_password) {
  std::vector<std::string> ways;
  if (user.has_password && with_password) ways.emplace_back("a password");
  auto passkeys = list_passkeys(db, user.id);
  if (!passkeys) return passkeys.error();
  if (!passkeys->empty()) ways.push_back(counted(passkeys->size(), "passkey"));
  auto providers = list_providers(db);
  if (!providers) return providers.error();
  for (const Provider& p : *providers) {
    auto people = list_identities(db, p.name);
    if (!people) return people.error();
    const bool linked =
        std::any_of(people->begin(), people->end(), [&](const Identity& i) { return i.user == user.name; });
    if (linked && p.enabled) ways.push_back(p.name);
  }
  auto present = list_presence(db);
  if (!present) return present.error();
  const auto sessions =
      static_cast<std::size_t>(std::count_if(present->begin(), present->end(), [&](const PresenceRow& row) {
        return row.presence.user == user.id;
      }));
  std::string says;
  if (!ways.empty()) says = fmt::format("{} can still sign in with {}", user.name, fmt::join(ways, ", "));
  if (sessions > 0) {
    says += fmt::format("{}{} on", says.empty() ? "" : "; ",
                        counted(sessions, "session") + (sessions == 1 ? " goes" : " go"));
  }
  std::vector<std::string> commands;
  if (!passkeys->empty())
    commands.push_back(fmt::format("nightlatch user factor {} --remove all", user.name));
  if (sessions > 0) commands.push_back(fmt::format("nightlatch session end --user {}", user.name));
  if (!commands.empty()) says += fmt::format("; to change that: {}", fmt::join(commands, ", "));
  return says;
}

}  // namespace nightlatch::cli
