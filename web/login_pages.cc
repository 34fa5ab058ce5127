#include "web/login_pages.h"

#include <fmt/format.h>

#include "web/assets.h"

namespace nightlatch {

HttpResponse show(const PageFrame& frame, const LoginCodePage& page) {
  const std::string start = frame.portal + "/login/start", here = frame.portal + "/login";
  if (frame.format == Format::json) {
    Value::Object object;
    add_unless_empty(object, "error", page.error);
    object.emplace_back("message",
                        "A device asks for a sign-in with POST at start_url; its code is answered at url.");
    object.emplace_back("start_url", start);
    object.emplace_back("url", here);
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    std::string body = page.error.empty() ? "" : page.error + "\n\n";
    body += fmt::format(
        "To answer a device that shows a code, open {} in a browser.\nTo sign this device in from its "
        "terminal: curl "
        "{}\n",
        here, here);
    return text_page(page.status, body);
  }
  return html_page(frame, page.status, assets::login_code_html, "Sign in another device",
                   {{"has_error", !page.error.empty()}, {"error", page.error}});
}

HttpResponse show(const PageFrame& frame, const ConfirmPage& page) {
  const std::string path = "/l/" + page.login;
  if (frame.format == Format::json) {
    Value::Object login{{"code", page.code}, {"device", page.device}, {"source", page.source}};
    add_unless_empty(login, "resource", page.resource);
    login.emplace_back("asked_at", page.asked_at);
    Value::Object object{{"signed_in", true}, {"user", page.user}, {"login", std::move(login)}};
    add_unless_empty(object, "error", page.error);
    object.emplace_back("message", page.counts);
    object.emplace_back("url", frame.portal + path);
    object.emplace_back("token", page.token);
    return json_page(page.status, object);
  }
  if (frame.format == Format::text) {
    return text_page(
        page.status,
        fmt::format("Sign in {} ({}) as {}?\nOpen this address in a browser on this device:\n  {}\n",
                    page.device, page.source, page.user, frame.portal + path));
  }
  Value::List notes;
  for (const std::string& note : page.notes) notes.emplace_back(Value::Object{{"text", note}});
  Value::Object view{{"user", page.user},
                     {"has_error", !page.error.empty()},
                     {"error", page.error},
                     {"device", page.device},
                     {"source", page.source},
                     {"has_resource", !page.resource.empty()},
                     {"resource", page.resource},
                     {"asked", page.asked},
                     {"asked_at", page.asked_at},
                     {"code", page.code},
                     {"counts", page.counts},
                     {"notes", std::move(notes)},
                     {"path", path},
                     {"token", page.token},
                     {"login", page.login}};
  return html_page(frame, page.status, assets::login_confirm_html, "Confirm a sign-in", std::move(view));
}

}  // namespace nightlatch
