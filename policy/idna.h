// International names as the DNS carries them: IDNA2008 (RFC 5891) after the mapping of UTS #46, the modern
// one (non-transitional: a sharp s stays a sharp s). Pure; any thread; libidn2 stays behind this file.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nightlatch {

// "bücher.example" becomes "xn--bcher-kva.example"; an A-label that is there already is checked. What comes
// back is ASCII, and nothing more is promised of it. The error's message is the reason alone.
[[nodiscard]] Result<std::string> to_a_labels(std::string_view utf8);

}  // namespace nightlatch
