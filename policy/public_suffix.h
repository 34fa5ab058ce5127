// Public suffixes: the names under which strangers register theirs, such as "com", "co.uk" and "github.io"
// (publicsuffix.org). Pure: the list is compiled into libpsl, which stays behind this file; any thread.
#pragma once

#include <string>

namespace nightlatch {

// `name` is canonical. A top level that the list does not know, such as an office's own "lan", is no public
// suffix.
[[nodiscard]] bool is_public_suffix(const std::string& name);

}  // namespace nightlatch
