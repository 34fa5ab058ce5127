// A sign-in that a person confirms in a browser elsewhere (RFC 8628): asks, shows the code, and waits.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/qr_code.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/login.h"
#include "cli/output.h"

namespace nightlatch::cli {

namespace {

struct Waiting {
  std::string device_code, user_code, link, where;
  Seconds interval{5};
  BootTime ends{};
};

void show_code(Context& context, const Waiting& w, std::int64_t expires_s) {
  if (context.json()) {
    Record record;
    record.add("user_code", w.user_code)
        .add("verification_uri", w.where)
        .add("verification_uri_complete", w.link)
        .add("expires_in", Record::Value(expires_s));
    context.io.out << json_text(record) << '\n' << std::flush;  // read before the end comes
    return;
  }
  context.say(
      "To sign this machine in, open this address in a browser on a telephone or another computer in the "
      "office,\n"
      "sign in there, and confirm:\n\n  {}\n\nor open {} and type the code {}.\n",
      printable(w.link), printable(w.where), printable(w.user_code));
  if (isatty(STDERR_FILENO) == 1 && context.io.terminal) {
    if (auto qr = qr_text(w.link, context.io.colour)) context.say("{}", *qr);
  }
  context.say("Waiting for it for {} at most; Ctrl-C ends this.", format_age(Seconds(expires_s)));
}

Result<Waiting> start(PortalClient& portal, const LoginGoal& goal, PortalAnswer& answer) {
  PortalClient::Fields fields;
  if (!goal.hold.empty()) fields["hold"] = goal.hold;
  if (!goal.resource.empty()) fields["resource"] = goal.resource;
  Result<PortalAnswer> started = portal.post("/login/start", fields);
  if (!started) return started.error();
  answer = std::move(*started);
  Waiting w;
  w.device_code = answer.text("device_code");
  w.user_code = answer.text("user_code");
  w.link = answer.text("verification_uri_complete");
  w.where = answer.text("verification_uri");
  w.interval = Seconds(std::clamp<std::int64_t>(answer.number("interval", 5), 1, 60));
  w.ends = BootClock::now() + Seconds(std::clamp<std::int64_t>(answer.number("expires_in", 600), 1, 600));
  return w;
}

// The machine waits no longer: nobody shall confirm it.
Error withdrawn(PortalClient& portal, const Waiting& w) {
  (void)portal.post("/login/cancel", {{"device_code", w.device_code}});
  return Error::failure("cancelled: this machine was not signed in");
}

}  // namespace

Result<int> hand_off_login(Context& context, PortalClient& portal, const LoginGoal& goal) {
  PortalAnswer answer;
  Result<Waiting> started = start(portal, goal, answer);
  if (!started) return started.error();
  Waiting& w = *started;
  if (answer.status != 200 || w.device_code.empty()) {
    const std::string message = answer.text("message");
    if (answer.text("error") == "access_denied") return print_refusal(context, "access_denied", message);
    return Error::failure(message.empty() ? "the portal would not start a sign-in" : message);
  }
  show_code(context, w, answer.number("expires_in", 600));
  bool told = false;
  while (true) {
    portal.wait(w.interval);
    if (portal.interrupted()) return withdrawn(portal, w);
    if (BootClock::now() >= w.ends) break;
    Result<PortalAnswer> polled = portal.post("/login/poll", {{"device_code", w.device_code}});
    if (portal.interrupted()) return withdrawn(portal, w);
    if (!polled || polled->status == 503) {  // a portal that starts anew has forgotten nothing
      if (!std::exchange(told, true))
        context.say("The portal does not answer; trying again until the code ends.");
      continue;
    }
    told = false;
    const std::string error = polled->text("error");
    if (polled->status == 200 && polled->is_true("signed_in")) return print_login(context, polled->json);
    if (error == "access_denied") return print_refusal(context, error, polled->text("message"));
    if (error == "slow_down") {
      w.interval =
          Seconds(std::clamp<std::int64_t>(polled->number("interval", w.interval.count() + 5), 1, 120));
    } else if (error != "authorization_pending") {
      const std::string message = polled->text("message");
      return Error::failure(message.empty() ? "the portal gave no answer that is one" : message);
    }
  }
  return Error::failure("nobody confirmed it in time", "start anew: nightlatch login");
}

}  // namespace nightlatch::cli
