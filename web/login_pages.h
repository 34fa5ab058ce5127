// The pages around logins of other machines, each in three forms: the one on which a code is typed, and the
// one that asks whether the machine shall be signed in. Pure, as web/pages.h.
#pragma once

#include <string>
#include <vector>

#include "web/page_frame.h"

namespace nightlatch {

// Where the code of a machine that waits for a sign-in is typed in.
struct LoginCodePage {
  int status = 200;
  std::string error;
};

// Asks whether the machine that waits shall be signed in.
struct ConfirmPage {
  int status = 200;
  std::string error;  // why the last answer was not taken, or empty
  std::string user;
  std::string login;               // the code as it is in addresses
  std::string code;                // as people read it: "7QF4-ZX2A"
  std::string device;              // its name, or that it is not known
  std::string source;              // "02:00:00:00:0a:11, 10.77.0.11"
  std::string resource;            // or empty
  std::string asked;               // "2 min ago"
  std::string asked_at;            // RFC 3339
  std::string counts;              // what the sign-in counts for there
  std::vector<std::string> notes;  // what else it means
  std::string token;
};

[[nodiscard]] HttpResponse show(const PageFrame& frame, const LoginCodePage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const ConfirmPage& page);

}  // namespace nightlatch
