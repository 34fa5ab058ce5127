// login: signing in from a terminal, on a user's own machine.
#include <fmt/format.h>

#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/portal_trust.h"
#include "cli/table.h"

namespace nightlatch::cli {

namespace {

Result<int> run_login(Context& context) {
  if (context.given("ca") && (context.given("pin") || context.given("fingerprint"))) {
    return Error::usage("--ca says which authority to trust; --pin and --fingerprint ask the portal for it",
                        "give either");
  }
  if (context.list("resource").size() > 1) {
    return Error::usage("--resource is given twice", "a sign-in counts for all that it is fresh enough for");
  }
  NL_TRY(context.names_once("resource"));
  if (context.given("user")) NL_TRY(check_name(context.value("user"), "--user"));
  const bool direct = context.given("user") || context.given("ask") || context.given("password-file");
  Result<PortalAddress> address = which_portal(context.argument(0));
  if (!address) return address.error();
  LoginGoal goal{address->hold, context.list("resource").empty() ? "" : context.list("resource").front()};
  if (!goal.hold.empty() && !goal.resource.empty()) {
    return Error::usage("--resource and a hold's link both say what it is for", "give either");
  }
  Result<std::string> authority = trusted_authority(context, *address);
  if (!authority) return authority.error();
  auto portal = PortalClient::open(address->url, *authority);
  if (!portal) return portal.error();
  Result<int> done = direct ? direct_login(context, **portal, goal) : hand_off_login(context, **portal, goal);
  if (done && *done == 0) remember_portal(*address);
  return done;
}

}  // namespace

int print_login(Context& context, const Record& end) {
  const Record::Value* verdict = end.find("verdict");
  const auto* word = verdict != nullptr ? std::get_if<std::string>(verdict) : nullptr;
  if (context.json()) {
    context.io.out << json_text(end) << '\n';
  } else if (const Record::Value* message = end.find("message"); message != nullptr) {
    context.say("{}", printable(cell(*message)));
  }
  return word == nullptr || word->empty() || *word == "allow" ? 0 : 4;
}

int print_refusal(Context& context, const std::string& error, const std::string& message) {
  if (context.json()) {
    Record record;
    record.add("signed_in", Record::Value(false)).add("error", error).add("message", message);
    context.io.out << json_text(record) << '\n';
  } else {
    context.say("nightlatch: {}", printable(message));
  }
  return 4;
}

std::vector<Command> login_commands() {
  return {
      {.noun = "login",
       .summary = "sign this machine in at the office's portal, from its terminal",
       .details = "Without options it prints a link, a short code and a QR code, and waits until somebody "
                  "has opened the link "
                  "on a telephone or another computer in the office, signed in there by whatever means, and "
                  "confirmed. What "
                  "they confirm gives this machine their own sign-in, as old as it is there.\n\n"
                  "With --user, --ask or --password-file it asks for name, password and, where a policy "
                  "wants one, a code on "
                  "this terminal instead.\n\n"
                  "The portal is the URL, else $NIGHTLATCH_PORTAL, else the one used last; the link that a "
                  "blocked program "
                  "showed will do, and says what the sign-in is for. Its certificate is verified. At the "
                  "first time the "
                  "portal's certificate authority is fetched, and kept once its fingerprint is known to be "
                  "right: on a "
                  "terminal you are asked; elsewhere say --fingerprint or --ca. What is kept is in "
                  "$XDG_CONFIG_HOME/nightlatch, else ~/.config/nightlatch; no store is needed.\n\n"
                  "It ends with 0 when this machine is signed in, and the resource, if one was named, is "
                  "open; with 4 when it "
                  "was refused, or the resource is not open; with 1 when the portal could not be asked, or "
                  "nobody confirmed in "
                  "time. With --json it prints one object at the end and, when it waits for a confirmation, "
                  "one with the link "
                  "and the code before.",
       .arguments = {{.name = "URL",
                      .help = "the portal, or the link of a blocked program",
                      .required = false}},
       .options = {{.name = "user",
                    .kind = Option::Kind::text,
                    .value = "USER",
                    .help = "sign in here, with this name",
                    .words = Words::user},
                   {.name = "ask", .help = "sign in here, and ask for the name too"},
                   {.name = "password-file",
                    .kind = Option::Kind::text,
                    .value = "FILE",
                    .help = "sign in here, with the password in FILE; - is stdin",
                    .words = Words::file},
                   {.name = "resource",
                    .kind = Option::Kind::list,
                    .value = "RESOURCE",
                    .help = "what it is for: shown to who confirms, and decides the exit status",
                    .words = Words::resource},
                   {.name = "ca",
                    .kind = Option::Kind::text,
                    .value = "FILE",
                    .help = "trust this certificate authority, and keep it",
                    .words = Words::file},
                   {.name = "fingerprint",
                    .kind = Option::Kind::text,
                    .value = "SHA256",
                    .help =
                        "trust the portal's certificate authority if this is its fingerprint, and keep it"},
                   {.name = "pin", .help = "ask the portal for its certificate authority anew"}},
       .examples = {{"login gate.office.example", "a link to open on a telephone"},
                    {"login --user alice", "type the password here"},
                    {"login --user backup --password-file /etc/backup.password --resource nas --json"}},
       .json = true,
       .run = run_login},
  };
}

}  // namespace nightlatch::cli
