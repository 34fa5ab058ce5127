// Devices, declared in people.h.
#include "policy/parse.h"
#include "store/people.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

// "pc-3c07" from a MAC, "at-10-1-0-9" from an address; a number behind it when that is taken.
Result<std::string> free_name(Database& db, const NewDevice& device) {
  std::string base = "device";
  if (device.mac) {
    const std::string mac = device.mac->text();
    base = fmt::format("pc-{}{}", mac.substr(12, 2), mac.substr(15, 2));
  } else if (!device.addresses.empty()) {
    base = "at-" + device.addresses.front().text();
    for (char& c : base) {
      if (c == '.' || c == ':') c = '-';
    }
  }
  std::string name = base;
  for (int n = 2;; ++n) {
    auto taken = db.integer("SELECT id FROM device WHERE name = ?", {name});
    if (!taken) return taken.error();
    if (!*taken) return name;
    name = fmt::format("{}-{}", base, n);
  }
}

Status change(Database& db, std::string_view name, std::string_view sql, const Database::Value& value) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "device", name);
  if (!id) return id.error();
  NL_TRY(db.run(sql, {value, *id}));
  return tx->commit();
}

}  // namespace

Result<DeviceId> add_device(Database& db, const NewDevice& device) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = insert_device(db, device);
  if (!id) return id;
  NL_TRY(tx->commit());
  return id;
}

Result<DeviceId> insert_device(Database& db, const NewDevice& device) {
  if (!device.name.empty()) NL_TRY(check_name(device.name, "device"));
  if (!device.unseen && !device.mac && device.addresses.empty()) {
    return Error::usage("device: neither a MAC nor an address is given",
                        "say --mac aa:bb:cc:dd:ee:ff or --address IP");
  }
  std::string name = device.name;
  if (name.empty()) {
    auto made = free_name(db, device);
    if (!made) return made.error();
    name = std::move(*made);
  }
  NL_TRY(check_free(db, "device", name));
  if (device.mac) {
    auto taken = db.integer("SELECT id FROM device WHERE mac = ?", {device.mac->text()});
    if (!taken) return taken.error();
    if (*taken) {
      return Error::conflict(fmt::format("there is already a device with MAC {}", device.mac->text()),
                             "see: nightlatch device list");
    }
  }
  NL_TRY(db.run(
      "INSERT INTO device (name, mac, state, shared, owner_id, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
      {name, device.mac ? Database::Value(device.mac->text()) : std::nullopt,
       std::string(to_text(device.state)), std::int64_t{device.shared},
       device.owner == UserId::none ? std::nullopt : Database::Value(static_cast<std::int64_t>(device.owner)),
       to_ms(wall_now())}));
  const std::int64_t id = db.last_insert_id();
  for (const IpAddress& address : device.addresses) {
    auto taken = db.integer("SELECT device_id FROM device_address WHERE address = ?", {address.text()});
    if (!taken) return taken.error();
    if (*taken) {
      return Error::conflict(fmt::format("there is already a device with address {}", address.text()),
                             "see: nightlatch device list");
    }
    NL_TRY(db.run("INSERT INTO device_address VALUES (?, ?)", {address.text(), id}));
  }
  return DeviceId(id);
}

Result<std::vector<DeviceRow>> list_devices(Database& db) {
  std::vector<DeviceRow> devices;
  NL_TRY(each_row(
      db.prepare("SELECT device.id, device.name, mac, state, shared, ifnull(owner.name, ''), "
                 "ifnull((SELECT group_concat(name, ', ') FROM (SELECT user.name FROM presence JOIN user "
                 "ON user.id = user_id WHERE device_id = device.id ORDER BY user.name)), ''), "
                 "device.created_ms FROM device LEFT JOIN user AS owner ON owner.id = owner_id ORDER BY "
                 "device.name"),
      [&](Statement& s) -> Status {
        DeviceRow d;
        d.id = DeviceId(s.integer(0));
        d.name = s.text(1);
        if (!s.null(2)) d.mac = Mac::parse(s.text(2));
        auto state = parse_device_state(s.text(3), "state");
        if (!state) return state.error();
        d.state = *state;
        d.shared = s.integer(4) != 0;
        d.owner = s.text(5);
        d.signed_in = s.text(6);
        d.created = from_ms(s.integer(7));
        devices.push_back(std::move(d));
        return Done{};
      }));
  NL_TRY(each_row(db.prepare("SELECT device_id, address FROM device_address ORDER BY address"),
                  [&](Statement& s) -> Status {
                    for (DeviceRow& d : devices) {
                      if (static_cast<std::int64_t>(d.id) != s.integer(0)) continue;
                      if (const auto address = IpAddress::parse(s.text(1))) d.addresses.push_back(*address);
                    }
                    return Done{};
                  }));
  return devices;
}

Result<DeviceRow> find_device(Database& db, std::string_view name) {
  auto id = id_of(db, "device", name);
  if (!id) return id.error();
  auto devices = list_devices(db);
  if (!devices) return devices.error();
  for (DeviceRow& d : *devices) {
    if (static_cast<std::int64_t>(d.id) == *id) return std::move(d);
  }
  return Error::not_found(fmt::format("there is no device '{}'", printable(name)));
}

Status rename_device(Database& db, std::string_view name, std::string_view new_name) {
  NL_TRY(check_name(new_name, "device"));
  if (lower(name) != lower(new_name)) NL_TRY(check_free(db, "device", new_name));
  return change(db, name, "UPDATE device SET name = ? WHERE id = ?", std::string(new_name));
}

Status assign_device(Database& db, std::string_view name, std::string_view user) {
  auto owner = id_of(db, "user", user);
  if (!owner) return owner.error();
  return change(db, name, "UPDATE device SET owner_id = ? WHERE id = ?", *owner);
}

Status set_device_shared(Database& db, std::string_view name, bool shared) {
  return change(db, name, "UPDATE device SET shared = ? WHERE id = ?", std::int64_t{shared});
}

Status set_device_state(Database& db, std::string_view name, DeviceState state) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "device", name);
  if (!id) return id.error();
  NL_TRY(db.run("UPDATE device SET state = ? WHERE id = ?", {std::string(to_text(state)), *id}));
  // A trigger ends what the device has proven of itself.
  if (state == DeviceState::revoked) NL_TRY(db.run("DELETE FROM presence WHERE device_id = ?", {*id}));
  return tx->commit();
}

Status remove_device(Database& db, std::string_view name) {
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto id = id_of(db, "device", name);
  if (!id) return id.error();
  NL_TRY(db.run("DELETE FROM device WHERE id = ?", {*id}));
  return tx->commit();
}

Result<std::vector<OwnDeviceRow>> devices_of(Database& db, UserId owner) {
  std::vector<OwnDeviceRow> devices;
  auto query = db.prepare(
      "SELECT id, name, state, (SELECT max(at_ms) FROM sign_in WHERE user_id = ?1 AND device_id = "
      "device.id), "
      "shared OR EXISTS (SELECT 1 FROM certificate WHERE device_id = device.id AND revoked_ms IS NOT NULL) "
      "FROM device WHERE owner_id = ?1 ORDER BY name");
  if (query) query->bind(1, static_cast<std::int64_t>(owner));
  NL_TRY(each_row(std::move(query), [&](Statement& s) -> Status {
    auto state = parse_device_state(s.text(2), "state");
    if (!state) return state.error();
    devices.push_back({DeviceId(s.integer(0)), s.text(1), *state,
                       s.null(3) ? std::nullopt : std::optional(from_ms(s.integer(3))), s.integer(4) != 0});
    return Done{};
  }));
  return devices;
}

Result<std::optional<std::string>> remove_own_device(Database& db, DeviceId device, UserId owner) {
  auto query = db.prepare(
      "DELETE FROM device WHERE id = ? AND owner_id = ? AND state <> 'revoked' AND NOT shared "
      "AND NOT EXISTS (SELECT 1 FROM certificate WHERE device_id = device.id AND revoked_ms IS NOT NULL) "
      "RETURNING name");
  if (!query) return query.error();
  query->bind(1, static_cast<std::int64_t>(device)).bind(2, static_cast<std::int64_t>(owner));
  auto row = query->step();
  if (!row) return row.error();
  if (!*row) return std::optional<std::string>();
  std::string name = query->text(0);
  NL_TRY(query->run());
  return std::optional(std::move(name));
}

}  // namespace nightlatch
