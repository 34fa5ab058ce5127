#include "web/factor_pages.h"

#include <fmt/format.h>

#include <iterator>

#include "web/assets.h"

namespace nightlatch {

namespace {
// "JBSW Y3DP ...": as people read it aloud.
std::string in_fours(const std::string& secret) {
  std::string out;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    if (i > 0 && i % 4 == 0) out += ' ';
    out += secret[i];
  }
  return out;
}

std::string use_of(const FactorsPage::Passkey& p) {
  if (!p.usable) return "made when this portal had another name; it cannot be used here";
  return p.last_used.empty() ? "since " + p.since.substr(0, 10) + ", not used yet"
                             : "last used " + p.last_used.substr(0, 10);
}
}  // namespace

HttpResponse show(const PageFrame& frame, const CodePage& page) {
  const std::string path = !page.hold.empty()    ? "/k/" + page.hold
                           : !page.login.empty() ? "/l/" + page.login
                                                 : "/step-up";
  const std::string url = frame.portal + path;
  if (frame.format == Format::json) {
    Value::Object object{{"signed_in", true}, {"verdict", "step_up"}};
    add_unless_empty(object, "reason", page.reason);
    add_unless_empty(object, "resource", page.resource);
    add_unless_empty(object, "message", page.why);
    add_unless_empty(object, "error", page.error);
    add_unless_empty(object, "hold", page.hold);
    add_unless_empty(object, "login", page.login);
    Value::List methods;
    if (page.otp) methods.emplace_back("otp");
    if (page.recovery) methods.emplace_back("recovery");
    if (page.passkey) methods.emplace_back("passkey");
    object.emplace_back("methods", std::move(methods));
    object.emplace_back(page.hold.empty() ? "url" : "hold_url", url);
    object.emplace_back("token", page.token);
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    std::string body;
    if (!page.error.empty()) body += page.error + "\n\n";
    body += fmt::format("{}\n{}\n\nOpen this address in a browser on this device:\n  {}\n", page.heading,
                        page.why, url);
    return text_page(page.status, body);
  }
  const std::string title = page.error.empty() ? page.heading : "Not yet: " + page.heading;
  return html_page(frame, page.status, assets::code_html, title,
                   {{"heading", page.heading},
                    {"why", page.why},
                    {"has_error", !page.error.empty()},
                    {"error", page.error},
                    {"hold", page.hold},
                    {"login", page.login},
                    {"token", page.token},
                    {"code", page.otp || page.recovery},
                    {"otp", page.otp},
                    {"only_recovery", !page.otp},
                    {"only_otp", page.otp && !page.recovery},
                    {"otp_and_recovery", page.otp && page.recovery}});
}

HttpResponse show(const PageFrame& frame, const FactorsPage& page) {
  if (frame.format == Format::json) {
    Value::Object object{{"signed_in", true}, {"user", page.user}, {"otp", !page.otp_since.empty()}};
    add_unless_empty(object, "otp_since", page.otp_since);
    object.emplace_back("recovery_codes", page.recovery_codes);
    Value::List passkeys;
    for (const FactorsPage::Passkey& p : page.passkeys) {
      Value::Object passkey{
          {"name", p.name}, {"created", p.since}, {"synced", p.synced}, {"usable", p.usable}};
      add_unless_empty(passkey, "last_used", p.last_used);
      passkeys.emplace_back(std::move(passkey));
    }
    object.emplace_back("passkeys", std::move(passkeys));
    add_unless_empty(object, "message", page.note);
    return json_page(200, object);
  }
  if (frame.format == Format::text) {
    std::string body = fmt::format(
        "Second factors of {}\n  authenticator   {}\n  recovery codes  {} left\n", page.user,
        page.otp_since.empty() ? "none" : "since " + page.otp_since.substr(0, 10), page.recovery_codes);
    for (const FactorsPage::Passkey& p : page.passkeys) {
      fmt::format_to(std::back_inserter(body), "  passkey         {}, {}\n", p.name, use_of(p));
    }
    if (!page.note.empty()) body += page.note + "\n";
    return text_page(200, body);
  }
  Value::List passkeys;
  for (const FactorsPage::Passkey& p : page.passkeys) {
    passkeys.emplace_back(Value::Object{{"name", p.name}, {"use", use_of(p)}, {"synced", p.synced}});
  }
  return html_page(frame, 200, assets::factors_html, "Second factors",
                   {{"user", page.user},
                    {"has_otp", !page.otp_since.empty()},
                    {"otp_since", page.otp_since.substr(0, 10)},
                    {"has_codes", page.recovery_codes > 0},
                    {"codes", page.recovery_codes},
                    {"passkeys", std::move(passkeys)},
                    {"has_passkeys", !page.passkeys.empty()},
                    {"can_add_passkey", page.note.empty() && page.no_passkeys.empty()},
                    {"has_no_passkeys", !page.no_passkeys.empty()},
                    {"no_passkeys", page.no_passkeys},
                    {"passkey_token", page.passkey_token},
                    {"can_change", page.note.empty()},
                    {"has_note", !page.note.empty()},
                    {"note", page.note},
                    {"renew", page.renew},
                    {"confirm", page.confirm},
                    {"confirm_label", page.otp_since.empty() && page.recovery_codes == 0 ? "Use your passkey"
                                                                                         : "Enter a code"},
                    {"otp_token", page.otp_token},
                    {"recovery_token", page.recovery_token},
                    {"remove_token", page.remove_token},
                    {"renew_token", page.renew_token}});
}

HttpResponse show(const PageFrame& frame, const OtpSetupPage& page) {
  if (frame.format == Format::json) {
    Value::Object object{{"secret", page.secret}, {"token", page.token}};
    add_unless_empty(object, "error", page.error);
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    return text_page(page.status, "Open this page in a browser: it shows a code to be scanned.\n");
  }
  const std::string heading = "Set up an authenticator";
  return html_page(frame, page.status, assets::otp_setup_html,
                   page.error.empty() ? heading : "Not yet: " + heading,
                   {{"heading", heading},
                    {"has_error", !page.error.empty()},
                    {"error", page.error},
                    {"secret", page.secret},
                    {"secret_spaced", in_fours(page.secret)},
                    {"qr", page.qr_svg},
                    {"token", page.token}});
}

HttpResponse show(const PageFrame& frame, const PasskeySetupPage& page) {
  if (frame.format != Format::html) {
    // A passkey is made by a browser, with a person before it.
    const std::string text = "Open " + frame.portal + "/me/factors in a browser: a passkey is made there.";
    if (frame.format == Format::json) return json_page(page.status, {{"message", text}});
    return text_page(page.status, text + "\n");
  }
  const std::string heading = "Add a passkey";
  return html_page(
      frame, page.status, assets::passkey_setup_html, page.error.empty() ? heading : "Not yet: " + heading,
      {{"heading", heading}, {"has_error", !page.error.empty()}, {"error", page.error}, {"rp", page.host}});
}

HttpResponse show(const PageFrame& frame, const RecoveryCodesPage& page) {
  Value::List codes;
  if (frame.format == Format::json) {
    for (const std::string& code : page.codes) codes.emplace_back(code);
    return json_page(200, {{"message", page.heading + "."}, {"recovery_codes", std::move(codes)}});
  }
  if (frame.format == Format::text) {
    std::string body = page.heading + "\n" + page.why + "\n\n";
    for (const std::string& code : page.codes) fmt::format_to(std::back_inserter(body), "  {}\n", code);
    return text_page(200, body);
  }
  for (const std::string& code : page.codes) codes.emplace_back(Value::Object{{"code", code}});
  return html_page(frame, 200, assets::recovery_codes_html, page.heading,
                   {{"heading", page.heading}, {"why", page.why}, {"codes", std::move(codes)}});
}

}  // namespace nightlatch
