// The list of a user's own devices on /me, in the three forms of a page. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "web/value.h"

namespace nightlatch {

struct OwnDevice {
  std::int64_t id = 0;
  std::string name, state;   // "active", "pending", "revoked"
  std::string last_sign_in;  // RFC 3339, or empty: none
  std::string last_ago;      // "5 min ago"
  bool here = false;         // the one that the page is looked at on
  std::string remove_token;  // of its form; empty: the user may not remove it
};

[[nodiscard]] Value::List json_list(const std::vector<OwnDevice>& devices);
[[nodiscard]] Value::List html_list(const std::vector<OwnDevice>& devices);  // for web/assets/me.html
[[nodiscard]] std::string text_list(const std::vector<OwnDevice>& devices);

}  // namespace nightlatch
