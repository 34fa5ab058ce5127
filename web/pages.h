// The portal's pages, each in three forms: HTML for people, JSON for programs, text for terminals.
// Pure: a page is made from plain values; any thread. Everything variable is escaped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/http_message.h"
#include "web/device_list.h"
#include "web/page_frame.h"
#include "web/value.h"

namespace nightlatch {

// The form that asks for a sign-in.
struct SignInPage {
  int status = 200;
  std::string heading;  // "Sign in to reach payroll"
  std::string why;      // one sentence
  std::string error;    // what was wrong with the last try, or empty
  std::string name;     // filled in already
  std::string hold;     // the hold's code, or empty
  std::string login;    // that of a login which another device waits for, or empty
  std::string token;    // the form's hidden token
  std::string button = "Sign in";
  std::string verdict = "sign_in";  // for programs, like the next two
  std::string reason;
  std::string resource;
};

// A page that says something and offers a way on.
struct MessagePage {
  enum class Tone : std::uint8_t { plain, good, bad };
  struct Link {
    std::string href, label;
  };
  int status = 200;
  Tone tone = Tone::plain;
  std::string heading;
  std::vector<std::string> paragraphs;
  std::vector<Link> links;
  Value::Object facts;  // more for programs
};

// The signed-in user's own sessions.
struct MePage {
  struct Session {
    std::string resource, policy, verdict, reason;
    std::string until;                       // RFC 3339, or empty
    std::string left;                        // "3 h 20 min left", "asks for a new sign-in"
    std::string terms;                       // "every 8 h"
    std::int64_t left_s = 0, session_s = 0;  // 0: no bar
  };
  std::string user, device, binding;
  std::string signed_in;  // "5 min ago"
  std::int64_t age_s = 0;
  std::string signed_in_at;
  std::vector<Session> sessions;
  std::size_t more = 0;  // resources that are not listed
  std::string note;      // about the device, or empty
  std::vector<OwnDevice> devices;
  std::string renew_token, sign_out_token;
};

[[nodiscard]] HttpResponse show(const PageFrame& frame, const SignInPage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const MessagePage& page);
[[nodiscard]] HttpResponse show(const PageFrame& frame, const MePage& page);

}  // namespace nightlatch
