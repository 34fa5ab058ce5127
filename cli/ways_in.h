// What an administrator who changes how somebody signs in has to know: what else lets that person in. One
// thread.
#pragma once

#include <string>

#include "store/people.h"

namespace nightlatch::cli {

// "alice can still sign in with 2 passkeys, corp; 1 session goes on", and what to do about it. Empty: there
// is nothing. The password goes without saying where it was just changed.
[[nodiscard]] Result<std::string> ways_left(Database& db, const UserRow& user, bool with_password);

}  // namespace nightlatch::cli
