// The pages around second factors, each in three forms: the one that asks for a code, and those on which
// users look after their own. Pure, as web/pages.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "web/page_frame.h"

namespace nightlatch {

// Asks the user who is signed in for a second factor.
struct CodePage {
  int status = 200;
  std::string heading, why;
  std::string error;             // what was wrong with the last try, or empty
  std::string hold, login;       // what it is for (web/site.h, Onward)
  std::string token;             // the form's hidden token
  bool otp = false;              // the user has an authenticator
  bool recovery = false;         // and recovery codes
  bool passkey = false;          // and a passkey: its form is in the frame
  std::string reason, resource;  // for programs
};

// What a user can prove a second factor with.
struct FactorsPage {
  struct Passkey {
    std::string name, since, last_used;  // RFC 3339; last_used may be empty
    bool synced = false;                 // its key may be on several devices
    bool usable = true;                  // was made for the name that the portal has now
  };
  std::string user;
  std::vector<Passkey> passkeys;
  std::string no_passkeys;  // why there cannot be any more, or empty
  std::string otp_since;    // RFC 3339, or empty: there is none
  std::int64_t recovery_codes = 0;
  std::string note;  // why nothing can be changed now, or empty; without it there are tokens
  bool renew = false, confirm = false;  // what the note asks for: a new sign-in, or a second factor
  std::string otp_token, recovery_token, remove_token, renew_token, passkey_token;
};

// A new authenticator: its secret, to be confirmed by a first code.
struct OtpSetupPage {
  int status = 200;
  std::string error;
  std::string secret;  // in base 32
  std::string qr_svg;  // trusted markup
  std::string token;
};

// A new passkey: its form is in the frame.
struct PasskeySetupPage {
  int status = 200;
  std::string error;
  std::string host;  // the portal's name
};

// Shown once.
struct RecoveryCodesPage {
  std::string heading;
  std::string why;
  std::vector<std::string> codes;
};

[[nodiscard]] HttpResponse show(const PageFrame& frame, const CodePage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const FactorsPage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const OtpSetupPage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const PasskeySetupPage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const RecoveryCodesPage& page);

}  // namespace nightlatch
