// The other end of a login: the browser in which a person signs in and confirms it, or refuses (RFC 8628
// section 3.3). What is confirmed is what was shown: the form's token is bound to the browser, the device
// that it is on, the person and the login.
#include <fmt/format.h>

#include <algorithm>

#include "auth/hand_off.h"
#include "base/text.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
MessagePage message(int status, MessagePage::Tone tone, std::string heading, std::string text) {
  MessagePage page;
  page.status = status;
  page.tone = tone;
  page.heading = std::move(heading);
  page.paragraphs = {std::move(text)};
  return page;
}

std::string ago(WallTime then, WallTime now) {
  const Millis age = std::max(now - then, Millis(0));
  return age < Seconds(1) ? "just now" : format_age(age) + " ago";
}

// What has become of a login that nobody can answer any more.
MessagePage settled_page(const Login& login) {
  using Tone = MessagePage::Tone;
  switch (login.state) {
    case Login::State::approved:
      return message(200, Tone::good, "This was confirmed",
                     "The device is signed in. Each code is good once.");
    case Login::State::refused:
      return message(200, Tone::plain, "This was refused", "The device was not signed in.");
    case Login::State::withdrawn:
      return message(404, Tone::plain, "The device waits no longer",
                     "Its terminal was closed. Start there again, and you will get a new code.");
    case Login::State::open:
    case Login::State::expired:
      break;
  }
  return message(404, Tone::plain, "This code is no longer good",
                 "Codes last 10 minutes. Start again on the device, and you will get a new one.");
}
// What the office's policies say must hold before a person may even confirm.
bool may_confirm(const Verdict& verdict, const Login& login) {
  if (verdict.kind == VerdictKind::allow) return true;
  if (verdict.kind == VerdictKind::sign_in) return false;
  return !login.resource || verdict.reason == Reason::device_pending;
}
}  // namespace

bool is_login_code(std::string_view code) {
  return code.size() == kLoginCodeSymbols &&
         code.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string_view::npos;
}

// The login that this address names, while it can be answered; nullopt: an answer has been given.
std::optional<Login> Site::answerable(const VisitPtr& v, std::string_view typed) {
  const std::string code = normal_code(typed);
  const std::string source = throttle_source(v->place);
  const Throttle::Decision decision = desk_.try_code(source);
  if (!decision.allowed) {
    too_many_codes(v, decision);
    return std::nullopt;
  }
  Result<std::optional<Login>> login = std::optional<Login>();
  if (is_login_code(code)) login = find_login(reader_.db(), code);
  if (!login) {
    desk_.right_code(source);
    unavailable(v, login.error());
    return std::nullopt;
  }
  if (!*login) {
    respond(v, show(v->frame,
                    LoginCodePage{404, "There is no such code. It is the one that the terminal shows."}));
    return std::nullopt;
  }
  desk_.right_code(source);
  if (auto refusal = device_refusal(*v)) {
    respond(v, show(v->frame, *refusal));
    return std::nullopt;
  }
  if ((*login)->state == Login::State::open && !(*login)->over(v->now)) return *login;
  respond(v, show(v->frame, settled_page(**login)));
  return std::nullopt;
}

void Site::too_many_codes(const VisitPtr& v, const Throttle::Decision& decision) {
  if (decision.first_refusal) {
    AuditEvent e;
    e.at = v->now;
    e.event = "login.throttled";
    e.device = v->device != nullptr ? v->device->name : "";
    e.verdict = "deny";
    e.reason = "too_many_failures";
    e.source = v->place.address.text();
    e.detail = fmt::format("no code is taken from here for {}", format_age(decision.retry_after));
    audit_.write(std::move(e));
  }
  MessagePage page = message(429, MessagePage::Tone::bad, "Too many wrong codes",
                             fmt::format("Please wait {} before you try another one from this device.",
                                         format_age(decision.retry_after)));
  page.facts = {{"retry_after_s", decision.retry_after.count()}};
  HttpResponse response = show(v->frame, page);
  response.headers.emplace_back("Retry-After", std::to_string(decision.retry_after.count()));
  respond(v, std::move(response));
}

// What another site's page embeds, or asks for by a script, is nobody's guess and nothing to look at: codes
// are opened by themselves.
bool Site::embedded_elsewhere(const HttpRequest& request) const {
  const std::string into = lower(request.header("sec-fetch-dest"));
  return !into.empty() && into != "document" && from_elsewhere(request);
}

void Site::get_login_code(const VisitPtr& v, std::string_view code) {
  if (embedded_elsewhere(v->request)) return show_error(v, 403);
  if (auto login = answerable(v, code)) show_login(v, *login, 200, "");
}

// What the asking device would be allowed if it had what was shown in this browser: of the resource that it
// wants, or the best of all. allow: nothing speaks against confirming.
Verdict Site::verdict_there(const Visit& v, const Login& login) {
  const Office& office = *v.office;
  const SignInPlace place = place_of(login);
  Device fresh;
  fresh.state = office.data().enrol == Enrol::open ? DeviceState::active : DeviceState::pending;
  const Device* known = office.identify(place.address, place.mac);
  const Device& device = known != nullptr ? *known : fresh;
  const Token own{.user = v.user->id};
  Subject there{&device, v.shown, place.mac ? Binding::mac : Binding::address, v.clock_set_back};
  if (device.shared) there.credential = SentCredential{&own};
  if (known != nullptr) {  // the later of each counts there (semantics 2)
    auto before = presence_on(reader_.db(), device.id, v.user->id);
    if (before && *before) {
      there.presence->signed_in = std::max(there.presence->signed_in, (*before)->signed_in);
      there.presence->second_factor = std::max(there.presence->second_factor, (*before)->second_factor);
    }
  }
  if (const Resource* wanted = login.resource ? office.resource(*login.resource) : nullptr;
      wanted != nullptr) {
    return decide_resource(office, there, *wanted, v.now);
  }
  Verdict best{.kind = VerdictKind::deny};
  for (const Resource& resource : office.data().resources) {
    const Verdict verdict = decide_resource(office, there, resource, v.now);
    if (verdict.kind < best.kind) best = verdict;
  }
  return best;
}

// The page that a person answers; or what is missing first.
void Site::show_login(const VisitPtr& v, const Login& login, int status, const std::string& error) {
  if (v->user == nullptr || !v->shown) return show_state(v, std::nullopt, status, error, "", login.code);
  const Verdict verdict = verdict_there(*v, login);
  const LoginNames names = names_of(*v, login);
  const std::string& resource = verdict.resource != nullptr ? verdict.resource->name : names.resource;
  if (may_confirm(verdict, login)) {
    return respond(v, show(v->frame, confirm_page(*v, login, names, status, error)));
  }
  if (verdict.kind == VerdictKind::sign_in) {
    std::string why = names.resource.empty() ? "Your sign-in is too old to open anything in this office"
                                             : resource + " asks for a newer sign-in than yours";
    if (verdict.age) why += " of " + format_age(*verdict.age) + " ago";
    why += ", and by being confirmed it would get no younger. Sign in again first.";
    return show_state(v, std::nullopt, status == 200 ? 403 : status, error.empty() ? why : error, "",
                      login.code);
  }
  if (verdict.kind == VerdictKind::step_up) {
    v->frame.offers = offers(*v, {.login = login.code}, OfferFor::step_up);
    return ask_for_code(v, {.login = login.code},
                        {.status = status,
                         .error = error,
                         .resource = resource,
                         .why = sentence(resource, verdict),
                         .reason = std::string(to_text(verdict.reason))});
  }
  MessagePage page = message(403, MessagePage::Tone::bad,
                             fmt::format("{} may not use {} from there", v->user->name, resource),
                             sentence(resource, verdict));
  page.facts = {{"verdict", "deny"}, {"reason", to_text(verdict.reason)}, {"resource", resource}};
  page.links = {{"/me", "Your sessions"}};
  respond(v, show(v->frame, page));
}

std::string Site::confirm_purpose(const Visit& v, const Login& login) {
  return fmt::format("login/{}/{}/{}", login.code, source_text(v.place),
                     static_cast<std::int64_t>(v.user->id));
}

ConfirmPage Site::confirm_page(Visit& v, const Login& login, const LoginNames& names, int status,
                               const std::string& error) const {
  const SignInPlace place = place_of(login);
  const Device* device = v.office->identify(place.address, place.mac);
  ConfirmPage page;
  page.status = status;
  page.error = error;
  page.user = v.user->name;
  page.login = login.code;
  page.code = spoken_code(login.code);
  page.device = device != nullptr ? device->name : "A device that is not known yet";
  page.source = (place.mac ? place.mac->text() + ", " : "") + place.address.text();
  page.resource = names.resource;
  page.asked = ago(login.asked, v.now);
  page.asked_at = format_rfc3339(login.asked);
  page.counts =
      fmt::format("You signed in here {}. That sign-in will count there too, and gets no younger by it.",
                  ago(v.shown->signed_in, v.now));
  if (device != nullptr && device->shared) {
    page.counts += " " + std::string(kSharedNote);
  } else {
    page.notes.emplace_back("Whoever else is signed in there will be signed out.");
  }
  const bool pending =
      device != nullptr ? device->state == DeviceState::pending : v.office->data().enrol == Enrol::approve;
  if (pending) page.notes.emplace_back("It will count as soon as an administrator has approved that device.");
  if (device == nullptr && !pending) page.notes.emplace_back("It will be known as a device of yours.");
  if (device != nullptr && device->owner != UserId::none && device->owner != v.user->id) {
    page.notes.emplace_back("That device is registered as somebody else's.");
  }
  page.token = form_token(v, confirm_purpose(v, login));
  return page;
}

void Site::post_login_code(const VisitPtr& v, std::string_view code) {
  if (embedded_elsewhere(v->request)) return show_error(v, 403);
  auto login = answerable(v, code);
  if (!login) return;
  if (v->user == nullptr || !v->shown) return show_login(v, *login, 403, "");
  auto form = accept_form(v, confirm_purpose(*v, *login));
  if (!form) {
    AuditEvent e;
    e.at = v->now;
    e.event = "login.refused";
    e.user = v->user->name;
    e.device = v->device->name;
    e.reason = "not_shown_here";
    e.detail =
        "an answer to the login of " + login->source + " without a good form of this browser and device";
    return audit_refusal(*v, std::move(e));
  }
  const std::string_view answer = form->get("answer");
  if (answer != "confirm" && answer != "refuse") return show_error(v, 400);
  const bool confirmed = answer == "confirm";
  if (confirmed && !may_confirm(verdict_there(*v, *login), *login)) return show_login(v, *login, 403, "");

  const Approver approver{v->user->id, v->user->name, v->signed_in_at()};
  const auto approval = std::make_shared<Approval>();
  change(
      v,
      [&audit = audit_, approval, approver, confirmed, code = login->code, names = names_of(*v, *login)](
          Database& db, WallTime now) -> Status {
        if (confirmed) {
          auto done = approve_login(db, audit, code, approver, names, now);
          if (!done) return done.error();
          *approval = std::move(*done);
          return Done{};
        }
        auto done = refuse_login(db, audit, code, approver, names, now);
        if (!done) return done.error();
        if (!*done) approval->kind = Approval::Kind::not_open;
        return Done{};
      },
      [this, v, approval, confirmed, code = login->code] { answered(v, code, *approval, confirmed); });
}

// The answer is on disk: tells the person, and the terminal that watches.
void Site::answered(const VisitPtr& v, const std::string& code, const Approval& approval, bool confirmed) {
  tell_watchers();
  v->now = std::max(v->now, options_.now());
  if (const Status looked = look_up(*v); !looked) return unavailable(v, looked.error());
  if (approval.kind == Approval::Kind::not_signed_in) return show_state(v, std::nullopt, 403, "", "", code);
  if (approval.kind == Approval::Kind::not_open) {
    auto login = find_login(reader_.db(), code);
    if (!login) return unavailable(v, login.error());
    return respond(v, show(v->frame, settled_page(login->value_or(Login()))));
  }
  MessagePage page =
      message(200, MessagePage::Tone::plain, "Refused", "The device was not signed in. Its code is used up.");
  page.facts = {{"answer", confirmed ? "confirm" : "refuse"}};
  if (confirmed) {
    const SignInOutcome& outcome = approval.outcome;
    const auto say = [&](int status, MessagePage::Tone tone, std::string heading, std::string text) {
      auto facts = std::move(page.facts);
      page = message(status, tone, std::move(heading), std::move(text));
      page.facts = std::move(facts);
      page.facts.emplace_back("device", outcome.device_name);
    };
    switch (outcome.kind) {
      case SignInOutcome::Kind::signed_in:
        say(200, MessagePage::Tone::good, fmt::format("{} is signed in", outcome.device_name),
            "Go back to its terminal: it goes on by itself in a few seconds.");
        break;
      case SignInOutcome::Kind::pending:
        say(200, MessagePage::Tone::plain, fmt::format("{} waits for an administrator", outcome.device_name),
            "Your sign-in is recorded, and counts there as soon as the device is approved.");
        break;
      case SignInOutcome::Kind::device_revoked:
      case SignInOutcome::Kind::not_enrolled:
        say(403, MessagePage::Tone::bad, "That device may not be signed in",
            "An administrator can give it access.");
        break;
    }
  }
  page.links = {{"/me", "Your sessions"}};
  respond(v, show(v->frame, page));
}

}  // namespace nightlatch
