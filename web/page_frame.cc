#include "web/page_frame.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "web/assets.h"

namespace nightlatch {

namespace {
const std::string& style_version() {
  static const std::string version = hex(sha256(assets::style_css)).substr(0, 12);
  return version;
}
const std::string& script_version() {
  static const std::string version = hex(sha256(assets::passkey_js)).substr(0, 12);
  return version;
}

constexpr std::string_view kPolicyHeader = "Content-Security-Policy";
std::string content_security_policy(bool script) {
  return std::string("default-src 'none'; ") + (script ? "script-src 'self'; " : "") +
         "style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
}

std::string render_passkey(const PasskeyForm& form) {
  std::string credentials;
  for (const std::string& id : form.credentials) credentials += (credentials.empty() ? "" : " ") + id;
  return render(assets::passkey_html, {{"action", form.action},
                                       {"label", form.label},
                                       {"again", form.again},
                                       {"kind", form.create ? "create" : "get"},
                                       {"create", form.create},
                                       {"get", !form.create},
                                       {"alone", form.alone},
                                       {"quiet", !form.alone && !form.first},
                                       {"verification", form.verified ? "required" : "preferred"},
                                       {"rp_id", form.rp_id},
                                       {"token", form.token},
                                       {"challenge_token", form.challenge},
                                       {"challenge", form.challenge.substr(form.challenge.find('.') + 1)},
                                       {"hold", form.hold},
                                       {"login", form.login},
                                       {"credentials", credentials},
                                       {"user_handle", form.user_handle},
                                       {"user_name", form.user_name},
                                       {"name", form.name},
                                       {"script_version", script_version()}});
}

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  return scheme == std::string_view::npos ? url : url.substr(scheme + 3);
}

HttpResponse answer(int status, std::string_view type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", type);
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("Vary", "Accept");
  response.body = std::move(body);
  return response;
}

std::string render_offers(const ProviderOffers& offers) {
  if (offers.names.empty()) return {};
  Value::List providers;
  for (const std::string& name : offers.names) {
    providers.emplace_back(Value::Object{{"name", name},
                                         {"label", offers.label},
                                         {"token", offers.token},
                                         {"hold", offers.hold},
                                         {"login", offers.login},
                                         {"anew", offers.anew},
                                         {"quiet", !offers.first}});
  }
  return render(assets::offers_html, {{"providers", std::move(providers)}});
}
}  // namespace

HttpResponse html_page(const PageFrame& frame, int status, std::string_view body, const std::string& title,
                       Value::Object view) {
  view.emplace_back("title", title);
  view.emplace_back("host", host_of(frame.portal));
  view.emplace_back("style_version", style_version());
  const std::string offers = render_offers(frame.offers);
  view.emplace_back("offers_first", frame.offers.first ? offers : std::string());
  view.emplace_back("offers", frame.offers.first ? std::string() : offers);
  const std::string passkey = frame.passkey ? render_passkey(*frame.passkey) : "";
  const bool first = frame.passkey && frame.passkey->first;
  view.emplace_back("passkey_first", first ? passkey : "");
  view.emplace_back("passkey", first ? "" : passkey);
  view.emplace_back("first", first);
  std::string page(assets::head_html);
  page += body;
  page += assets::foot_html;
  HttpResponse response = answer(status, "text/html; charset=utf-8", render(page, view));
  if (frame.passkey) response.headers.emplace_back(kPolicyHeader, content_security_policy(true));
  return response;
}

HttpResponse json_page(int status, const Value::Object& object) {
  return answer(status, "application/json", to_json(object));
}
HttpResponse text_page(int status, std::string body) {
  return answer(status, "text/plain; charset=utf-8", std::move(body));
}

void add_unless_empty(Value::Object& object, const char* key, const std::string& value) {
  if (!value.empty()) object.emplace_back(key, value);
}

void add_security_headers(HttpResponse& response) {
  const bool own = std::any_of(response.headers.begin(), response.headers.end(),
                               [](const auto& header) { return header.first == kPolicyHeader; });
  if (!own) response.headers.emplace_back(kPolicyHeader, content_security_policy(false));
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

std::optional<HttpResponse> asset(std::string_view path) {
  struct File {
    std::string_view path, type, bytes;
  };
  static const File files[] = {{"/assets/style.css", "text/css; charset=utf-8", assets::style_css},
                               {"/assets/passkey.js", "text/javascript; charset=utf-8", assets::passkey_js},
                               {"/assets/mark.svg", "image/svg+xml", assets::mark_svg},
                               {"/favicon.svg", "image/svg+xml", assets::mark_svg},
                               {"/favicon.ico", "image/svg+xml", assets::mark_svg}};
  for (const File& file : files) {
    if (file.path != path) continue;
    HttpResponse response;
    response.headers = {{"Content-Type", std::string(file.type)}, {"Cache-Control", "public, max-age=86400"}};
    response.body = file.bytes;
    return response;
  }
  return std::nullopt;
}

}  // namespace nightlatch
