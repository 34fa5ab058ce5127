// Settings, declared in access.h: one table of keys with their defaults and checks.
#include <array>

#include "policy/parse.h"
#include "store/access.h"
#include "store/rows.h"

namespace nightlatch {

namespace {

Status any_text(std::string_view value, std::string_view key) {
  if (value.size() > 4096 || printable(value) != value) {
    return Error::usage(fmt::format("{}: the value has control characters or more than 4096 bytes", key));
  }
  return Done{};
}

Status interfaces(std::string_view value, std::string_view key) {
  if (value.empty()) return Done{};
  for (const std::string_view part : split(value, ',')) {
    const std::string_view name = trim(part);
    // IFNAMSIZ is 16 with the terminating NUL.
    const bool good = !name.empty() && name.size() < 16 && name != "." && name != ".." &&
                      name.find_first_of(" /:\"'\\") == std::string_view::npos && printable(name) == name;
    if (!good) {
      return Error::usage(fmt::format("{}: '{}' is not an interface's name", key, printable(name)),
                          "give names as 'ip link' shows them, separated by commas");
    }
  }
  return Done{};
}

Status portal_url(std::string_view value, std::string_view key) {
  if (value.empty()) return Done{};
  const std::string_view host = value.starts_with("https://") ? value.substr(8) : std::string_view();
  const auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  if (host.empty() || host.size() > 255 || host.find_first_not_of(allowed) != std::string_view::npos) {
    return Error::usage(fmt::format("{}: '{}' is not an https address without a path", key, printable(value)),
                        "for example https://gate.office.example or https://10.0.0.1");
  }
  return Done{};
}

Status endpoints(std::string_view value, std::string_view key) {
  if (value.empty()) return Done{};
  for (const std::string_view part : split(value, ',')) {
    if (!Endpoint::parse(trim(part))) {
      return Error::usage(fmt::format("{}: '{}' is not an address and port", key, printable(trim(part))),
                          "for example 10.0.0.1:443 or [fd00::1]:443, separated by commas");
    }
  }
  return Done{};
}

template <typename T>
Status parsed(const Result<T>& result) {
  if (!result) return result.error();
  return Done{};
}

Status enrol(std::string_view value, std::string_view key) { return parsed(parse_enrol(value, key)); }
Status mode(std::string_view value, std::string_view key) { return parsed(parse_mode(value, key)); }
Status duration_or_none(std::string_view value, std::string_view key) {
  return value.empty() ? Status(Done{}) : parsed(parse_duration(value, key));
}
Status long_duration(std::string_view value, std::string_view key) {
  const auto d = parse_duration(value, key);
  if (!d) return d.error();
  if (*d < Seconds(3600)) return Error::usage(fmt::format("{}: less than one hour would keep nothing", key));
  return Done{};
}

Status some_duration(std::string_view value, std::string_view key) {
  const auto d = parse_duration(value, key);
  if (!d) return d.error();
  if (*d == Seconds(0)) return Error::usage(fmt::format("{}: 0 would never be met", key));
  return Done{};
}

Status choice(std::string_view value, std::string_view key, std::string_view a, std::string_view b) {
  if (value == a || value == b) return Done{};
  return Error::usage(fmt::format("{}: '{}' is neither {} nor {}", key, printable(value), a, b));
}
Status allow_or_deny(std::string_view value, std::string_view key) {
  return choice(value, key, "allow", "deny");
}
Status self_or_admin(std::string_view value, std::string_view key) {
  return choice(value, key, "self", "admin");
}
Status observe_or_off(std::string_view value, std::string_view key) {
  return choice(value, key, "observe", "off");
}
Status client_or_gate(std::string_view value, std::string_view key) {
  return choice(value, key, "client", "gate");
}

// Nowhere, the LAN, or given addresses.
Status proxy_places(std::string_view value, std::string_view key) {
  if (value == "lan") return Done{};
  Status given = endpoints(value, key);
  if (given) return given;
  return Error::usage(given.error().message, "say lan, or for example 10.0.0.1:1080, [fd00::1]:1080");
}

Status flow_limit(std::string_view value, std::string_view key) {
  if (value.empty() || value.size() > 7 || value.find_first_not_of("0123456789") != std::string_view::npos ||
      std::stol(std::string(value)) < 1) {
    return Error::usage(
        fmt::format("{}: '{}' is not a number of flows from 1 to 9999999", key, printable(value)));
  }
  return Done{};
}

Status mark(std::string_view value, std::string_view key) {
  if (value.size() < 3 || !value.starts_with("0x") || value.size() > 10 || value == "0x0" ||
      value.find_first_not_of("0123456789abcdef", 2) != std::string_view::npos) {
    return Error::usage(fmt::format("{}: '{}' is not a packet mark", key, printable(value)),
                        "for example 0x4e4c");
  }
  return Done{};
}

struct Known {
  std::string_view key;
  std::string_view fallback;
  Status (*check)(std::string_view value, std::string_view key);
  std::string_view summary;
};

constexpr std::array kKnown{
    Known{"audit.keep", "365d", long_duration, "how long the audit log is kept"},
    Known{"cert.fresh", "12h", some_duration,
          "so long a certificate that a device showed ties its flows to it; 30d at most"},
    Known{"dns", "observe", observe_or_off,
          "observe: the DNS answers that devices get tell which host a connection without a name is for; or "
          "off"},
    Known{"enrol", "open", enrol, "what a sign-in on an unknown device does: open, approve or closed"},
    Known{"factors.enrol", "self", self_or_admin,
          "who sets up second factors: self (each user, on /me) or admin"},
    Known{"flows.max", "8000", flow_limit, "most flows at a time; more are refused"},
    Known{"http.listen", "", proxy_places,
          "where the HTTP proxy listens: lan (port 3128), or ADDRESS:PORT, ...; empty: nowhere"},
    Known{"lan", "", interfaces, "the interfaces that are guarded, separated by commas; empty: all"},
    Known{"mark", "0x4e4c", mark, "the packet mark, and the number of the routing table, that the rules use"},
    Known{"mode", "enforce", mode, "enforce, or observe: let through and log what would have been asked"},
    Known{"mtls.ca", "", any_text,
          "file of the CA whose client certificates are taken (PEM); empty: our own device CA's"},
    Known{"mtls.crl", "", any_text,
          "file of the revocation lists (PEM) of that CA and any below it, read again when it changes"},
    Known{"portal.certificate", "", any_text,
          "certificate file (PEM, chain behind it); empty: the office CA's"},
    Known{"portal.http", "", endpoints,
          "where the portal answers plain HTTP; empty: port 80 of the LAN's addresses"},
    Known{"portal.https", "", endpoints,
          "where the portal answers HTTPS; empty: port 443 of the LAN's addresses"},
    Known{"portal.key", "", any_text, "the certificate's private key file (PEM)"},
    Known{"portal.mtls", "", endpoints,
          "where devices show client certificates, such as 10.0.0.1:8444; empty: nowhere"},
    Known{"portal.url", "", portal_url, "how people reach the portal, as in https://gate.office.example"},
    Known{"session.max", "", duration_or_none, "no session lasts longer, whatever its policy says"},
    Known{"socks.listen", "", proxy_places,
          "where the SOCKS proxy listens: lan (port 1080), or ADDRESS:PORT, ...; empty: nowhere"},
    Known{"source", "client", client_or_gate, "whose address servers see: the client's own, or the gate's"},
    Known{"unprotected", "allow", allow_or_deny,
          "what happens to destinations in no resource: allow or deny"},
};

Result<const Known*> known(std::string_view key) {
  std::vector<std::string> names;
  for (const Known& k : kKnown) {
    if (k.key == key) return &k;
    names.emplace_back(k.key);
  }
  const std::string meant = nearest(lower(key), names);
  return Error::not_found(fmt::format("there is no setting '{}'", printable(key)),
                          meant.empty() ? "see: nightlatch get" : fmt::format("did you mean '{}'?", meant));
}

}  // namespace

Result<std::vector<SettingRow>> list_settings(Database& db) {
  std::vector<SettingRow> rows;
  for (const Known& k : kKnown) {
    auto stored = db.prepare("SELECT value FROM setting WHERE key = ?");
    if (!stored) return stored.error();
    stored->bind(1, k.key);
    auto row = stored->step();
    if (!row) return row.error();
    rows.push_back({std::string(k.key), *row ? stored->text(0) : std::string(k.fallback), !*row,
                    std::string(k.summary)});
  }
  return rows;
}

Result<std::string> get_setting(Database& db, std::string_view key) {
  auto k = known(key);
  if (!k) return k.error();
  auto stored = db.prepare("SELECT value FROM setting WHERE key = ?");
  if (!stored) return stored.error();
  stored->bind(1, key);
  auto row = stored->step();
  if (!row) return row.error();
  return *row ? stored->text(0) : std::string((*k)->fallback);
}

Status set_setting(Database& db, std::string_view key, std::string_view value) {
  auto k = known(key);
  if (!k) return k.error();
  NL_TRY((*k)->check(value, key));
  return db.run("INSERT INTO setting VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                {std::string(key), std::string(value)});
}

Status unset_setting(Database& db, std::string_view key) {
  auto k = known(key);
  if (!k) return k.error();
  return db.run("DELETE FROM setting WHERE key = ?", {std::string(key)});
}

}  // namespace nightlatch
