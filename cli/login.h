// The two ways of `nightlatch login`, on a machine that has no store: by a person's browser elsewhere, or by
// name and password on the terminal itself. Each returns the exit status, having printed what there is to
// print. Main thread.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/context.h"
#include "cli/portal_client.h"

namespace nightlatch::cli {

struct LoginGoal {       // what the sign-in is for
  std::string hold;      // a hold's code, or empty
  std::string resource;  // or empty
};

[[nodiscard]] Result<int> hand_off_login(Context& context, PortalClient& portal, const LoginGoal& goal);
[[nodiscard]] Result<int> direct_login(Context& context, PortalClient& portal, const LoginGoal& goal);

// Prints how it ended: the object of --json on stdout, or its message on stderr. 0, or 4 when somebody is
// signed in and what was wanted is still not open.
[[nodiscard]] int print_login(Context& context, const Record& end);
// It was refused: the same, with "signed_in": false; 4.
[[nodiscard]] int print_refusal(Context& context, const std::string& error, const std::string& message);

}  // namespace nightlatch::cli
