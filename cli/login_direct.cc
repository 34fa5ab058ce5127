// A sign-in by name, password and code, typed on the terminal: the same form that a browser sends.
#include <fmt/format.h>

#include <optional>

#include "base/crypto.h"
#include "base/text.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/secret.h"

namespace nightlatch::cli {

namespace {

// What the portal said when it let nobody in.
Result<int> refused(Context& context, const PortalAnswer& answer) {
  std::string message = answer.text("error");
  if (message.empty()) message = answer.text("message");
  if (message.empty()) message = fmt::format("the portal answered {}", answer.status);
  if (answer.status == 429 || answer.status >= 500) return Error::failure(message);
  return print_refusal(context, answer.status == 403 ? "refused" : "not_possible", message);
}

// The verdict of one resource, from the sessions that /me lists; nothing when it is not among them.
std::optional<Record> session_of(const PortalAnswer& me, const std::string& resource) {
  auto sessions = parse_json_list(me.text("sessions"));
  if (!sessions) return std::nullopt;
  for (const Record& session : *sessions) {
    const Record::Value* name = session.find("resource");
    if (name != nullptr && lower(cell(*name)) == lower(resource)) return session;
  }
  return std::nullopt;
}

std::string word(const Record& record, const std::string& key) {
  const Record::Value* value = record.find(key);
  const auto* text = value != nullptr ? std::get_if<std::string>(value) : nullptr;
  return text != nullptr ? *text : "";
}

Result<std::string> the_name(Context& context) {
  if (context.given("user")) return context.value("user");
  if (!context.io.terminal)
    return Error::usage("--user is missing, and there is no terminal to ask on", "say --user USER");
  Result<std::string> name = ask_line("Name: ");
  if (!name) return name.error();
  const std::string trimmed(trim(*name));
  NL_TRY(check_name(trimmed, "name"));
  return trimmed;
}

// Asks for a second factor as often as the portal lets the person try, and returns what came of it.
Result<PortalAnswer> step_up(Context& context, PortalClient& portal, const LoginGoal& goal,
                             PortalAnswer ask) {
  if (ask.text("token").empty()) return ask;  // there is no factor yet; the message says so
  if (!context.io.terminal) return ask;
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (!ask.text("error").empty()) context.say("{}", printable(ask.text("error")));
    Result<std::string> code = ask_secret("Code: ");
    if (!code) return code.error();
    Result<PortalAnswer> answer =
        portal.post("/step-up", {{"token", ask.text("token")}, {"hold", goal.hold}, {"code", *code}});
    wipe(*code);
    if (!answer || answer->status != 403 || answer->text("token").empty()) return answer;
    ask = std::move(*answer);
  }
  return ask;
}

// One object for all that may have come of it.
Record end_of(const std::string& user, const PortalAnswer& me, const LoginGoal& goal,
              const PortalAnswer& last) {
  Record end;
  end.add("signed_in", Record::Value(true)).add("user", user).add_if("device", me.text("device"));
  end.add_if("signed_in_at", me.text("signed_in_at"));
  std::string message = me.text("device").empty()
                            ? fmt::format("Signed in as {}.", user)
                            : fmt::format("Signed in as {} on {}.", user, me.text("device"));
  std::string resource = goal.resource, verdict, reason, until;
  if (!goal.hold.empty()) {
    resource = last.text("resource");
    verdict = last.text("verdict");
    reason = last.text("reason");
    until = last.text("until");
  } else if (!goal.resource.empty()) {
    const auto session = session_of(me, goal.resource);
    verdict = session ? word(*session, "verdict") : "deny";
    reason = session ? word(*session, "reason") : "no_policy";
    until = session ? word(*session, "until") : "";
  }
  if (!verdict.empty()) {
    end.add_if("resource", resource).add("verdict", verdict).add_if("reason", reason).add_if("until", until);
    if (verdict == "allow") {
      message += fmt::format(" {} is open to you here{}.", resource, until.empty() ? "" : " until " + until);
    } else {
      message += fmt::format(" {} is not open: {}.", resource, reason.empty() ? verdict : reason);
      if (!last.text("error").empty()) message += " " + last.text("error");
    }
  }
  end.add("message", message);
  return end;
}

}  // namespace

Result<int> direct_login(Context& context, PortalClient& portal, const LoginGoal& goal) {
  if (!context.io.terminal && !context.given("password-file")) {
    return Error::usage("--password-file is missing, and there is no terminal to ask on",
                        "say --password-file FILE, or --password-file - to read it from stdin");
  }
  // The portal first: nobody types a password for one that is not there.
  Result<PortalAnswer> form = portal.get(goal.hold.empty() ? "/" : "/k/" + goal.hold);
  if (!form) return form.error();
  if (form->text("token").empty()) return refused(context, *form);
  Result<std::string> name = the_name(context);
  if (!name) return name.error();
  Result<std::string> password = read_known_password(context, context.value("password-file"), *name);
  if (!password) return password.error();
  Result<PortalAnswer> answer = portal.post(
      "/sign-in",
      {{"token", form->text("token")}, {"name", *name}, {"password", *password}, {"hold", goal.hold}});
  wipe(*password);
  if (!answer) return answer.error();
  if (answer->status != 200 || answer->text("verdict") == "sign_in") return refused(context, *answer);

  Result<PortalAnswer> me = portal.get("/me");
  if (!me) return me.error();
  bool missing = answer->text("verdict") == "step_up";
  if (!goal.resource.empty()) {
    const auto session = session_of(*me, goal.resource);
    missing = session && word(*session, "verdict") == "step_up";
    if (missing) answer = portal.get("/step-up");
    if (!answer) return answer.error();
  }
  if (missing) {
    answer = step_up(context, portal, goal, std::move(*answer));
    if (!answer) return answer.error();
    if (answer->status == 429 || answer->status >= 500) return refused(context, *answer);
    me = portal.get("/me");
    if (!me) return me.error();
  }
  const std::string user = me->text("user");
  return print_login(context, end_of(user.empty() ? *name : user, *me, goal, *answer));
}

}  // namespace nightlatch::cli
