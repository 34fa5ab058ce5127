// resource: named sets of destinations.
#include <fmt/format.h>
#include <fmt/ranges.h>

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

Record record_of(const OfficeData& office, const Resource& resource) {
  std::vector<std::string> targets;
  targets.reserve(resource.targets.size());
  for (const Target& t : resource.targets) targets.push_back(to_text(t));
  std::vector<std::string> policies;
  for (const Policy& p : office.policies) {
    if (std::find(p.resources.begin(), p.resources.end(), resource.id) != p.resources.end())
      policies.push_back(p.name);
  }
  std::vector<std::string> addresses;  // of the hosts that it names
  for (const HostAddress& h : office.host_addresses) {
    const bool ours = std::any_of(resource.targets.begin(), resource.targets.end(),
                                  [&](const Target& t) { return t.host == h.host; });
    if (ours) addresses.push_back(fmt::format("{}={}", h.host.text(), h.address.text()));
  }
  Record record;
  record.add("name", resource.name)
      .add("to", Record::Value(targets))
      .add("addresses", Record::Value(addresses))
      .add("policies", Record::Value(policies));
  return record;
}

Result<std::vector<Target>> targets_of(const Context& context) {
  std::vector<Target> targets;
  for (const std::string& text : context.list("to")) {
    Result<Target> target = parse_target(text, "--to");
    if (!target) return target.error();
    if (std::find(targets.begin(), targets.end(), *target) != targets.end()) {
      return Error::usage(fmt::format("--to: '{}' is given twice", to_text(*target)),
                          "give each destination once");
    }
    targets.push_back(*target);
  }
  if (targets.empty()) {
    return Error::usage("--to is missing: a resource needs at least one destination",
                        "for example --to 10.1.0.2:443/tcp or --to 10.1.0.0/24:5432");
  }
  return targets;
}

// A name is only told once a connection stands, so the gate takes them all at these ports.
void say_what_hosts_mean(Context& context, const std::vector<Target>& targets) {
  std::vector<std::string> ports;
  for (const Target& t : targets) {
    const std::string port = fmt::format("{}/{}", t.ports.text(), to_text(t.protocol));
    if (t.host && std::find(ports.begin(), ports.end(), port) == ports.end()) ports.push_back(port);
  }
  if (ports.empty()) return;
  context.say(
      "it names hosts: everything from the LAN to {} now passes the gate, which hears the name; connections "
      "that were open there end",
      fmt::join(ports, " and "));
}

Result<int> run_add(Context& context) {
  const std::string& name = context.argument(0);
  NL_TRY(check_name(name, "NAME"));
  Result<std::vector<Target>> targets = targets_of(context);
  if (!targets) return targets.error();
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<ResourceId> added = add_resource(*db, name, *targets);
  if (!added) return added.error();
  NL_TRY(context.audit(context.words()));
  context.say("added resource {}: nobody may reach it until a policy says so", name);
  say_what_hosts_mean(context, *targets);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<OfficeData> office = load_office(*db);
  if (!office) return office.error();
  std::vector<Record> rows;
  for (const Resource& r : office->resources) rows.push_back(record_of(*office, r));
  print_rows(context, rows, {{"NAME", "name"}, {"TO", "to"}, {"POLICIES", "policies"}},
             "there are no resources; add one: nightlatch resource add NAME --to ADDRESS:PORT");
  return 0;
}

Result<int> run_show(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<OfficeData> office = load_office(*db);
  if (!office) return office.error();
  const std::string& name = context.argument(0);
  std::vector<std::string> names;
  for (const Resource& r : office->resources) {
    if (lower(r.name) == lower(name)) {
      print_record(context, record_of(*office, r));
      return 0;
    }
    names.push_back(r.name);
  }
  const std::string near = nearest(name, names);
  return Error::not_found(
      fmt::format("NAME: there is no resource '{}'", printable(name)),
      near.empty() ? "see: nightlatch resource list" : fmt::format("did you mean '{}'?", near));
}

Result<int> run_set(Context& context) {
  const std::string& name = context.argument(0);
  Result<std::vector<Target>> targets = targets_of(context);
  if (!targets) return targets.error();
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(set_resource_targets(*db, name, *targets));
  NL_TRY(context.audit(context.words()));
  context.say("changed resource {}", name);
  say_what_hosts_mean(context, *targets);
  return 0;
}

Result<int> run_remove(Context& context) {
  const std::string& name = context.argument(0);
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(remove_resource(*db, name));
  NL_TRY(context.audit(context.words()));
  context.say("removed resource {}: its destinations are not protected by it any more", name);
  return 0;
}

const Argument kResource{.name = "NAME", .help = "the resource's name", .words = Words::resource};
const Option kTo{
    .name = "to",
    .kind = Option::Kind::list,
    .value = "DESTINATION",
    .help =
        "ADDRESS[/BITS]:PORTS[/tcp|/udp] or HOST:PORTS[/tcp|/udp]; PORTS is 443, 8000-8010 or *; an IPv6 "
        "address in brackets; *.corp.example is every host below corp.example"};

}  // namespace

std::vector<Command> resource_commands() {
  return {
      {.noun = "resource",
       .verb = "add",
       .summary = "protect a set of destinations under a name",
       .details =
           "From this moment on the destinations are protected: nobody reaches them until a policy lets "
           "somebody in.",
       .arguments = {{.name = "NAME", .help = "the new resource's name"}},
       .options = {kTo},
       .examples = {{"resource add payroll --to 10.88.0.2:5432/tcp"},
                    {"resource add wiki --to 10.88.0.3:443 --to '[2001:db8::3]:443'",
                     "IPv4 and IPv6; tcp is implied"},
                    {"resource add intranet --to wiki.lan:443 --to '*.corp.example:443'",
                     "hosts by their names"},
                    {"resource add cameras --to '10.99.0.0/24:*/tcp' --to '10.99.0.0/24:*/udp'"}},
       .run = run_add},
      {.noun = "resource",
       .verb = "list",
       .summary = "list the resources",
       .examples = {{"resource list"}, {"resource list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "resource",
       .verb = "show",
       .summary = "show one resource",
       .arguments = {kResource},
       .examples = {{"resource show payroll"}},
       .json = true,
       .run = run_show},
      {.noun = "resource",
       .verb = "set",
       .summary = "replace a resource's destinations",
       .arguments = {kResource},
       .options = {kTo},
       .examples = {{"resource set payroll --to 10.88.0.2:5432 --to 10.88.0.4:5432"}},
       .run = run_set},
      {.noun = "resource",
       .verb = "remove",
       .summary = "remove a resource that no policy names",
       .arguments = {kResource},
       .examples = {{"resource remove payroll"}},
       .run = run_remove},
  };
}

}  // namespace nightlatch::cli
