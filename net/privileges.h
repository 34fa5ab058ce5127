// Giving up what a process does not need. libcap stays behind this file. Call before any thread is started.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace nightlatch {

// Becomes `user` (name in the password file) with just `keep` ("net_admin", "net_raw", ...) as permitted,
// effective and ambient capabilities, an empty bounding set otherwise, and no_new_privs. When not root: only
// drops capabilities.
[[nodiscard]] Status drop_privileges(const std::string& user, const std::vector<std::string>& keep);

}  // namespace nightlatch
