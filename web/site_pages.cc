// The pages that only show something.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/text.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/identities.h"
#include "web/portal_config.h"
#include "web/proxy_auto_config.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostListed = 100;

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// A link back is offered only to where the device itself wanted to go, in plain http, and only if nothing in
// it could be taken for anything but a host and a path.
bool safe_to_link(std::string_view url) {
  if (!url.starts_with("http://") || url.size() > 2048) return false;
  const std::string_view rest = url.substr(7);
  const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
  const auto in = [](std::string_view text, std::string_view extra) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             extra.find(c) != std::string_view::npos;
    });
  };
  return !host.empty() && in(host, ".-_:[]") && in(rest, ".-_~:[]/?&=%+,;@!$*()'");
}

std::string host_in(const std::string& url) {  // of a URL that is safe to link
  return url.substr(7, std::min(url.find_first_of("/?", 7), url.size()) - 7);
}

std::string left(const Verdict& v, WallTime now) {
  switch (v.kind) {
    case VerdictKind::allow:
      return v.until == kNever ? "open" : format_age(v.until - now) + " left";
    case VerdictKind::sign_in:
      return "sign-in needed";
    case VerdictKind::step_up:
      return "second factor needed";
    case VerdictKind::deny:
      break;
  }
  return "not from this device";
}

std::string terms(const Verdict& v) {
  if (v.kind == VerdictKind::step_up || v.kind == VerdictKind::deny) return capitalized(explain_reason(v));
  return v.session == Seconds(0) ? "A sign-in every time" : "A sign-in every " + format_age(v.session);
}
}  // namespace

std::string sentence(const std::string& resource, const Verdict& verdict) {
  const std::string reason = explain_reason(verdict);
  return (reason.starts_with("asks ") ? resource + " " + reason : capitalized(reason)) + ".";
}

bool same_device(const Visit& v, const std::string& source) {
  if (source == source_text(v.place)) return true;
  if (v.device == nullptr) return false;
  if (const auto mac = Mac::parse(source)) return v.office->identify(IpAddress(), mac) == v.device;
  const auto address = IpAddress::parse(source);
  return address && v.office->identify(*address, std::nullopt) == v.device;
}

Result<std::optional<Hold>> Site::current_hold(const Visit& v, std::string_view code) {
  const std::string wanted = normal_code(code);
  if (wanted.empty() || wanted.size() > 16) return std::optional<Hold>();
  auto hold = find_hold(reader_.db(), wanted);
  if (!hold) return hold.error();
  if (!*hold || (*hold)->last + kHoldLifetime <= v.now || v.office->resource((*hold)->resource) == nullptr) {
    return std::optional<Hold>();
  }
  return hold;
}

Result<std::optional<Hold>> Site::own_hold(const Visit& v, std::string_view code) {
  auto hold = current_hold(v, code);
  if (hold && *hold && !same_device(v, (*hold)->source)) return std::optional<Hold>();
  return hold;
}

std::optional<MessagePage> Site::device_refusal(const Visit& v) const {
  MessagePage page;
  page.status = 403;
  page.tone = MessagePage::Tone::bad;
  const std::string known_as = "This device is known by " + source_text(v.place) + ".";
  const auto refused = [&](std::string heading, std::string text, Reason reason) {
    page.heading = std::move(heading);
    page.paragraphs = {std::move(text), known_as};
    page.facts = {{"verdict", "deny"}, {"reason", to_text(reason)}};
    return page;
  };
  if (v.device == nullptr) {
    if (v.office->data().enrol != Enrol::closed) return std::nullopt;
    return refused("This device is not known here",
                   "New devices are not taken in by a sign-in. An administrator can add this one.",
                   Reason::not_enrolled);
  }
  switch (v.device->state) {
    case DeviceState::active:
      return std::nullopt;
    case DeviceState::revoked:
      return refused("This device has been revoked",
                     "An administrator took its access away, and can give it back.", Reason::device_revoked);
    case DeviceState::pending:
      break;
  }
  page = refused("This device waits for an administrator's approval",
                 "You need not do anything: what you may use opens as soon as it is given.",
                 Reason::device_pending);
  page.tone = MessagePage::Tone::plain;
  page.status = 200;
  page.facts.emplace_back("device", v.device->name);
  return page;
}

// The one place that decides what a person sees: the form with its reason, "connected", or why not.
void Site::show_state(const VisitPtr& v, const std::optional<Hold>& hold, int status,
                      const std::string& error, const std::string& name, const std::string& login) {
  if (auto refusal = device_refusal(*v)) {
    respond(v, show(v->frame, *refusal));
    return;
  }
  SignInPage form;
  form.status = status;
  form.error = error;
  form.login = login;
  form.name = !name.empty() || v->user == nullptr ? name : v->user->name;
  form.heading = "Sign in";
  form.why = "One sign-in opens everything in this office that it is recent enough for, on this device.";
  if (v->shared()) form.why = kSharedNote;
  const Onward onward{hold ? hold->code : "", login};
  if (!hold && is_login_code(login)) {
    form.heading = "Sign in first";
    form.why =
        "Then you are asked whether to sign in the device that shows the code " + spoken_code(login) + ".";
  }
  if (!hold) {
    v->frame.offers = offers(*v, onward);
    form.token = form_token(*v, "sign-in");
    offer_passkey_sign_in(v, {"", login});
    respond(v, show(v->frame, form));
    return;
  }
  const Resource& resource = *v->office->resource(hold->resource);
  const Verdict verdict = decide_resource(*v->office, v->subject(), resource, v->now);
  form.hold = hold->code;
  form.resource = resource.name;
  form.verdict = to_text(verdict.kind);
  form.reason = to_text(verdict.reason);
  form.heading = "Sign in to reach " + resource.name;
  form.why = sentence(resource.name, verdict);
  const bool unknown_here = v->shared() && v->user == nullptr;  // signing in may help, whoever it is
  if (unknown_here) form.why = kSharedNote;

  MessagePage page;
  page.facts = {{"verdict", form.verdict}, {"reason", form.reason}, {"resource", resource.name}};
  if (verdict.policy != nullptr) page.facts.emplace_back("policy", verdict.policy->name);
  if (verdict.kind == VerdictKind::allow && error.empty()) {
    page.tone = MessagePage::Tone::good;
    page.heading = "Connected";
    std::string open = resource.name + " is open to you on this device";
    if (verdict.until != kNever) {
      open += " for " + format_age(std::chrono::ceil<Seconds>(verdict.until - v->now));
      page.facts.emplace_back("until", format_rfc3339(verdict.until));
    }
    page.paragraphs = {open + ".", "Go back to your application: it can connect now."};
    if (v->shared()) page.paragraphs.emplace_back(kSharedNote);
    if (safe_to_link(hold->url)) page.links.push_back({hold->url, "Go back to " + host_in(hold->url)});
    if (const std::string told = told_by_provider(*v); !told.empty()) page.paragraphs.push_back(told);
    if (v->user != nullptr) page.links.push_back({"/me", "Your sessions"});
    respond(v, show(v->frame, page));
    return;
  }
  if (verdict.kind == VerdictKind::step_up && v->user != nullptr) {
    v->frame.offers = offers(*v, onward, OfferFor::step_up);
    return ask_for_code(v, {hold->code, login},
                        {.status = status,
                         .error = error,
                         .resource = resource.name,
                         .why = form.why,
                         .reason = form.reason});
  }
  if (verdict.reason == Reason::binding_too_weak) {
    page.tone = MessagePage::Tone::bad;
    page.heading = resource.name + " asks for more than a password";
    page.paragraphs = {form.why, "An administrator can tell you what is needed."};
    respond(v, show(v->frame, page));
    return;
  }
  // A sign-in opens nothing here: nobody is asked for one.
  if (verdict.reason == Reason::machines_only || verdict.reason == Reason::proof_expired) {
    page.tone = MessagePage::Tone::bad;
    page.heading = "Only machines may use " + resource.name;
    page.paragraphs = {
        "It is reached by devices that prove themselves with a token or a certificate of their "
        "own. Signing in does not open it."};
    if (verdict.reason == Reason::proof_expired)
      page.paragraphs.push_back("This device has done so, but too long ago: it has to do it again.");
    respond(v, show(v->frame, page));
    return;
  }
  if (verdict.kind == VerdictKind::deny && !unknown_here) {
    if (!v->presence) {
      page.tone = MessagePage::Tone::bad;
      page.heading = "Nobody may use " + resource.name + " from here";
      page.paragraphs = {"No policy lets anyone in at this time. An administrator can change that."};
      respond(v, show(v->frame, page));
      return;
    }
    // Who is signed in here is told to the browser that signed in, and to no other.
    const std::string who = v->user != nullptr ? v->user->name : "Who is signed in on this device";
    form.heading = who + " may not use " + resource.name;
    form.why = verdict.reason == Reason::denied_by_policy ? "A policy refuses it." : "No policy allows it.";
    form.why += " You can sign in as someone else.";
    form.button = "Sign in as someone else";
    form.name = name;
  }
  v->frame.offers = offers(*v, onward);
  form.token = form_token(*v, "sign-in");
  offer_passkey_sign_in(v, {hold->code, login});
  respond(v, show(v->frame, form));
}

// Both times, when a provider told us later than the person signed in there (semantics 1).
std::string Site::told_by_provider(const Visit& v) {
  if (v.user == nullptr || !v.presence) return {};
  const auto told = find_told_sign_in(reader_.db(), v.presence->sign_in_id);
  if (!told || !*told || (*told)->told - (*told)->at < Seconds(60)) return {};
  const auto& t = **told;
  return fmt::format(
      "{} says that you signed in there at {}, and told us so at {}: your sessions count from the first.",
      t.provider, format_rfc3339(std::chrono::floor<Seconds>(t.at)),
      format_rfc3339(std::chrono::floor<Seconds>(t.told)));
}

void Site::get_home(const VisitPtr& v) {
  if (v->user == nullptr || device_refusal(*v)) {
    show_state(v, std::nullopt, 200, "", "");
    return;
  }
  lead_to(v, "/me");
}

void Site::get_hold(const VisitPtr& v, std::string_view code) {
  auto hold = current_hold(*v, code);
  if (!hold) {
    unavailable(v, hold.error());
  } else if (!*hold) {
    MessagePage page;
    page.status = 404;
    page.heading = "This link is no longer good";
    page.paragraphs = {
        "Such links last an hour. Try what you wanted to do again, and you will get a new one; or sign in "
        "straight away."};
    page.links = {{"/", "Sign in"}};
    respond(v, show(v->frame, page));
  } else if (!same_device(*v, (*hold)->source)) {
    show_state(v, std::nullopt, 200, "", "");  // what another device wanted is nobody's business here
  } else {
    show_state(v, *hold, 200, "", "");
  }
}

void Site::get_me(const VisitPtr& v) {
  if (v->user == nullptr) {
    show_state(v, std::nullopt, 200, "", "");
    return;
  }
  MePage page;
  page.user = v->user->name;
  page.device = v->device->name;
  page.binding = to_text(binding_of(*v->office, v->subject(), v->now));
  const Millis age = std::max(v->now - v->presence->signed_in, Millis(0));
  page.signed_in = age < Seconds(1) ? "just now" : format_age(age) + " ago";
  page.age_s = age.count() / 1000;
  page.signed_in_at = format_rfc3339(v->presence->signed_in);
  page.note = told_by_provider(*v);
  if (v->shared()) page.note = kSharedNote;
  if (const auto refusal = device_refusal(*v)) page.note = refusal->heading + ".";
  for (const Resource& resource : v->office->data().resources) {
    const Verdict verdict = decide_resource(*v->office, v->subject(), resource, v->now);
    const bool reachable = verdict.kind != VerdictKind::deny || verdict.reason == Reason::binding_too_weak;
    if (!reachable || verdict.by_machine()) continue;
    if (page.sessions.size() == kMostListed) {
      ++page.more;
      continue;
    }
    MePage::Session s;
    s.resource = resource.name;
    s.policy = verdict.policy != nullptr ? verdict.policy->name : "";
    s.verdict = to_text(verdict.kind);
    s.reason = to_text(verdict.reason);
    s.left = left(verdict, v->now);
    s.terms = terms(verdict);
    s.session_s = verdict.session.count();
    if (verdict.kind == VerdictKind::allow && verdict.until != kNever) {
      s.until = format_rfc3339(verdict.until);
      s.left_s = (verdict.until - v->now).count() / 1000;
    }
    page.sessions.push_back(std::move(s));
  }
  if (const Status added = add_devices(v, page); !added) return unavailable(v, added.error());
  page.renew_token = form_token(*v, "renew");
  page.sign_out_token = form_token(*v, "sign-out");
  respond(v, show(v->frame, page));
}

// RFC 8908 section 5. "captive" stays false: nothing but protected resources is ever held up.
void Site::get_captive(const VisitPtr& v) const {
  WallTime earliest = kNever;
  if (v->presence) {
    for (const Resource& resource : v->office->data().resources) {
      const Verdict verdict = decide_resource(*v->office, v->subject(), resource, v->now);
      if (verdict.kind == VerdictKind::allow) earliest = std::min(earliest, verdict.until);
    }
  }
  Value::Object object{{"captive", false},
                       {"user-portal-url", options_.url + "/"},
                       {"venue-info-url", options_.url + "/me"},
                       {"can-extend-session", true}};
  if (earliest != kNever) {
    object.emplace_back("seconds-remaining", std::max<std::int64_t>((earliest - v->now).count() / 1000, 0));
  }
  HttpResponse response;
  response.headers = {{"Content-Type", "application/captive+json"}, {"Cache-Control", "private, no-store"}};
  response.body = to_json(object);
  respond(v, std::move(response));
}

// Programs ask for it before anybody is signed in, and it is the same for everyone: who may use what is not
// in it.
HttpResponse Site::proxy_pac() const {
  HttpResponse response;
  const auto office = reader_.office();
  const auto http = get_setting(reader_.db(), "http.listen");
  const auto socks = get_setting(reader_.db(), "socks.listen");
  if (!office || !http || !socks) {
    log_warning("GET /proxy.pac: {}", (!office ? office.error()
                                       : !http ? http.error()
                                               : socks.error())
                                          .message);
    response.status = 503;
    response.headers = {{"Cache-Control", "no-store"}, {"Retry-After", "5"}};
    return response;
  }
  response.headers = {{"Content-Type", "application/x-ns-proxy-autoconfig"}, {"Cache-Control", "no-store"}};
  response.body =
      proxy_auto_config((*office)->data().resources, {*http, *socks, host_of_url(options_.url).value_or("")});
  return response;
}

}  // namespace nightlatch
