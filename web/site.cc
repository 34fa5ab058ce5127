// Routes, who is asking, and the answers that every request may get; the pages are in site_pages.cc, what
// changes something in site_sign_in.cc.
#include "web/site.h"

#include <fmt/format.h>

#include <array>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "store/browsers.h"
#include "store/office_store.h"
#include "store/proofs.h"
#include "web/portal_config.h"
#include "web/site_oidc.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::string_view kFormCookie = "__Host-nlf";
constexpr Millis kSweep{30'000};
constexpr std::size_t kFormCookieLength = 22;  // 16 bytes in base64url

// "gate.office.example:443." as people and programs write it, and "gate.office.example", are one host.
std::string normal_host(std::string_view host) {
  std::string out = lower(host);
  if (out.ends_with(":443")) out.resize(out.size() - 4);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

struct Route {
  std::string_view path;
  bool get, post;
};
constexpr std::array<Route, 23> kRoutes{{{"/", true, false},
                                         {"/enrol", false, true},
                                         {"/me/devices/remove", true, true},
                                         {"/me", true, false},
                                         {"/captive", true, false},
                                         {"/readyz", true, false},
                                         {"/sign-in", true, true},
                                         {"/login", true, false},
                                         {"/login/start", true, true},
                                         {"/login/poll", true, true},
                                         {"/login/cancel", true, true},
                                         {"/me/renew", true, true},
                                         {"/me/sign-out", true, true},
                                         {"/step-up", true, true},
                                         {"/sign-in/passkey", true, true},
                                         {"/step-up/passkey", true, true},
                                         {"/me/factors/passkey", true, true},
                                         {"/me/factors/passkey/confirm", true, true},
                                         {"/me/factors", true, false},
                                         {"/me/factors/otp", true, true},
                                         {"/me/factors/otp/confirm", true, true},
                                         {"/me/factors/recovery", true, true},
                                         {"/me/factors/remove", true, true}}};

HttpResponse plain(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  response.body = std::move(text);
  return response;
}
}  // namespace

Subject Visit::subject() const {
  Subject s{device, presence, place.mac ? Binding::mac : Binding::address, clock_set_back};
  if (shared() && user != nullptr) {
    s.credential = SentCredential{&own};
    s.binding = Binding::credential;
  }
  s.proofs = proofs;
  return s;
}

Site::Site(Loop& loop, SiteOptions options, OfficeReader& reader, StoreWriter& writer, AuditWriter& audit)
    : loop_(loop),
      options_(std::move(options)),
      reader_(reader),
      writer_(writer),
      audit_(audit),
      throttle_(options_.throttle),
      code_throttle_(options_.code_throttle),
      passkey_throttle_(options_.throttle),
      challenges_(BootClock::now, 50'000, Millis(5 * 60 * 1000)),
      oidc_(std::make_unique<Oidc>()),
      watch_(loop, [this] { tell_watchers(); }),
      sweep_(loop, [this] { sweep_logins(); }) {
  sweep_.every(kSweep);
  auto client = ProviderClient::open(loop_);
  if (!client) {
    log_warning("providers cannot be asked: {}", client.error().message);
    return;
  }
  oidc_->client = std::move(*client);
  oidc_->client->on_metadata(
      [this](const Provider& provider, const ProviderMetadata& at) { learn_hosts(provider, at); });
}

Site::~Site() = default;

void Site::https(HttpRequest request, const HttpResponder& responder) {
  bool found = false;
  HttpResponse common_answer = common(request, found);
  if (found) {
    responder.respond(common_answer);
    return;
  }
  const Format format = negotiate(request);
  const auto v = std::make_shared<Visit>(Visit{.request = std::move(request),
                                               .responder = responder,
                                               .frame = {format, options_.url},
                                               .now = options_.now(),
                                               .office = {},
                                               .place = {},
                                               .browser_token = {},
                                               .presence = {},
                                               .shown = {},
                                               .proofs = {},
                                               .form_cookie = {},
                                               .set_cookies = {}});
  // A page of ours must not be served under a name that is not ours (DNS rebinding).
  if (normal_host(v->request.host) != normal_host(options_.url.substr(options_.url.find("://") + 3))) {
    show_error(v, 421);
    return;
  }
  route(v);
}

// What is the same on both ports: it needs neither a device nor a session.
HttpResponse Site::common(const HttpRequest& request, bool& found) const {
  found = true;
  HttpResponse response;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/healthz" && reads) {
    response = plain(200, "ok\n");
  } else if (request.path == "/ca.pem" && reads) {
    response =
        plain(404, "This office's portal has a certificate of its own, which no CA of ours has signed.\n");
    if (!options_.ca_pem.empty()) {
      response.status = 200;
      response.headers = {{"Content-Type", "application/x-pem-file"},
                          {"Content-Disposition", "attachment; filename=\"nightlatch-office-ca.pem\""},
                          {"Cache-Control", "no-cache"}};
      response.body = options_.ca_pem;
    }
  } else if (request.path == "/proxy.pac" && reads && !another_name(request.host)) {
    response = proxy_pac();
  } else if (auto file = asset(request.path); file && reads) {
    response = std::move(*file);
  } else {
    found = false;
  }
  add_security_headers(response);
  return response;
}

// Whether the host asked for is a name, and not ours: the page of a stranger whose name was turned to our
// address (DNS rebinding) asks like that. An address cannot be turned, and no browser leaves the host out.
bool Site::another_name(std::string_view host) const {
  if (host.empty()) return false;
  const auto asked = host_of_url("https://" + std::string(host));
  if (!asked) return true;
  return normal_host(*asked) != host_of_url(options_.url) && !IpAddress::parse(*asked);
}

void Site::http(const HttpRequest& request, const HttpResponder& responder) const {
  bool found = false;
  HttpResponse response = common(request, found);
  if (!found) {
    if (request.method != "GET" && request.method != "HEAD") {
      // Whatever was sent was sent in the clear; it is not to be sent on as if nothing had happened.
      response = plain(405, "This port only leads to " + options_.url + "/\n");
      response.headers.emplace_back("Allow", "GET, HEAD");
      response.close = true;
    } else {
      // Only what was asked of us by our own name keeps its path; the host is never taken from the request.
      std::string host = request.host;
      if (host.ends_with(":80")) host.resize(host.size() - 3);
      const std::string ours = normal_host(options_.url.substr(options_.url.find("://") + 3));
      const bool same =
          normal_host(host) == ours.substr(0, ours.starts_with('[') ? ours.find(']') + 1 : ours.find(':'));
      const std::string query = request.query.empty() ? "" : "?" + request.query;
      response = plain(308, "The sign-in page is at " + options_.url + "/\n");
      response.headers.emplace_back("Location",
                                    same ? options_.url + request.path + query : options_.url + "/");
    }
    add_security_headers(response);
  }
  responder.respond(response);
}

void Site::respond(const VisitPtr& v, HttpResponse response) const {
  for (const std::string& cookie : v->set_cookies) response.headers.emplace_back("Set-Cookie", cookie);
  add_security_headers(response);
  v->responder.respond(response);
}

void Site::show_error(const VisitPtr& v, int status) const {
  MessagePage page;
  page.status = status;
  page.tone = MessagePage::Tone::bad;
  page.links = {{"/", "Go to the sign-in page"}};
  switch (status) {
    case 404:
      page.heading = "There is no such page";
      page.paragraphs = {"The address may have been mistyped, or the link may be an old one."};
      break;
    case 415:
      page.heading = "This is not a form";
      page.paragraphs = {"Fields are sent as application/x-www-form-urlencoded."};
      break;
    case 421:
      page.heading = "Wrong host";
      page.paragraphs = {"This portal has another name."};
      page.links = {{options_.url + "/", options_.url}};
      break;
    default:
      page.heading = std::string(reason_phrase(status));
      page.paragraphs = {"The request could not be understood."};
      break;
  }
  respond(v, show(v->frame, page));
}

void Site::audit_refusal(const Visit& v, AuditEvent e) {
  e.verdict = "deny";
  e.source = v.place.address.text();
  if (refusals_.worth(fmt::format("{}/{}/{}", e.event, e.reason, throttle_source(v.place))))
    audit_.write(std::move(e));
}

std::string Site::source_of(const IpAddress& address) const {
  SignInPlace place;
  place.address = address;
  place.mac = options_.mac_of ? options_.mac_of(address) : std::nullopt;
  return throttle_source(place);
}

// The store is busy, full or gone: nothing was written, and nothing is claimed.
void Site::unavailable(const VisitPtr& v, const Error& why) const {
  if (warnings_.worth(why.message)) log_warning("{} {}: {}", v->request.method, v->request.path, why.message);
  MessagePage page;
  page.status = 503;
  page.tone = MessagePage::Tone::bad;
  page.heading = "Please try again in a moment";
  page.paragraphs = {"Your request could not be recorded, so it does not count."};
  page.links = {{"/", "Try again"}};
  HttpResponse response = show(v->frame, page);
  response.headers.emplace_back("Retry-After", "5");
  respond(v, std::move(response));
}

// Who is asking, from which device, and who is signed in there.
Status Site::look_up(Visit& v) {
  auto office = reader_.office();
  if (!office) return office.error();
  v.office = *office;
  v.place.address = v.request.peer.address;
  v.place.mac = options_.mac_of ? options_.mac_of(v.place.address) : std::nullopt;
  v.device = v.office->identify(v.place.address, v.place.mac);
  auto clock = store_clock(reader_.db());
  if (!clock) return clock.error();
  v.clock_set_back = set_back(*clock, v.now);
  v.presence.reset();
  v.shown.reset();
  v.user = nullptr;
  if (v.device == nullptr) return Done{};
  auto presence = presence_on(reader_.db(), v.device->id);
  if (!presence) return presence.error();
  v.presence = *presence;
  v.proofs.clear();
  if (v.office->has_machines()) {
    auto proofs = proofs_of(reader_.db(), v.device->id, source_text(v.place));
    if (!proofs) return proofs.error();
    v.proofs = std::move(*proofs);
  }
  if (v.browser_token.empty()) v.browser_token = v.request.cookie(kBrowserCookie);
  if (v.browser_token.empty()) return Done{};
  auto browser = find_browser(reader_.db(), token_digest(v.browser_token));
  if (!browser) return browser.error();
  // The cookie of another device, or of someone who was here before, says nothing.
  if (!*browser || (*browser)->device != v.device->id) return Done{};
  if (v.device->shared) {
    presence = presence_on(reader_.db(), v.device->id, (*browser)->user);
    if (!presence) return presence.error();
    v.presence = *presence;
  }
  if (v.presence && v.presence->user == (*browser)->user) v.user = v.office->user(v.presence->user);
  if (v.user == nullptr) return Done{};
  v.own.user = v.user->id;
  v.shown = (*browser)->shown;
  return Done{};
}

std::string Site::form_token(Visit& v, std::string_view purpose) const {
  if (v.form_cookie.empty()) {
    v.form_cookie = v.request.cookie(kFormCookie);
    if (v.form_cookie.size() != kFormCookieLength) {
      v.form_cookie = random_token(16);
      v.set_cookies.push_back(
          fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", kFormCookie, v.form_cookie));
    }
  }
  return tokens_.issue(v.form_cookie, purpose);
}

void Site::route(const VisitPtr& v) {
  const HttpRequest& r = v->request;
  const bool reads = r.method == "GET" || r.method == "HEAD";
  const bool hold = r.path.starts_with("/k/"), login = r.path.starts_with("/l/");
  const bool oidc = r.path.starts_with("/oidc/");
  Route route{r.path, true, login || oidc};
  if (!hold && !login && !oidc) {
    bool known = false;
    for (const Route& candidate : kRoutes) {
      if (candidate.path != r.path) continue;
      route = candidate;
      known = true;
    }
    if (!known) {
      show_error(v, 404);
      return;
    }
  }
  const bool posts = r.method == "POST" && route.post;
  if (!posts && !(reads && route.get)) {
    MessagePage page;
    page.status = 405;
    page.tone = MessagePage::Tone::bad;
    page.heading = "This address cannot be used like that";
    page.links = {{"/", "Go to the sign-in page"}};
    HttpResponse response = show(v->frame, page);
    response.headers.emplace_back("Allow", !route.get   ? "POST"
                                           : route.post ? "GET, HEAD, POST"
                                                        : "GET, HEAD");
    respond(v, std::move(response));
    return;
  }
  if (const Status looked = look_up(*v); !looked) {
    unavailable(v, looked.error());
    return;
  }
  v->form_cookie = v->request.cookie(kFormCookie);
  if (v->form_cookie.size() != kFormCookieLength) v->form_cookie.clear();
  if (oidc) return route_oidc(v);
  if (posts) {
    if (r.path == "/sign-in") return post_sign_in(v);
    if (r.path == "/enrol") return post_enrol(v);
    if (r.path == "/me/devices/remove") return post_device_remove(v);
    if (r.path == "/step-up") return post_step_up(v);
    if (r.path == "/sign-in/passkey") return post_passkey_sign_in(v);
    if (r.path == "/step-up/passkey") return post_passkey_step_up(v);
    if (r.path == "/me/factors/passkey") return post_passkey(v);
    if (r.path == "/me/factors/passkey/confirm") return post_passkey_confirm(v);
    if (r.path == "/me/renew") return post_renew(v);
    if (login) return post_login_code(v, std::string_view(r.path).substr(3));
    if (r.path.starts_with("/login/")) return post_login(v);
    if (r.path == "/me/factors/otp") return post_otp(v);
    if (r.path == "/me/factors/otp/confirm") return post_otp_confirm(v);
    if (r.path == "/me/factors/recovery") return post_recovery(v);
    if (r.path == "/me/factors/remove") return post_factor_remove(v);
    return post_sign_out(v);
  }
  if (r.path == "/") return get_home(v);
  if (hold) return get_hold(v, std::string_view(r.path).substr(3));
  if (login) return get_login_code(v, std::string_view(r.path).substr(3));
  if (r.path == "/login") return get_login(v);
  if (r.path == "/me") return get_me(v);
  if (r.path == "/step-up") return get_step_up(v);
  if (r.path == "/me/factors") return get_factors(v);
  if (r.path == "/captive") return get_captive(v);
  if (r.path == "/readyz") return respond(v, plain(200, "ready\n"));  // the store was read a moment ago
  // Someone pressed Enter in the address bar after a form: lead back to where forms are.
  HttpResponse response = plain(303, "");
  response.headers.emplace_back("Location", r.path.starts_with("/sign-in")       ? "/"
                                            : r.path.starts_with("/step-up")     ? "/step-up"
                                            : r.path.starts_with("/login/")      ? "/login"
                                            : r.path.starts_with("/me/factors/") ? "/me/factors"
                                                                                 : "/me");
  respond(v, std::move(response));
}

}  // namespace nightlatch
