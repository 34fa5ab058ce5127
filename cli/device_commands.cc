// device: machines on the office network.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "policy/parse.h"
#include "store/people.h"

namespace nightlatch::cli {

namespace {

Record record_of(const DeviceRow& device) {
  std::vector<std::string> addresses;
  addresses.reserve(device.addresses.size());
  for (const IpAddress& a : device.addresses) addresses.push_back(a.text());
  Record record;
  record.add("name", device.name)
      .add("state", to_text(device.state))
      .add("mac", device.mac ? Record::Value(device.mac->text()) : Record::Value())
      .add("addresses", Record::Value(addresses))
      .add("shared", Record::Value(device.shared))
      .add("owner", device.owner.empty() ? Record::Value() : Record::Value(device.owner))
      .add("signed_in", device.signed_in.empty() ? Record::Value() : Record::Value(device.signed_in))
      .add_time("created", device.created);
  return record;
}

Result<Mac> parse_mac(const std::string& text) {
  const auto mac = Mac::parse(text);
  if (!mac) {
    return Error::usage(fmt::format("--mac: '{}' is not a MAC", printable(text)),
                        "write six pairs of hexadecimal digits: aa:bb:cc:dd:ee:ff or aa-bb-cc-dd-ee-ff");
  }
  // The lowest bit of the first byte marks a group (IEEE 802): no machine has such an address.
  if ((mac->bytes[0] & 1) != 0 || *mac == Mac{}) {
    return Error::usage(
        fmt::format("--mac: '{}' is a group's or nobody's address, not a machine's", mac->text()),
        "see 'ip neighbour' for the machine's own");
  }
  return *mac;
}

Result<IpAddress> parse_device_address(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) {
    return Error::usage(fmt::format("--address: '{}' is not an IP address", printable(text)),
                        "one address without a length or a port, such as 10.9.0.7 or 2001:db8::7");
  }
  if (address->is_unspecified() || address->is_loopback() || address->is_multicast() ||
      address->is_link_local()) {
    return Error::usage(fmt::format("--address: '{}' is not a machine's own address", address->text()),
                        "loopback, link-local and multicast addresses identify no device");
  }
  return *address;
}

Result<int> run_add(Context& context) {
  NewDevice device;
  device.name = context.argument(0);
  NL_TRY(check_name(device.name, "NAME"));
  if (context.given("mac") && context.given("address")) {
    return Error::usage("--address: a device on the office's own network is known by its MAC alone",
                        "say --mac for one on-link, --address for one behind a router");
  }
  if (context.given("mac")) {
    Result<Mac> mac = parse_mac(context.value("mac"));
    if (!mac) return mac.error();
    device.mac = *mac;
  }
  for (const std::string& text : context.list("address")) {
    Result<IpAddress> address = parse_device_address(text);
    if (!address) return address.error();
    device.addresses.push_back(*address);
  }
  device.unseen = context.given("unseen");
  const bool seen = device.mac || !device.addresses.empty();
  if (device.unseen && seen) {
    return Error::usage("--unseen: together with --mac or --address it would be ambiguous",
                        "say one or the other");
  }
  if (!device.unseen && !seen) {
    return Error::usage("device add: neither --mac nor --address is given",
                        "for example --mac aa:bb:cc:dd:ee:ff, or --address 10.9.0.7 for one behind a router; "
                        "--unseen for a machine that will prove itself by a token or a certificate");
  }
  device.shared = context.given("shared");
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  if (context.given("user")) {
    Result<UserRow> owner = find_user(*db, context.value("user"));
    if (!owner) return owner.error();
    device.owner = owner->id;
  }
  Result<DeviceId> added = add_device(*db, device);
  if (!added) return added.error();
  NL_TRY(context.audit(context.words()));
  context.say("added device {}", device.name);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<std::vector<DeviceRow>> devices = list_devices(*db);
  if (!devices) return devices.error();
  std::vector<Record> rows;
  for (const DeviceRow& d : *devices) rows.push_back(record_of(d));
  print_rows(context, rows,
             {{"NAME", "name"},
              {"STATE", "state"},
              {"MAC", "mac"},
              {"ADDRESSES", "addresses"},
              {"SHARED", "shared"},
              {"OWNER", "owner"},
              {"SIGNED IN", "signed_in"}},
             "there are no devices; one appears with its user's first sign-in");
  return 0;
}

Result<int> run_show(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<DeviceRow> device = find_device(*db, context.argument(0));
  if (!device) return device.error();
  print_record(context, record_of(*device));
  return 0;
}

Result<int> change(Context& context, const std::function<Status(Database&)>& make, const std::string& said) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(make(*db));
  NL_TRY(context.audit(context.words()));
  context.say("{}", said);
  return 0;
}

Result<int> run_approve(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_device_state(db, name, DeviceState::active); },
      name + " is approved");
}

Result<int> run_assign(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& user = context.value("user");
  if (!context.given("user")) return Error::usage("--user is missing", "say --user NAME, the device's owner");
  return change(
      context, [&](Database& db) { return assign_device(db, name, user); }, name + " belongs to " + user);
}

Result<int> run_rename(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& to = context.argument(1);
  NL_TRY(check_name(to, "NEW-NAME"));
  return change(context, [&](Database& db) { return rename_device(db, name, to); }, name + " is now " + to);
}

Result<int> run_share(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_device_shared(db, name, true); },
      name + " is shared: its address identifies nobody, and a token says who is who");
}

Result<int> run_unshare(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_device_shared(db, name, false); }, name + " is not shared");
}

Result<int> run_revoke(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_device_state(db, name, DeviceState::revoked); },
      name + " is revoked, and its sessions have ended");
}

Result<int> run_remove(Context& context) {
  const std::string& name = context.argument(0);
  return change(context, [&](Database& db) { return remove_device(db, name); }, "removed device " + name);
}

const Argument kDevice{.name = "NAME", .help = "the device's name", .words = Words::device};

Option user_option(const std::string& help) {
  return {.name = "user", .kind = Option::Kind::text, .value = "USER", .help = help, .words = Words::user};
}

Command on_one_device(const std::string& verb, const std::string& summary, Result<int> (*run)(Context&)) {
  return {.noun = "device",
          .verb = verb,
          .summary = summary,
          .arguments = {kDevice},
          .examples = {{"device " + verb + " alice-laptop"}},
          .run = run};
}

}  // namespace

std::vector<Command> device_commands() {
  std::vector<Command> rows{
      {.noun = "device",
       .verb = "add",
       .summary = "add a device before its first sign-in",
       .details =
           "A device on the office's own network is known by its MAC, with all its addresses; one behind a "
           "router only by its addresses. A MAC is a hint, not proof. Devices also appear by themselves with "
           "their user's first sign-in, as the setting 'enrol' says.",
       .arguments = {{.name = "NAME", .help = "the new device's name"}},
       .options =
           {{.name = "mac", .kind = Option::Kind::text, .value = "MAC", .help = "its MAC: aa:bb:cc:dd:ee:ff"},
            {.name = "address",
             .kind = Option::Kind::list,
             .value = "ADDRESS",
             .help = "its address, when it is behind a router"},
            {.name = "unseen",
             .help = "it is known by where it first proves itself, by a token or a certificate"},
            {.name = "shared", .help = "several people use it at once: its address identifies nobody"},
            user_option("whose device it is")},
       .examples = {{"device add alice-laptop --mac 3c:22:fb:01:02:03 --user alice"},
                    {"device add terminal-server --address 10.9.0.7 --shared",
                     "behind a router, used by many"},
                    {"device add nas --unseen", "then: token add --device nas"}},
       .run = run_add},
      {.noun = "device",
       .verb = "list",
       .summary = "list the devices",
       .examples = {{"device list"}, {"device list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "device",
       .verb = "show",
       .summary = "show one device",
       .arguments = {kDevice},
       .examples = {{"device show alice-laptop"}},
       .json = true,
       .run = run_show},
      on_one_device("approve", "let a device that waits for approval, or a revoked one, be used",
                    run_approve),
      {.noun = "device",
       .verb = "assign",
       .summary = "say whose device it is",
       .arguments = {kDevice},
       .options = {user_option("its owner")},
       .examples = {{"device assign alice-laptop --user alice"}},
       .run = run_assign},
      {.noun = "device",
       .verb = "rename",
       .summary = "give a device another name",
       .arguments = {kDevice, {.name = "NEW-NAME", .help = "what it is called from now on"}},
       .examples = {{"device rename device-3c22fb010203 alice-laptop"}},
       .run = run_rename},
      on_one_device("share", "mark a device as used by several people at once", run_share),
      on_one_device("unshare",
                    "say that a device's address again identifies its user; the sessions on it end",
                    run_unshare),
      on_one_device("revoke", "end a device's sessions and live flows at once, and let it in no more",
                    run_revoke),
      on_one_device("remove", "forget a device; it may enrol again", run_remove),
  };
  return rows;
}

}  // namespace nightlatch::cli
