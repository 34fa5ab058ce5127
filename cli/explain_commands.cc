// explain: what would happen to a flow, by the same decide() that the gate calls, and what it looked at on
// the way.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/goal.h"
#include "cli/output.h"
#include "cli/table.h"
#include "net/neighbour.h"
#include "policy/decide.h"
#include "policy/parse.h"
#include "store/access.h"
#include "store/office_store.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/sessions.h"

namespace nightlatch::cli {

namespace {

constexpr int kNotAllow = 4;

std::string text_of(const Destination& d) {
  return fmt::format("{}/{}", Endpoint{d.address, d.port}.text(), to_text(d.protocol));
}

// ---- where it comes from
// -------------------------------------------------------------------------------------------

struct From {
  const Device* device = nullptr;
  std::optional<IpAddress> address;
  std::optional<Mac> mac;
};

std::optional<Mac> neighbour_mac(Context& context, Database& db, const IpAddress& address) {
  std::vector<std::string> interfaces;
  const Result<std::string> lan = get_setting(db, "lan");
  if (lan && !lan->empty()) {
    for (const std::string_view part : split(*lan, ',')) interfaces.emplace_back(trim(part));
  }
  Result<Neighbours> neighbours = Neighbours::open(interfaces);
  if (!neighbours) {
    context.say("nightlatch: warning: the neighbour table cannot be read: {}", neighbours.error().message);
    return std::nullopt;
  }
  return neighbours->mac_of(address);
}

Result<From> find_source(Context& context, Database& db, const Office& office) {
  if (context.given("from") == context.given("device")) {
    return context.given("from")
               ? Error::usage("--device: together with --from it would be ambiguous", "say one or the other")
               : Error::usage("explain: where the flow comes from, is missing",
                              "say --from ADDRESS or --device DEVICE");
  }
  From from;
  if (context.given("device")) {
    Result<DeviceRow> row = find_device(db, context.value("device"));
    if (!row) return row.error();
    from.device = office.device(row->id);
    return from;
  }
  from.address = IpAddress::parse(context.value("from"));
  if (!from.address) {
    return Error::usage(fmt::format("--from: '{}' is not an IP address", printable(context.value("from"))),
                        "for example 10.77.0.11; for a device by its name say --device");
  }
  from.mac = neighbour_mac(context, db, *from.address);
  from.device = office.identify(*from.address, from.mac);
  return from;
}

// ---- who
// ---------------------------------------------------------------------------------------------------------

struct Who {
  const User* user = nullptr;  // nullptr: not known
  std::optional<Presence> presence;
  bool signed_in = false;
  std::optional<UserId> credential;  // as if this user sent one that is good
  const Token* token = nullptr;      // as if the machine sent this one
  std::vector<Proof> proofs;
};

Result<Who> find_user_of(Context& context, Database& db, const Office& office, const Device* device) {
  Who who;
  const bool named = context.given("user");
  const bool credential = context.given("credential");
  if (context.given("token")) {
    if (named || credential) {
      return Error::usage("--token: together with --user or --credential it would be ambiguous",
                          "say one or the other");
    }
    for (const Token& t : office.data().tokens) {
      if (!t.revoked && lower(t.name) == lower(context.value("token"))) who.token = &t;
    }
    if (who.token == nullptr || who.token->device == DeviceId::none) {
      return Error::not_found(
          fmt::format("--token: there is no machine's token '{}' in use", printable(context.value("token"))),
          "see: nightlatch token list");
    }
    return who;
  }
  if (named && credential) {
    return Error::usage("--credential: together with --user it would be ambiguous", "say one or the other");
  }
  UserId user = UserId::none;
  if (named || credential) {
    Result<UserRow> row = find_user(db, context.value(named ? "user" : "credential"));
    if (!row) return row.error();
    user = row->id;
    if (credential) who.credential = user;
  }
  if (device != nullptr) {
    Result<std::optional<Presence>> present =
        user == UserId::none ? presence_on(db, device->id) : presence_on(db, device->id, user);
    if (!present) return present.error();
    who.presence = *present;
    who.signed_in = present->has_value();
    if (who.signed_in) user = (*present)->user;
  }
  who.user = office.user(user);
  // Not signed in there: as if the last sign-in had been at the beginning of time, so that the policies for
  // this user are looked through. A credential says who it is without that.
  if (named && !who.signed_in) {
    who.presence =
        Presence{.user = user, .signed_in = WallTime{}, .second_factor = std::nullopt, .sign_in_id = 0};
  }
  return who;
}

// ---- the answer
// ----------------------------------------------------------------------------------------------------

struct Question {
  From from;
  Who who;
  Subject subject;
  WallTime at;
};

Verdict judge(const Office& office, const Question& q, const Destination& to) {
  Verdict v = decide(office, q.subject, to, q.at);
  if (!q.who.signed_in) {
    v.age.reset();
    if (v.reason == Reason::expired) v.reason = Reason::no_sign_in;
  }
  return v;
}

bool for_machines(const Policy& policy) { return !policy.tokens.empty() || !policy.certificates.empty(); }

bool concerns_machine(const Policy& policy, const Question& q) {
  const auto among = [](const auto& list, auto id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  if (q.who.token != nullptr) return among(policy.tokens, q.who.token->id);
  return std::any_of(q.who.proofs.begin(), q.who.proofs.end(), [&](const Proof& p) {
    return among(policy.tokens, p.token) || among(policy.certificates, p.certificate);
  });
}

bool concerns(const Policy& policy, const User* user) {
  if (user == nullptr || policy.anyone) return true;
  if (std::find(policy.users.begin(), policy.users.end(), user->id) != policy.users.end()) return true;
  return std::any_of(policy.groups.begin(), policy.groups.end(), [&](GroupId g) {
    return std::find(user->groups.begin(), user->groups.end(), g) != user->groups.end();
  });
}

// Every policy that names the destination's resources, in order, and what became of it.
std::vector<Record> considered(const Office& office, const Question& q, const Destination& to,
                               const Verdict& v) {
  std::vector<std::uint32_t> places;
  const auto add = [&](std::uint32_t r) {
    for (const std::uint32_t p : office.policies_of(r)) places.push_back(p);
  };
  office.each_resource(to.address, to.port, to.protocol, add);
  for (const std::string_view name : to.names) office.each_named(name, to.port, to.protocol, add);
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  bool decided = false;
  std::vector<Record> records;
  for (const std::uint32_t at : places) {
    const Policy& p = office.data().policies[at];
    std::string outcome = "passed over";
    if (&p == v.policy) {
      outcome = "decides";
      decided = true;
    } else if (for_machines(p) && !concerns_machine(p, q)) {
      outcome = "not proven";
    } else if (!for_machines(p) && (q.who.token != nullptr || !concerns(p, q.who.user))) {
      outcome = "other user";
    } else if (p.terms.hours && !p.terms.hours->contains(q.at, office.data().utc_offset)) {
      outcome = "outside its hours";
    } else if (decided) {
      outcome = "shadowed";
    }
    Record record;
    record.add("policy", p.name)
        .add("outcome", outcome)
        .add("deny", Record::Value(p.deny))
        .add_seconds("session_s", p.deny ? std::nullopt : std::optional(p.terms.session));
    records.push_back(std::move(record));
  }
  return records;
}

// By what the machine was let in.
Record::Value machine_of_verdict(const Office& office, const Question& q, const Verdict& v) {
  if (const Token* t = q.who.token != nullptr ? q.who.token : office.token(v.token))
    return "token " + t->name;
  const Certificate* c = office.certificate(v.certificate);
  return c != nullptr ? Record::Value("certificate " + c->name) : Record::Value();
}

Record answer(const Office& office, const Question& q, const Destination& to, const Verdict& v) {
  const std::vector<Record> policies = considered(office, q, to, v);
  std::vector<std::string> shadowed;
  for (const Record& r : policies) {
    if (cell(*r.find("outcome")) == "shadowed") shadowed.push_back(cell(*r.find("policy")));
  }
  const auto name_or_null = [](const auto* thing) {
    return thing == nullptr ? Record::Value() : Record::Value(thing->name);
  };
  const bool policy_terms = v.policy != nullptr && !v.policy->deny;
  Record record;
  record.add("verdict", to_text(v.kind))
      .add("policy", name_or_null(v.policy))
      .add("reason", to_text(v.reason))
      .add("why", explain_reason(v))
      .add_time("until", v.until)
      .add("user", name_or_null(q.who.user))
      .add("signed_in", Record::Value(q.who.signed_in))
      .add("machine", machine_of_verdict(office, q, v))
      .add("device", name_or_null(q.from.device))
      .add("mac", q.from.mac ? Record::Value(q.from.mac->text()) : Record::Value())
      .add("binding", to_text(binding_of(office, q.subject, q.at)))
      .add("resource", name_or_null(v.resource))
      .add("destination", text_of(to))
      .add("names", Record::Value(std::vector<std::string>(to.names.begin(), to.names.end())))
      .add_seconds("age_s", v.age ? std::optional(std::chrono::floor<Seconds>(*v.age)) : std::nullopt)
      .add_seconds("session_s", policy_terms ? std::optional(v.session) : std::nullopt)
      .add("mode", to_text(office.data().mode))
      .add_time("at", q.at)
      .add("shadowed", Record::Value(shadowed))
      .add("policies", Record::Value(policies));
  return record;
}

void print_for_people(Context& context, const Record& record) {
  const auto text = [&](const char* key) { return cell(*record.find(key)); };
  std::ostream& out = context.io.out;
  const std::string verdict = text("verdict");
  const Paint paint = verdict == "allow" ? Paint::good : verdict == "deny" ? Paint::bad : Paint::attention;
  out << "verdict      " << painted(context, paint, verdict)
      << (text("until") == "-" ? "" : " until " + text("until")) << "\n";
  out << "why          " << text("why") << " (" << text("reason") << ")\n";
  out << "policy       " << text("policy") << "\n";
  out << "user         " << text("user");
  if (text("machine") != "-") out << "\nmachine      " << text("machine");
  if (text("user") != "-" && text("signed_in") == "no") out << ", not signed in on this device";
  out << "\ndevice       " << text("device") << " (known by " << text("binding") << ")\n";
  out << "destination  " << text("destination")
      << (text("resource") == "-" ? ", in no resource" : ", resource " + text("resource")) << "\n";
  const auto& policies = std::get<std::vector<Record>>(*record.find("policies"));
  for (const Record& p : policies) {
    out << "  policy " << cell(*p.find("policy")) << ": " << cell(*p.find("outcome")) << "\n";
  }
  if (text("mode") == "observe")
    context.say("mode is observe: whatever the verdict, the flow is let through and logged");
}

Result<int> run_explain(Context& context) {
  Result<std::unique_ptr<Goal>> goal = goal_of(context);
  if (!goal) return goal.error();
  const std::vector<Destination>& destinations = (*goal)->destinations;
  Question q;
  q.at = wall_now();
  if (context.given("at")) {
    const auto at = parse_rfc3339(context.value("at"));
    if (!at) {
      return Error::usage(fmt::format("--at: '{}' is not a time", printable(context.value("at"))),
                          "write it as RFC 3339 does: 2026-11-23T13:08:00Z");
    }
    q.at = *at;
  }
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<OfficeData> data = load_office(*db);
  if (!data) return data.error();
  const Office office(std::move(*data));
  Result<From> from = find_source(context, *db, office);
  if (!from) return from.error();
  q.from = *from;
  Result<Who> who = find_user_of(context, *db, office, q.from.device);
  if (!who) return who.error();
  q.who = *who;
  Result<StoreClock> clock = store_clock(*db);
  if (!clock) return clock.error();
  const bool on_link = q.from.mac || (!q.from.address && q.from.device != nullptr && q.from.device->mac);
  q.subject = {.device = q.from.device,
               .presence = q.who.presence,
               .binding = on_link ? Binding::mac : Binding::address,
               .clock_set_back = set_back(*clock, wall_now())};
  if (q.from.device != nullptr && office.has_machines()) {
    const Device& d = *q.from.device;
    const std::string place = q.from.mac            ? q.from.mac->text()
                              : q.from.address      ? q.from.address->text()
                              : d.mac               ? d.mac->text()
                              : d.addresses.empty() ? std::string()
                                                    : d.addresses.front().text();
    Result<std::vector<Proof>> proofs = proofs_of(*db, d.id, place);
    if (!proofs) return proofs.error();
    q.who.proofs = std::move(*proofs);
    q.subject.proofs = q.who.proofs;
  }
  if (q.who.token != nullptr) {
    q.subject.presence.reset();
    q.subject.credential = SentCredential{q.who.token, q.at};
    q.subject.binding = Binding::credential;
  }
  Token token;
  if (q.who.credential) {
    token.user = *q.who.credential;
    q.subject.credential = SentCredential{&token};
    q.subject.binding = Binding::credential;
  }

  // A name may have several addresses: a proxy's flow goes to the first. A client of its own may choose
  // another.
  const Destination& to = destinations.front();
  const Verdict verdict = judge(office, q, to);
  for (const Destination& other : destinations) {
    if (destinations.size() > 1) context.say("{}: {}", text_of(other), to_text(judge(office, q, other).kind));
  }
  const Record record = answer(office, q, to, verdict);
  if (context.json()) {
    print_record(context, record);
  } else {
    print_for_people(context, record);
  }
  return verdict.kind == VerdictKind::allow ? 0 : kNotAllow;
}

Option text(const std::string& name, const std::string& value, const std::string& help,
            Words words = Words::none) {
  return {.name = name, .kind = Option::Kind::text, .value = value, .help = help, .words = words};
}

}  // namespace

std::vector<Command> explain_commands() {
  return {{
      .noun = "explain",
      .summary = "say what would happen to a flow at this moment, which policy decides, and why",
      .details =
          "Calls the function that the gate calls. Ends with status 0 when the verdict is allow, and with 4 "
          "when it is not. The policies that name the destination are listed with what became of each: the "
          "first that matches decides, and those behind it are shadowed.",
      .options =
          {text("from", "ADDRESS", "where the flow comes from; its device is found as the gate finds it"),
           text("device", "DEVICE", "or the device itself", Words::device),
           text("user", "USER", "as if this user were at the device; else whoever is signed in", Words::user),
           text("credential", "USER", "as if this user sent a good token in the connection", Words::user),
           text("token", "TOKEN", "as if the machine sent this service token in the connection",
                Words::token),
           text("to", "HOST:PORT", "where it goes; /udp behind it for UDP"),
           text("name", "HOST", "as if the client named this host: in TLS, QUIC, HTTP or by the DNS"),
           text("at", "TIME", "at another time, as RFC 3339 writes it: 2026-11-23T19:30:00Z")},
      .examples = {{"explain --from 10.77.0.11 --to 10.88.0.2:5432"},
                   {"explain --device alice-laptop --user alice --to wiki.lan:443 --json"},
                   {"explain --from 10.77.0.11 --to 10.88.0.2:443 --name wiki.lan",
                    "an intercepted connection that names a host"},
                   {"explain --device terminal-server --credential alice --to wiki.lan:443"},
                   {"explain --device nas --token nas-1 --to 10.88.0.2:873"},
                   {"explain --device alice-laptop --to 10.88.0.2:5432 --at 2026-11-23T19:30:00Z"}},
      .json = true,
      .run = run_explain,
  }};
}

}  // namespace nightlatch::cli
