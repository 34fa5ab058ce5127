// session: who is signed in where, what that lets through until when, and ending it.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "policy/decide.h"
#include "policy/parse.h"
#include "store/office_store.h"
#include "store/people.h"
#include "store/proofs.h"
#include "store/sessions.h"

namespace nightlatch::cli {

namespace {

// Where an on-link device's flows come from; of one that is off-link the first of its addresses stands for
// all.
std::string place_of(const Device& device) {
  if (device.mac) return device.mac->text();
  return device.addresses.empty() ? std::string() : device.addresses.front().text();
}

struct Filter {
  UserId user{};
  DeviceId device{};
};

// Absent names are an error, so that a typing mistake is not taken for "nobody is signed in".
Result<Filter> read_filter(const Context& context, Database& db) {
  Filter filter;
  if (context.given("user")) {
    Result<UserRow> user = find_user(db, context.value("user"));
    if (!user) return user.error();
    filter.user = user->id;
  }
  if (context.given("device")) {
    Result<DeviceRow> device = find_device(db, context.value("device"));
    if (!device) return device.error();
    filter.device = device->id;
  }
  return filter;
}

Record record_of(const User& user, const Device& device, const Resource& resource, const Verdict& v,
                 Binding binding, WallTime signed_in, WallTime now) {
  Record record;
  record.add("user", user.name)
      .add("machine", Record::Value())
      .add("device", device.name)
      .add("resource", resource.name)
      .add("verdict", to_text(v.kind))
      .add("policy", v.policy != nullptr ? Record::Value(v.policy->name) : Record::Value())
      .add_time("until", v.until)
      .add("reason", to_text(v.reason))
      .add_seconds("age_s", std::chrono::floor<Seconds>(v.age.value_or(now - signed_in)))
      .add_seconds("session_s", v.policy != nullptr ? std::optional(v.session) : std::nullopt)
      .add("binding", to_text(binding))
      .add("why", explain_reason(v));
  return record;
}

// What each machine's own proof lets it to, for the resources that some policy lets it to.
Status add_machines(Database& db, const Office& office, const Filter& filter, bool behind, WallTime now,
                    std::vector<Record>& rows) {
  if (filter.user != UserId::none) return Done{};
  Result<std::vector<ProofRow>> proofs = list_proofs(db);
  if (!proofs) return proofs.error();
  for (const ProofRow& row : *proofs) {
    const Device* device = office.device(row.device);
    if (device == nullptr || (filter.device != DeviceId::none && device->id != filter.device)) continue;
    const std::span<const Proof> proof(&row.proof, 1);
    const Subject subject{.device = device,
                          .binding = device->mac ? Binding::mac : Binding::address,
                          .clock_set_back = behind,
                          .proofs = proof};
    const bool token = row.proof.token != TokenId::none;
    for (const Resource& resource : office.data().resources) {
      const Verdict v = decide_resource(office, subject, resource, now);
      const bool its_own = v.by_machine() || (v.policy != nullptr &&
                                              !(v.policy->tokens.empty() && v.policy->certificates.empty()));
      if (!its_own) continue;
      Record record;
      record.add("user", Record::Value())
          .add("machine", (token ? "token " : "certificate ") + row.by)
          .add("device", device->name)
          .add("resource", resource.name)
          .add("verdict", to_text(v.kind))
          .add("policy", v.policy != nullptr ? Record::Value(v.policy->name) : Record::Value())
          .add_time("until", v.until)
          .add("reason", to_text(v.reason))
          .add_seconds("age_s", std::chrono::floor<Seconds>(now - row.proof.proven))
          .add_seconds("session_s", v.policy != nullptr ? std::optional(v.session) : std::nullopt)
          .add("binding", to_text(binding_of(office, subject, now)))
          .add("why", explain_reason(v));
      rows.push_back(std::move(record));
    }
  }
  return Done{};
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<Filter> filter = read_filter(context, *db);
  if (!filter) return filter.error();
  Result<OfficeData> data = load_office(*db);
  if (!data) return data.error();
  Result<std::vector<PresenceRow>> present = list_presence(*db);
  if (!present) return present.error();
  Result<StoreClock> clock = store_clock(*db);
  if (!clock) return clock.error();

  const Office office(std::move(*data));
  const WallTime now = wall_now();
  std::vector<Record> rows;
  for (const PresenceRow& row : *present) {
    const User* user = office.user(row.presence.user);
    const Device* device = office.device(row.device);
    if (user == nullptr || device == nullptr) continue;
    if (filter->user != UserId::none && user->id != filter->user) continue;
    if (filter->device != DeviceId::none && device->id != filter->device) continue;
    // On a shared device what counts is what the user's own credential lets through.
    const Token own{.user = user->id};
    Subject subject{.device = device,
                    .presence = row.presence,
                    .binding = device->mac ? Binding::mac : Binding::address,
                    .clock_set_back = set_back(*clock, now)};
    if (device->shared) {
      subject.credential = SentCredential{&own};
      subject.binding = Binding::credential;
    }
    std::vector<Proof> proofs;
    if (office.has_machines()) {
      Result<std::vector<Proof>> proven = proofs_of(*db, device->id, place_of(*device));
      if (!proven) return proven.error();
      proofs = std::move(*proven);
      subject.proofs = proofs;
    }
    for (const Resource& resource : office.data().resources) {
      const Verdict v = decide_resource(office, subject, resource, now);
      if (v.by_machine()) continue;  // it is listed as the machine's
      rows.push_back(record_of(*user, *device, resource, v, binding_of(office, subject, now),
                               row.presence.signed_in, now));
    }
  }
  NL_TRY(add_machines(*db, office, *filter, set_back(*clock, now), now, rows));
  print_rows(context, rows,
             {{"USER", "user"},
              {"MACHINE", "machine"},
              {"DEVICE", "device"},
              {"RESOURCE", "resource"},
              {"VERDICT", "verdict"},
              {"UNTIL", "until"},
              {"POLICY", "policy"},
              {"BINDING", "binding"},
              {"WHY", "why"}},
             "nobody is signed in");
  return 0;
}

Result<int> run_end(Context& context) {
  const bool some = context.given("user") || context.given("device");
  if (some == context.given("all")) {
    return some ? Error::usage("--all: together with --user or --device it would be ambiguous",
                               "say one or the other")
                : Error::usage("session end: whose sessions are to end, is missing",
                               "say --user USER, --device DEVICE, or --all for everybody's");
  }
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<Filter> filter = read_filter(context, *db);
  if (!filter) return filter.error();
  Result<std::int64_t> ended = end_sessions(
      *db, filter->user == UserId::none ? std::nullopt : std::optional(filter->user),
      filter->device == DeviceId::none ? std::nullopt : std::optional(filter->device), wall_now());
  if (!ended) return ended.error();
  NL_TRY(context.audit(fmt::format("{} ({} ended)", context.words(), *ended)));
  context.say("ended {} session{}", *ended, *ended == 1 ? "" : "s");
  return 0;
}

Option by_user(const std::string& help) {
  return {.name = "user", .kind = Option::Kind::text, .value = "USER", .help = help, .words = Words::user};
}
Option by_device(const std::string& help) {
  return {
      .name = "device", .kind = Option::Kind::text, .value = "DEVICE", .help = help, .words = Words::device};
}

}  // namespace

std::vector<Command> session_commands() {
  return {
      {.noun = "session",
       .verb = "list",
       .summary = "list who is signed in on which device, and what that lets through until when",
       .details =
           "One line for each signed-in user and each resource, judged at this moment by the function that "
           "judges flows. On a shared device it is what connections with the user's own token are let to. "
           "Machines "
           "that have proven themselves are listed with what that lets them to.",
       .options = {by_user("only this user's"), by_device("only those on this device")},
       .examples = {{"session list"}, {"session list --user alice --json"}},
       .json = true,
       .run = run_list},
      {.noun = "session",
       .verb = "end",
       .summary = "end sessions, and the live flows that they let through, at once",
       .details = "With --user and --device together only that user's session on that device.",
       .options = {by_user("this user's, on every device"),
                   by_device("those on this device"),
                   {.name = "all", .help = "everybody's"}},
       .examples = {{"session end --user alice"},
                    {"session end --device alice-laptop"},
                    {"session end --all"}},
       .run = run_end},
  };
}

}  // namespace nightlatch::cli
