// Machines without a browser (RFC 8628): a terminal asks to be signed in, shows a code, and waits until
// somebody confirms it in a browser elsewhere (site_login_confirm.cc). Starting grants nothing and looks at
// no cookie.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "auth/hand_off.h"
#include "base/qr_code.h"
#include "base/text.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr Millis kLookAtWatchers{2000};

HttpResponse json(int status, const Value::Object& object) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = to_json(object);
  return response;
}

// RFC 8628 section 3.5, RFC 6749 section 5.2
HttpResponse login_error(std::string_view error, std::string message, int status = 400) {
  return json(status, {{"error", error}, {"message", std::move(message)}});
}

// A browser says so in every request since 2023, and links are fetched ahead by browsers too.
bool sent_by_a_browser(const HttpRequest& request) {
  for (const char* name : {"sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-purpose", "purpose",
                           "x-purpose", "x-moz", "origin", "referer", "cookie"}) {
    if (!request.header(name).empty()) return true;
  }
  return false;
}

std::string for_terminals(const std::string& portal, const Login& login) {
  const std::string link = portal + "/l/" + login.code;
  std::string text = fmt::format(
      "To sign this device in, open this address in a browser on a telephone or another computer in the "
      "office,\n"
      "sign in there, and confirm:\n\n  {}\n\nor open {}/login and type the code {}. It is good for {}.\n\n",
      link, portal, spoken_code(login.code), format_age(kLoginLifetime));
  if (auto qr = qr_text(link, true)) text += *qr + "\n";
  return text + "Waiting for it; Ctrl-C ends this.\n";
}
}  // namespace

std::string spoken_code(const std::string& code) {
  return code.size() == kLoginCodeSymbols ? code.substr(0, 4) + "-" + code.substr(4) : code;
}

LoginNames Site::names_of(const Visit& v, const Login& login) {
  const SignInPlace place = place_of(login);
  const Device* device = v.office->identify(place.address, place.mac);
  const Resource* resource = login.resource ? v.office->resource(*login.resource) : nullptr;
  return {device != nullptr ? device->name : "", resource != nullptr ? resource->name : ""};
}

// What it is for, from the fields `hold` and `resource`. nullopt: an answer has been given.
std::optional<NewLogin> Site::wanted_login(const VisitPtr& v, const FormFields& fields) {
  const auto wrong = [&](std::string message) {
    respond(v, login_error("invalid_request", std::move(message)));
    return std::nullopt;
  };
  NewLogin login;
  login.source = source_text(v->place);
  login.address = v->place.address;
  login.counted_as = throttle_source(v->place);
  const std::string name(fields.get("resource"));
  if (const std::string_view code = fields.get("hold"); !code.empty()) {
    auto hold = own_hold(*v, code);
    if (!hold) {
      unavailable(v, hold.error());
      return std::nullopt;
    }
    if (!*hold) return wrong("That link is no longer good, or it is another device's.");
    login.resource = (*hold)->resource;
  } else if (!name.empty()) {
    // Names are not there to be guessed: a wrong one counts as a wrong code does.
    const Throttle::Decision decision = desk_.try_code(login.counted_as);
    if (!decision.allowed) {
      too_many_codes(v, decision);
      return std::nullopt;
    }
    const Resource* resource = v->office->resource_named(name);
    if (resource == nullptr) return wrong(fmt::format("There is no resource '{}'.", printable(name)));
    desk_.right_code(login.counted_as);
    login.resource = resource->id;
  }
  const bool revoked = v->device != nullptr && v->device->state == DeviceState::revoked;
  if (revoked || (v->device == nullptr && v->office->data().enrol == Enrol::closed)) {
    respond(
        v, login_error("access_denied",
                       revoked ? "This device has been revoked; an administrator can give its access back."
                               : "This device is not known here, and new ones are not taken in by a sign-in.",
                       403));
    return std::nullopt;
  }
  return login;
}

void Site::start_login(const VisitPtr& v, NewLogin login,
                       std::function<void(const Login&, const std::string& device_code)> started) {
  const auto full = [this, v](Seconds retry_after) {
    HttpResponse response =
        login_error("slow_down",
                    fmt::format("Too many sign-ins wait for a confirmation already; one of them ends in {}.",
                                format_age(retry_after)),
                    429);
    response.headers.emplace_back("Retry-After", std::to_string(retry_after.count()));
    respond(v, std::move(response));
  };
  // Anybody may ask, as often as they like: no job for who is refused anyway.
  auto wait = wait_for_login(reader_.db(), login.counted_as, v->now);
  if (!wait) return unavailable(v, wait.error());
  if (*wait) return full(**wait);
  const std::string device_code = random_token(32);
  login.device_sha256 = token_digest(device_code);
  const Resource* resource = login.resource ? v->office->resource(*login.resource) : nullptr;
  const LoginNames names{v->device != nullptr ? v->device->name : "",
                         resource != nullptr ? resource->name : ""};
  const auto opened = std::make_shared<OpenedLogin>();
  AuditWriter& audit = audit_;
  change(
      v,
      [&audit, login, names, opened](Database& db, WallTime now) -> Status {
        auto made = nightlatch::start_login(db, audit, login, names, now);
        if (!made) return made.error();
        *opened = std::move(*made);
        return Done{};
      },
      [opened, device_code, full, started = std::move(started)] {
        if (opened->login) return started(*opened->login, device_code);
        full(opened->retry_after);
      });
}

// `curl https://gate.../login` starts one and is answered until it ends. Browsers get the page for the code.
void Site::get_login(const VisitPtr& v) {
  auto fields = FormFields::parse(v->request.query);
  if (!fields) return show_error(v, 400);
  if (const std::string code = normal_code(trim(fields->get("code"))); !code.empty()) {
    if (!is_login_code(code)) {
      return respond(
          v, show(v->frame, LoginCodePage{400, "A code has eight letters and digits, like 7QF4-ZX2A."}));
    }
    return lead_to(v, "/l/" + code);
  }
  if (v->frame.format != Format::text || v->request.method != "GET" || sent_by_a_browser(v->request)) {
    return respond(v, show(v->frame, LoginCodePage{}));
  }
  auto login = wanted_login(v, *fields);
  if (!login) return;
  start_login(v, std::move(*login), [this, v](const Login& started, const std::string&) {
    HttpResponse response;
    response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
    response.body = for_terminals(options_.url, started);
    add_security_headers(response);
    v->responder.begin(response);
    watchers_.push_back({started.code, v});
    watch_.once(kLookAtWatchers);
  });
}

void Site::post_login(const VisitPtr& v) {
  const std::string type = lower(v->request.header("content-type"));
  const bool form =
      trim(std::string_view(type).substr(0, type.find(';'))) == "application/x-www-form-urlencoded";
  auto fields = form || v->request.body.empty() ? FormFields::parse(v->request.body) : std::nullopt;
  if (!fields) {
    return respond(v, login_error("invalid_request",
                                  "Fields are sent as application/x-www-form-urlencoded, each once."));
  }
  if (from_elsewhere(v->request)) {
    return respond(v, login_error("invalid_request", "That came from a page of another site.", 403));
  }
  if (v->request.path == "/login/start") return post_login_start(v, *fields);
  const std::string digest = token_digest(fields->get("device_code"));
  auto login = find_login_of(reader_.db(), digest);
  if (!login) return unavailable(v, login.error());
  if (!*login) return respond(v, login_error("invalid_grant", "There is no such login; start one anew."));
  if (!same_device(*v, (*login)->source)) {
    AuditEvent e;
    e.at = v->now;
    e.event = "login.refused";
    e.device = v->device != nullptr ? v->device->name : "";
    e.reason = "another_device";
    e.detail = "asked with the code of " + (*login)->source;
    audit_refusal(*v, std::move(e));
    return respond(v, login_error("invalid_grant", "That login was started on another device."));
  }
  if (v->request.path == "/login/cancel") return post_login_cancel(v, **login);
  post_login_poll(v, **login, digest);
}

void Site::post_login_start(const VisitPtr& v, const FormFields& fields) {
  auto login = wanted_login(v, fields);
  if (!login) return;
  start_login(v, std::move(*login), [this, v](const Login& started, const std::string& device_code) {
    Value::Object object{{"device_code", device_code},
                         {"user_code", spoken_code(started.code)},
                         {"verification_uri", options_.url + "/login"},
                         {"verification_uri_complete", options_.url + "/l/" + started.code},
                         {"expires_in", kLoginLifetime.count()},
                         {"interval", kPollInterval.count()}};
    respond(v, json(200, object));
  });
}

void Site::post_login_poll(const VisitPtr& v, const Login& login, const std::string& device_sha256) {
  const LoginEnd end = login_end(*v, login);
  if (login.state == Login::State::open && !login.over(v->now)) {
    const LoginDesk::Pace pace = desk_.asked(device_sha256);
    return respond(v, json(400, {{"error", pace.too_fast ? "slow_down" : "authorization_pending"},
                                 {"message", "Nobody has confirmed it yet."},
                                 {"interval", pace.interval.count()}}));
  }
  if (login.state == Login::State::open) sweep_logins();
  Value::Object object = end.facts;
  if (!end.error.empty()) object.emplace_back("error", end.error);
  object.emplace_back("message", end.message);
  respond(v, json(end.error.empty() ? 200 : 400, object));
}

void Site::post_login_cancel(const VisitPtr& v, const Login& login) {
  const auto told = [this, v] { respond(v, json(200, {{"message", "Nobody can confirm it any more."}})); };
  if (login.state != Login::State::open) return told();
  change(
      v,
      [&audit = audit_, code = login.code, names = names_of(*v, login)](Database& db,
                                                                        WallTime now) -> Status {
        auto done = withdraw_login(db, audit, code, names, now);
        return done ? Status(Done{}) : Status(done.error());
      },
      told);
}

// What came of a login, for the machine that asked: to be called for one that is not open any more, or over.
Site::LoginEnd Site::login_end(const Visit& v, const Login& login) {
  const User* user = login.user ? v.office->user(*login.user) : nullptr;
  switch (login.state) {
    case Login::State::refused:
      return {"access_denied", "It was refused.", {}};
    case Login::State::open:
    case Login::State::withdrawn:
    case Login::State::expired:
      return {"expired_token", "Nobody confirmed it in time; start anew.", {}};
    case Login::State::approved:
      break;
  }
  if (user == nullptr || v.device == nullptr)
    return {"access_denied", "Who confirmed it is no longer here.", {}};
  LoginEnd end;
  end.facts = {{"signed_in", true}, {"user", user->name}, {"device", v.device->name}};
  end.message = fmt::format("Signed in as {} on {}.", user->name, v.device->name);
  Subject there = v.subject();
  const Token own{.user = user->id};
  if (auto presence = presence_on(reader_.db(), v.device->id, user->id)) there.presence = *presence;
  if (v.device->shared) {
    there.credential = SentCredential{&own};
    end.message += " " + std::string(kSharedNote);
  }
  if (there.presence && there.presence->user == user->id) {
    end.facts.emplace_back("signed_in_at", format_rfc3339(there.presence->signed_in));
  }
  if (v.device->state == DeviceState::pending) {
    end.message += " It counts as soon as an administrator has approved this device.";
  }
  const Resource* resource = login.resource ? v.office->resource(*login.resource) : nullptr;
  if (resource == nullptr) return end;
  const Verdict verdict = decide_resource(*v.office, there, *resource, v.now);
  end.facts.emplace_back("resource", resource->name);
  end.facts.emplace_back("verdict", to_text(verdict.kind));
  end.facts.emplace_back("reason", to_text(verdict.reason));
  if (verdict.kind != VerdictKind::allow) {
    end.message += " " + sentence(resource->name, verdict);
  } else if (verdict.until == kNever) {
    end.message += fmt::format(" {} is open to you here.", resource->name);
  } else {
    end.facts.emplace_back("until", format_rfc3339(verdict.until));
    end.message += fmt::format(" {} is open to you here for {}.", resource->name,
                               format_age(std::chrono::ceil<Seconds>(verdict.until - v.now)));
  }
  return end;
}

// The terminals that watch: each is told its end, and whose terminal has gone, that login is withdrawn.
void Site::tell_watchers() {
  for (auto watcher = watchers_.begin(); watcher != watchers_.end();) {
    const VisitPtr v = watcher->v;
    v->now = options_.now();
    auto login = find_login(reader_.db(), watcher->code);
    const Status looked = look_up(*v);
    const bool gone = v->responder.answered_or_gone();
    if (!gone && (!login || !looked)) {  // the store is busy: the next time will do
      ++watcher;
      continue;
    }
    const bool waits = login && *login && (*login)->state == Login::State::open && !(*login)->over(v->now);
    if (waits && !gone) {
      ++watcher;
      continue;
    }
    watcher = watchers_.erase(watcher);
    if (waits && looked) {
      AuditWriter& audit = audit_;
      (void)writer_.post(
          [&audit, code = (*login)->code, names = names_of(*v, **login)](Database& db,
                                                                         WallTime now) -> Status {
            auto done = withdraw_login(db, audit, code, names, now);
            return done ? Status(Done{}) : Status(done.error());
          },
          [](const Status&) {});
    }
    if (gone) continue;
    HttpResponse last;
    last.body = (*login ? login_end(*v, **login).message : "There is no such login any more.") + "\n";
    v->responder.respond(last);
  }
  if (!watchers_.empty()) watch_.once(kLookAtWatchers);
}

// Marks what nobody confirmed in time; its row in the log says so, whether or not the machine still asks.
void Site::sweep_logins() {
  auto due = logins_to_expire(reader_.db(), options_.now());
  if (!due || !*due || sweeping_) return;
  AuditWriter& audit = audit_;
  sweeping_ = writer_.post([&audit](Database& db, WallTime now) { return expire_old_logins(db, audit, now); },
                           [this](const Status&) { sweeping_ = false; });
}

}  // namespace nightlatch
