// QR codes: a text as something that a phone's camera reads. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nightlatch {

// For a terminal: two rows of modules in each line, by half blocks, with the quiet zone around (ISO/IEC 18004
// asks for four modules). Dark on light, whatever the terminal's colours are, where it knows ANSI colours;
// with `colour` off the light modules are drawn instead, for dark terminals. `usage` for text that is too
// long.
[[nodiscard]] Result<std::string> qr_text(std::string_view text, bool colour);

// An SVG document of its own: dark modules on white.
[[nodiscard]] Result<std::string> qr_svg(std::string_view text);

}  // namespace nightlatch
