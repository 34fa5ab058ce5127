// Passwords: from a file, from stdin, or asked for twice on the terminal without showing them; never from an
// argument. Main thread.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/context.h"

namespace nightlatch::cli {

// As --password-file says: FILE, or "-" for stdin, or "" to ask on the terminal. One newline at the end is
// left out. The caller wipes it (base/crypto.h).
[[nodiscard]] Result<std::string> read_password(Context& context, const std::string& file,
                                                const std::string& who);

// Any other secret of one line, from FILE or from stdin ("-"), as `option` says. The caller wipes it.
[[nodiscard]] Result<std::string> read_secret(Context& context, const std::string& file,
                                              const std::string& option);

}  // namespace nightlatch::cli
