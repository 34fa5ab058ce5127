#include "web/pages.h"

#include <fmt/format.h>

#include <iterator>

#include "web/assets.h"

namespace nightlatch {

HttpResponse show(const PageFrame& frame, const SignInPage& page) {
  const std::string path = !page.hold.empty()    ? "/k/" + page.hold
                           : !page.login.empty() ? "/l/" + page.login
                                                 : "/";
  const std::string url = frame.portal + path;
  if (frame.format == Format::json) {
    Value::Object object{{"signed_in", false}, {"verdict", page.verdict}};
    add_unless_empty(object, "reason", page.reason);
    add_unless_empty(object, "resource", page.resource);
    add_unless_empty(object, "message", page.why);
    add_unless_empty(object, "error", page.error);
    add_unless_empty(object, "hold", page.hold);
    add_unless_empty(object, "login", page.login);
    object.emplace_back(page.hold.empty() ? "url" : "hold_url", url);
    object.emplace_back("token", page.token);
    if (!frame.offers.names.empty()) {
      Value::List providers;
      for (const std::string& name : frame.offers.names) {
        providers.emplace_back(Value::Object{{"name", name}, {"start", "/oidc/" + name + "/start"}});
      }
      object.emplace_back("providers", std::move(providers));
      object.emplace_back("provider_token", frame.offers.token);
    }
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    std::string body;
    if (!page.error.empty()) body += page.error + "\n\n";
    body += page.heading + "\n";
    if (!page.why.empty()) body += page.why + "\n";
    body += fmt::format("\nOpen this address in a browser on this device:\n  {}\n", url);
    if (!page.hold.empty()) {
      body += fmt::format("or, from a terminal, by a browser elsewhere:\n  curl {}/login?hold={}\n",
                          frame.portal, page.hold);
    }
    return text_page(page.status, body);
  }
  Value::Object view{{"heading", page.heading},
                     {"token", page.token},
                     {"button", page.button},
                     {"name_value", page.name},
                     {"hold", page.hold},
                     {"login", page.login},
                     {"has_error", !page.error.empty()},
                     {"error", page.error},
                     {"has_why", !page.why.empty()},
                     {"why", page.why}};
  view.emplace_back("resource", page.resource);
  view.emplace_back("has_resource", !page.resource.empty());
  // The field that needs typing has the keyboard; a screen reader then reads the error with it.
  view.emplace_back("focus_password", !page.name.empty());
  const std::string title = page.error.empty() ? page.heading : "Not signed in: " + page.heading;
  return html_page(frame, page.status, assets::sign_in_html, title, std::move(view));
}

HttpResponse show(const PageFrame& frame, const MessagePage& page) {
  if (frame.format == Format::json) {
    std::string message = page.heading;
    for (const std::string& p : page.paragraphs) message += (message.ends_with('.') ? " " : ". ") + p;
    Value::Object object = page.facts;
    object.emplace_back("message", message);
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    std::string body = page.heading + "\n";
    for (const std::string& p : page.paragraphs) body += p + "\n";
    for (const MessagePage::Link& link : page.links) {
      const std::string href = link.href.starts_with('/') ? frame.portal + link.href : link.href;
      body += fmt::format("{}: {}\n", link.label, href);
    }
    return text_page(page.status, body);
  }
  Value::List paragraphs;
  for (const std::string& p : page.paragraphs) paragraphs.emplace_back(Value::Object{{"text", p}});
  Value::List links;
  for (const MessagePage::Link& link : page.links) {
    links.emplace_back(Value::Object{{"href", link.href}, {"label", link.label}, {"first", links.empty()}});
  }
  Value::Object view{{"heading", page.heading},
                     {"good", page.tone == MessagePage::Tone::good},
                     {"bad", page.tone == MessagePage::Tone::bad},
                     {"paragraphs", std::move(paragraphs)},
                     {"links", std::move(links)}};
  return html_page(frame, page.status, assets::message_html, page.heading, std::move(view));
}

HttpResponse show(const PageFrame& frame, const MePage& page) {
  if (frame.format == Format::json) {
    Value::List sessions;
    for (const MePage::Session& s : page.sessions) {
      Value::Object o{{"resource", s.resource}, {"verdict", s.verdict}, {"reason", s.reason}};
      add_unless_empty(o, "policy", s.policy);
      add_unless_empty(o, "until", s.until);
      if (s.left_s > 0) o.emplace_back("left_s", s.left_s);
      o.emplace_back("session_s", s.session_s);
      sessions.emplace_back(std::move(o));
    }
    return json_page(200, {{"signed_in", true},
                           {"user", page.user},
                           {"device", page.device},
                           {"binding", page.binding},
                           {"signed_in_at", page.signed_in_at},
                           {"age_s", page.age_s},
                           {"sessions", std::move(sessions)},
                           {"devices", json_list(page.devices)},
                           {"renew_token", page.renew_token},
                           {"sign_out_token", page.sign_out_token}});
  }
  if (frame.format == Format::text) {
    std::string body = fmt::format("{} on {}: signed in {}\n", page.user, page.device, page.signed_in);
    if (!page.note.empty()) body += page.note + "\n";
    for (const MePage::Session& s : page.sessions) {
      fmt::format_to(std::back_inserter(body), "  {:<20} {}  ({})\n", s.resource, s.left, s.terms);
    }
    if (page.more > 0) fmt::format_to(std::back_inserter(body), "  and {} more\n", page.more);
    body += text_list(page.devices);
    return text_page(200, body);
  }
  Value::List sessions;
  for (const MePage::Session& s : page.sessions) {
    sessions.emplace_back(Value::Object{{"resource", s.resource},
                                        {"left", s.left},
                                        {"terms", s.terms},
                                        {"bar", s.left_s > 0 && s.session_s > 0},
                                        {"left_s", s.left_s},
                                        {"session_s", s.session_s},
                                        {"open", s.verdict == "allow"},
                                        {"step_up", s.verdict == "step_up"}});
  }
  Value::Object view{{"user", page.user},
                     {"device", page.device},
                     {"signed_in", page.signed_in},
                     {"has_sessions", !page.sessions.empty()},
                     {"sessions", std::move(sessions)},
                     {"has_more", page.more > 0},
                     {"more", static_cast<std::int64_t>(page.more)},
                     {"has_note", !page.note.empty()},
                     {"note", page.note},
                     {"has_devices", !page.devices.empty()},
                     {"devices", html_list(page.devices)},
                     {"renew_token", page.renew_token},
                     {"sign_out_token", page.sign_out_token}};
  return html_page(frame, 200, assets::me_html, "Your sessions", std::move(view));
}

}  // namespace nightlatch
