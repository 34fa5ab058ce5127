// Whether text is one JSON object that is read in one way only: what strangers sign or send is looked at with
// this before anything is made of it. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace nightlatch {

inline constexpr std::size_t kDeepestJson = 16;

// One object (RFC 8259) in UTF-8, nothing behind it, no name twice in one object (RFC 7515 section 4, RFC
// 7519 section 4), nested at most kDeepestJson deep.
[[nodiscard]] bool is_strict_json_object(std::string_view text);

}  // namespace nightlatch
