// What people type: passwords from a file, from stdin, or asked for on the terminal without showing them,
// never from an argument; and other answers. Main thread.
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
// As read_password() for one that is there already: asked for once.
[[nodiscard]] Result<std::string> read_known_password(Context& context, const std::string& file,
                                                      const std::string& who);
// Asked on the terminal, whatever stdin is; a secret is not shown. `usage` when there is no terminal.
[[nodiscard]] Result<std::string> ask_secret(const std::string& prompt);
[[nodiscard]] Result<std::string> ask_line(const std::string& prompt);

}  // namespace nightlatch::cli
