// policy: who may reach which resource, and on which terms.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/office_store.h"

namespace nightlatch::cli {

namespace {

template <typename Id, typename Row>
std::vector<std::string> names_of(const std::vector<Id>& ids, const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) {
    if (std::find(ids.begin(), ids.end(), row.id) != ids.end()) names.push_back(row.name);
  }
  return names;
}

std::string duration_or_dash(const std::optional<Seconds>& d) { return d ? format_duration(*d) : ""; }

// A table shows durations as people write them, and who it is for in one column.
struct Row {
  Record json;
  Record table;
};

Row row_of(const OfficeData& office, std::size_t at) {
  const Policy& p = office.policies[at];
  const std::vector<std::string> users = names_of(p.users, office.users);
  const std::vector<std::string> groups = names_of(p.groups, office.groups);
  const std::vector<std::string> tokens = names_of(p.tokens, office.tokens);
  const std::vector<std::string> certificates = names_of(p.certificates, office.certificates);
  const std::vector<std::string> resources = names_of(p.resources, office.resources);
  const Terms& t = p.terms;
  Row row;
  row.json.add("position", static_cast<std::int64_t>(at + 1))
      .add("name", p.name)
      .add("deny", Record::Value(p.deny))
      .add("anyone", Record::Value(p.anyone))
      .add("users", Record::Value(users))
      .add("groups", Record::Value(groups))
      .add("tokens", Record::Value(tokens))
      .add("certificates", Record::Value(certificates))
      .add("resources", Record::Value(resources))
      .add_seconds("session_s", p.deny ? std::nullopt : std::optional(t.session))
      .add_seconds("mfa_s", t.mfa)
      .add("on_expiry", p.deny ? Record::Value() : Record::Value(to_text(t.on_expiry)))
      .add("hours", t.hours ? Record::Value(to_text(*t.hours)) : Record::Value())
      .add_seconds("idle_s", t.idle)
      .add("binding", to_text(t.min_binding));

  std::vector<std::string> who = users;
  if (p.anyone) who.emplace_back("anyone");
  for (const std::string& g : groups) who.push_back("group " + g);
  for (const std::string& token : tokens) who.push_back("token " + token);
  for (const std::string& shown : certificates) who.push_back("certificate " + shown);
  row.table.add("position", static_cast<std::int64_t>(at + 1))
      .add("name", p.name)
      .add("verdict", p.deny ? "deny" : "allow")
      .add("who", Record::Value(who))
      .add("resources", Record::Value(resources))
      .add("session", p.deny                   ? ""
                      : t.session.count() == 0 ? "every time"
                                               : format_duration(t.session))
      .add("mfa", duration_or_dash(t.mfa))
      .add("on_expiry", p.deny ? std::string() : std::string(to_text(t.on_expiry)))
      .add("hours", t.hours ? to_text(*t.hours) : std::string())
      .add("idle", duration_or_dash(t.idle))
      .add("binding", std::string(to_text(t.min_binding)));
  return row;
}

Status read_terms(const Context& context, Terms& terms) {
  const auto duration = [&](const char* option, auto& into, bool zero) -> Status {
    if (!context.given(option)) return Done{};
    const std::string what = fmt::format("--{}", option);
    Result<Seconds> d = parse_duration(context.value(option), what);
    if (!d) return Error{d.error().kind, printable(d.error().message), d.error().hint};
    if (!zero && d->count() == 0) {
      return Error::usage(fmt::format("{}: 0 would never be met", what),
                          "write a number with its unit, such as 15m or 1h");
    }
    into = *d;
    return Done{};
  };
  NL_TRY(duration("session", terms.session, true));
  NL_TRY(duration("mfa", terms.mfa, false));
  NL_TRY(duration("idle", terms.idle, false));
  if (context.given("on-expiry")) {
    Result<Expiry> expiry = parse_expiry(context.value("on-expiry"), "--on-expiry");
    if (!expiry) return expiry.error();
    terms.on_expiry = *expiry;
  }
  if (context.given("hours")) {
    Result<Hours> hours = parse_hours(context.value("hours"), "--hours");
    if (!hours) return hours.error();
    terms.hours = *hours;
  }
  if (context.given("binding")) {
    Result<Binding> binding = parse_binding(context.value("binding"), "--binding");
    if (!binding) return binding.error();
    terms.min_binding = *binding;
  }
  return Done{};
}

Result<NewPolicy> read_policy(const Context& context) {
  NewPolicy policy;
  policy.name = context.argument(0);
  NL_TRY(check_name(policy.name, "NAME"));
  for (const char* option : {"resource", "user", "group", "token", "cert"})
    NL_TRY(context.names_once(option));
  policy.deny = context.given("deny");
  policy.anyone = context.given("anyone");
  policy.resources = context.list("resource");
  policy.users = context.list("user");
  policy.groups = context.list("group");
  policy.tokens = context.list("token");
  policy.certificates = context.list("cert");
  policy.before = context.value("before");
  if (policy.resources.empty()) {
    return Error::usage("--resource is missing: a policy needs at least one resource",
                        "see: nightlatch resource list");
  }
  const bool machines = !policy.tokens.empty() || !policy.certificates.empty();
  if (machines && (policy.anyone || !policy.users.empty() || !policy.groups.empty())) {
    return Error::usage(
        fmt::format("--{}: together with --user, --group or --anyone it would be ambiguous",
                    policy.tokens.empty() ? "cert" : "token"),
        "a token or a certificate stands for no person: make two policies, one for the persons "
        "and one for the machines");
  }
  if (!machines && policy.anyone == (!policy.users.empty() || !policy.groups.empty())) {
    return policy.anyone ? Error::usage("--anyone: together with --user or --group it would be ambiguous",
                                        "say one or the other")
                         : Error::usage("policy add: for whom it is, is missing",
                                        "say --user USER, --group GROUP or --anyone; or, for a machine, "
                                        "--token TOKEN or --cert CERTIFICATE");
  }
  if (context.given("before")) NL_TRY(check_name(policy.before, "--before"));
  for (const char* option : {"session", "mfa", "on-expiry", "idle", "binding"}) {
    if (policy.deny && context.given(option)) {
      return Error::usage(fmt::format("--{}: a policy that denies has no such term", option),
                          "leave it out, or leave out --deny");
    }
  }
  NL_TRY(read_terms(context, policy.terms));
  if (machines && policy.terms.mfa) {
    return Error::usage("--mfa: a machine has no second factor",
                        "leave it out; --binding certificate asks for more than a token");
  }
  return policy;
}

Result<int> run_add(Context& context) {
  Result<NewPolicy> policy = read_policy(context);
  if (!policy) return policy.error();
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<PolicyId> added = add_policy(*db, *policy);
  if (!added) return added.error();
  NL_TRY(context.audit(context.words()));
  context.say("added policy {}", policy->name);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<OfficeData> office = load_office(*db);
  if (!office) return office.error();
  std::vector<Record> rows;
  for (std::size_t i = 0; i < office->policies.size(); ++i) {
    Row row = row_of(*office, i);
    rows.push_back(context.json() ? row.json : row.table);
  }
  print_rows(
      context, rows,
      {{"#", "position"},
       {"NAME", "name"},
       {"VERDICT", "verdict"},
       {"WHO", "who"},
       {"RESOURCES", "resources"},
       {"SESSION", "session"},
       {"MFA", "mfa"},
       {"ON EXPIRY", "on_expiry"},
       {"HOURS", "hours"},
       {"IDLE", "idle"},
       {"BINDING", "binding"}},
      "there are no policies: nobody reaches any resource; add one: nightlatch policy add NAME --resource R "
      "--user U");
  return 0;
}

Result<int> run_show(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<OfficeData> office = load_office(*db);
  if (!office) return office.error();
  const std::string& name = context.argument(0);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < office->policies.size(); ++i) {
    if (lower(office->policies[i].name) == lower(name)) {
      Row row = row_of(*office, i);
      print_record(context, context.json() ? row.json : row.table);
      return 0;
    }
    names.push_back(office->policies[i].name);
  }
  const std::string near = nearest(name, names);
  return Error::not_found(
      fmt::format("NAME: there is no policy '{}'", printable(name)),
      near.empty() ? "see: nightlatch policy list" : fmt::format("did you mean '{}'?", near));
}

Result<int> run_move(Context& context) {
  const std::string& name = context.argument(0);
  if (context.given("before")) NL_TRY(check_name(context.value("before"), "--before"));
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(move_policy(*db, name, context.value("before")));
  NL_TRY(context.audit(context.words()));
  context.say("moved policy {}", name);
  return 0;
}

Result<int> run_remove(Context& context) {
  const std::string& name = context.argument(0);
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(remove_policy(*db, name));
  NL_TRY(context.audit(context.words()));
  context.say("removed policy {}", name);
  return 0;
}

const Argument kPolicy{.name = "NAME", .help = "the policy's name", .words = Words::policy};
const Option kBefore{.name = "before",
                     .kind = Option::Kind::text,
                     .value = "POLICY",
                     .help = "stand in front of this policy; else last",
                     .words = Words::policy};

Option text(const std::string& name, const std::string& value, const std::string& help,
            std::vector<std::string> choices = {}) {
  const Words words = choices.empty() ? Words::none : Words::choices;
  return {.name = name,
          .kind = Option::Kind::text,
          .value = value,
          .help = help,
          .words = words,
          .choices = std::move(choices)};
}

Option names(const std::string& name, const std::string& value, const std::string& help, Words words) {
  return {.name = name, .kind = Option::Kind::list, .value = value, .help = help, .words = words};
}

Command add_command() {
  return {
      .noun = "policy",
      .verb = "add",
      .summary = "let people reach resources, or keep them out, on given terms",
      .details =
          "Policies are looked through in order, and the first that matches decides: see 'policy list' and "
          "'explain'. A resource that no policy matches is denied.\n\n"
          "--session says how old a sign-in may be: 8h lets a flow through while the user's last sign-in on "
          "this "
          "device is less than 8 hours ago. 0 means every time: one sign-in serves the burst of the next "
          "minute. "
          "Live flows are judged again when the time is up, and --on-expiry says what becomes of them: "
          "close, "
          "drain=60s (warn, then close) or keep=12h (keep, never longer than that).\n\n"
          "A policy is for persons, or with --token or --cert for machines. For a machine --session counts "
          "from "
          "when it last proved itself by one of these. A person who is signed in there is not let in by it, "
          "and "
          "a machine is never let in by a policy that asks for a person.\n\n"
          "Durations are numbers with their unit: 90s, 15m, 8h, 7d, 1h30m.",
      .arguments = {{.name = "NAME", .help = "the new policy's name"}},
      .options = {names("resource", "RESOURCE", "what it is about", Words::resource),
                  names("user", "USER", "for this user", Words::user),
                  names("group", "GROUP", "for everybody in this group", Words::group),
                  {.name = "anyone", .help = "for every user"},
                  names("token", "TOKEN", "or for the machine that proved itself by this service token",
                        Words::token),
                  names("cert", "CERTIFICATE", "or by this client certificate", Words::certificate),
                  {.name = "deny", .help = "keep them out; else it lets them in"},
                  text("session", "DURATION", "how old a sign-in may be; 0: every time; else 8h"),
                  text("mfa", "DURATION", "and a second factor, no older than this"),
                  text("on-expiry", "WHAT", "close, drain=DURATION or keep=DURATION; else close",
                       {"close", "drain=60s", "keep=12h"}),
                  text("hours", "SPANS", "only within these hours, such as \"mon-fri 07:00-19:00\""),
                  text("idle", "DURATION", "close a flow that was silent for so long"),
                  text("binding", "STRENGTH", "the weakest tie to the device that is good enough",
                       {"address", "mac", "credential", "certificate"}),
                  kBefore},
      .examples = {{"policy add payroll --resource payroll --group finance --session 8h --mfa 1h"},
                   {"policy add wiki --resource wiki --anyone --session 12h --on-expiry drain=60s"},
                   {"policy add backup --resource backup --token nas-1 --session 24h"},
                   {"policy add no-interns --resource payroll --group interns --deny --before payroll"}},
      .run = run_add};
}

}  // namespace

std::vector<Command> policy_commands() {
  return {
      add_command(),
      {.noun = "policy",
       .verb = "list",
       .summary = "list the policies in the order in which they are looked through",
       .examples = {{"policy list"}, {"policy list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "policy",
       .verb = "show",
       .summary = "show one policy",
       .arguments = {kPolicy},
       .examples = {{"policy show payroll"}},
       .json = true,
       .run = run_show},
      {.noun = "policy",
       .verb = "move",
       .summary = "change a policy's place in the order",
       .arguments = {kPolicy},
       .options = {kBefore},
       .examples = {{"policy move no-interns --before payroll"}, {"policy move wiki", "to the end"}},
       .run = run_move},
      {.noun = "policy",
       .verb = "remove",
       .summary = "remove a policy; live flows that only it let through end at once",
       .arguments = {kPolicy},
       .examples = {{"policy remove payroll"}},
       .run = run_remove},
  };
}

}  // namespace nightlatch::cli
