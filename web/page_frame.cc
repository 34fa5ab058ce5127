#include "web/page_frame.h"

#include "base/crypto.h"
#include "base/text.h"
#include "web/assets.h"

namespace nightlatch {

namespace {
const std::string& style_version() {
  static const std::string version = hex(sha256(assets::style_css)).substr(0, 12);
  return version;
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
  std::string page(assets::head_html);
  page += body;
  page += assets::foot_html;
  return answer(status, "text/html; charset=utf-8", render(page, view));
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
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                                "frame-ancestors 'none'; base-uri 'none'");
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
