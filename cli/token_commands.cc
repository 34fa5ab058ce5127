// token: application passwords, with which people say who they are in a connection, and service tokens, by
// which machines prove themselves.
#include <fmt/format.h>

#include <ostream>

#include "base/crypto.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/tokens.h"

namespace nightlatch::cli {

namespace {

std::string_view state_of(const TokenRow& token, WallTime now) {
  if (token.revoked) return "revoked";
  return token.expires && now >= *token.expires ? "expired" : "active";
}

Record record_of(const TokenRow& token, WallTime now) {
  Record record;
  record.add("id", static_cast<std::int64_t>(token.id))
      .add("name", token.name)
      .add("user", token.user.empty() ? Record::Value() : Record::Value(token.user))
      .add("device", token.device.empty() ? Record::Value() : Record::Value(token.device))
      .add("resources", token.limited ? Record::Value(token.resources) : Record::Value())
      .add("state", state_of(token, now))
      .add_time("created", token.created)
      .add_time("expires", token.expires.value_or(kNever))
      .add_time("last_used", token.last_used.value_or(kNever))
      .add_time("revoked", token.revoked.value_or(kNever));
  return record;
}

Result<NewToken> read_token(const Context& context) {
  NewToken token;
  if (context.given("user") == context.given("device")) {
    return context.given("user")
               ? Error::usage("--device: together with --user it would be ambiguous",
                              "a token is a person's or a machine's: say one or the other")
               : Error::usage(
                     "--user is missing",
                     "say --user USER, whom the token speaks for; or --device DEVICE, for a machine's");
  }
  token.user = context.value("user");
  token.device = context.value("device");
  NL_TRY(token.device.empty() ? check_name(token.user, "--user") : check_name(token.device, "--device"));
  if (context.given("name")) {
    token.name = context.value("name");
    NL_TRY(check_name(token.name, "--name"));
  }
  NL_TRY(context.names_once("resource"));
  token.resources = context.list("resource");
  if (context.given("for")) {
    Result<Seconds> d = parse_duration(context.value("for"), "--for");
    if (!d) return Error{d.error().kind, printable(d.error().message), d.error().hint};
    if (d->count() == 0) {
      return Error::usage("--for: 0 would be over at once",
                          "write a number with its unit, such as 90d; without --for it does not expire");
    }
    token.lifetime = *d;
  }
  return token;
}

Result<int> run_add(Context& context) {
  Result<NewToken> token = read_token(context);
  if (!token) return token.error();
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  const WallTime now = wall_now();
  Result<AddedToken> added = add_token(*db, *token, now);
  if (!added) return added.error();
  // Shown before it is logged: a secret that nobody saw would be of no use, and the token stands.
  if (context.json()) {
    Record record;
    record.add("id", static_cast<std::int64_t>(added->id))
        .add("name", added->name)
        .add("user", token->user.empty() ? Record::Value() : Record::Value(token->user))
        .add("device", token->device.empty() ? Record::Value() : Record::Value(token->device))
        .add("secret", added->secret)
        .add_time("expires", token->lifetime ? now + *token->lifetime : kNever);
    print_record(context, record);
  } else {
    context.io.out << added->secret << '\n';
  }
  wipe(added->secret);
  NL_TRY(context.audit(fmt::format("{} (token {})", context.words(), added->name)));
  context.say("added token {} for {}; it is not shown again", added->name,
              token->user.empty() ? token->device : token->user);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<std::vector<TokenRow>> tokens = list_tokens(*db);
  if (!tokens) return tokens.error();
  const WallTime now = wall_now();
  std::vector<Record> rows;
  for (const TokenRow& t : *tokens) rows.push_back(record_of(t, now));
  print_rows(context, rows,
             {{"ID", "id"},
              {"NAME", "name"},
              {"USER", "user"},
              {"DEVICE", "device"},
              {"RESOURCES", "resources"},
              {"STATE", "state"},
              {"EXPIRES", "expires"},
              {"LAST USED", "last_used"}},
             "there are no tokens; add one: nightlatch token add --user USER");
  return 0;
}

Result<int> run_revoke(Context& context) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<TokenRow> token = revoke_token(*db, context.argument(0), wall_now());
  if (!token) return token.error();
  NL_TRY(context.audit(context.words()));
  context.say("revoked token {} of {}; what it let through has ended", token->name,
              token->user.empty() ? token->device : token->user);
  return 0;
}

}  // namespace

std::vector<Command> token_commands() {
  return {
      {.noun = "token",
       .verb = "add",
       .summary =
           "make an application password for a user, or a service token for a machine; print it this once",
       .details =
           "Entered as the password of a SOCKS5 or HTTP proxy beside the user's name, it says who sent a "
           "connection, where the address does not: on a device that several people share. It says who, and "
           "nothing more: how fresh the user's sign-in must be stays the policy's, and the user signs in on "
           "the portal from that device as ever.\n\n"
           "With --device it is a service token instead: the machine proves itself with it, at the portal "
           "(POST "
           "/enrol) or as the password beside the device's name in a proxy, and reaches what a policy with "
           "--token lets it to. It never stands for a person.\n\n"
           "The store keeps a hash of it. With --resource it is good for destinations in these resources "
           "alone; with --for it expires.",
       .options = {{.name = "user",
                    .kind = Option::Kind::text,
                    .value = "USER",
                    .help = "whom it speaks for",
                    .words = Words::user},
                   {.name = "device",
                    .kind = Option::Kind::text,
                    .value = "DEVICE",
                    .help = "or which machine proves itself with it",
                    .words = Words::device},
                   {.name = "name",
                    .kind = Option::Kind::text,
                    .value = "NAME",
                    .help = "what it is called in lists; else one is made from the user's or the device's"},
                   {.name = "resource",
                    .kind = Option::Kind::list,
                    .value = "RESOURCE",
                    .help = "good for this resource; else for every destination",
                    .words = Words::resource},
                   {.name = "for",
                    .kind = Option::Kind::text,
                    .value = "DURATION",
                    .help = "how long, such as 90d; else until it is revoked"}},
       .examples = {{"token add --user alice --name alice-terminal"},
                    {"token add --user alice --resource payroll --for 90d --json"},
                    {"token add --device nas --resource backup --for 90d"}},
       .json = true,
       .run = run_add},
      {.noun = "token",
       .verb = "list",
       .summary = "list the tokens, revoked ones too; never their secrets",
       .examples = {{"token list"}, {"token list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "token",
       .verb = "revoke",
       .summary = "end a token, and the live flows that it let through, at once",
       .arguments = {{.name = "NAME", .help = "the token's name, or its id", .words = Words::token}},
       .examples = {{"token revoke alice-terminal"}, {"token revoke 7"}},
       .run = run_revoke},
  };
}

}  // namespace nightlatch::cli
