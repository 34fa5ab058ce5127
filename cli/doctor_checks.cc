#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>

#include "auth/office_ca.h"
#include "auth/secret_box.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "cli/ownership.h"
#include "cli/provider_check.h"
#include "net/neighbour.h"
#include "proxy/rules.h"
#include "store/access.h"
#include "store/audit.h"
#include "store/office_store.h"
#include "store/sessions.h"

namespace nightlatch::cli {

namespace {

using State = Check::State;

void good(std::vector<Check>& checks, const std::string& name, const std::string& says) {
  checks.push_back({State::ok, name, says});
}
void bad(std::vector<Check>& checks, const std::string& name, const Error& error) {
  checks.push_back({State::fail, name, error.message, error.hint});
}

void check_integrity_of(Database& db, std::vector<Check>& checks) {
  Result<std::vector<std::string>> damage = check_integrity(db);
  if (!damage) return bad(checks, "store", damage.error());
  if (!damage->empty()) {
    checks.push_back(
        {State::fail, "store", "it is damaged: " + damage->front(), "stop serve and restore a backup"});
    return;
  }
  good(checks, "store", "integrity and foreign keys hold");
}

void check_audit(const std::string& store, std::vector<Check>& checks) {
  Result<Database> log = open_audit(store, Database::Access::read);
  if (!log) return bad(checks, "audit log", log.error());
  Result<std::optional<std::string>> broken = verify_audit(*log);
  if (!broken) return bad(checks, "audit log", broken.error());
  if (*broken) {
    checks.push_back({State::fail, "audit log", "the chain is broken: " + **broken,
                      "somebody changed the log, or the disk did: keep this file and look into it"});
    return;
  }
  good(checks, "audit log", "the chain holds");
}

void check_clock(Database& db, std::vector<Check>& checks) {
  Result<StoreClock> clock = store_clock(db);
  if (!clock) return bad(checks, "clock", clock.error());
  const WallTime now = wall_now();
  if (!set_back(*clock, now)) return good(checks, "clock", "not behind the store's");
  checks.push_back({State::fail, "clock",
                    fmt::format("it is {} behind the last time in the store: no earlier sign-in counts",
                                format_age(clock->latest - now)),
                    "set the clock (chronyc tracking, timedatectl)"});
}

std::optional<WallTime> end_of_certificate(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return std::nullopt;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  std::tm tm{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &tm) != 1) return std::nullopt;
  return WallTime(Seconds(timegm(&tm)));
}

void check_certificate(Database& db, const std::string& store, std::vector<Check>& checks) {
  const Result<std::string> own = get_setting(db, "portal.certificate");
  if (!own) return bad(checks, "certificate", own.error());
  const std::string path = own->empty() ? tls_paths(store).certificate : *own;
  const std::string fix =
      own->empty() ? "'nightlatch serve' makes a new one when it starts" : "put a new one there";
  const auto end = end_of_certificate(path);
  if (!end) {
    checks.push_back({State::fail, "certificate", path + " cannot be read", fix});
    return;
  }
  const auto left = *end - wall_now();
  const std::string when = fmt::format("{} ends {}", path, format_rfc3339(*end));
  if (left <= Millis(0)) {
    checks.push_back({State::fail, "certificate", when + ", which has passed", fix});
  } else if (left < Seconds(14 * 86400)) {
    checks.push_back({State::warn, "certificate", when, fix});
  } else {
    good(checks, "certificate", when);
  }
}

void check_rules(Database& db, std::vector<Check>& checks) {
  Result<RulesInput> input = load_rules_input(db);
  if (!input) return bad(checks, "rules", input.error());
  if (geteuid() != 0) {
    checks.push_back({State::warn, "rules", "only root can look at them", "run doctor as root"});
    return;
  }
  // What is there is compared by looking for our own chains; the running gate compares every line.
  Result<std::string> print = rules_fingerprint(*input);
  if (!print) return bad(checks, "rules", print.error());
  const bool guard = print->find("NIGHTLATCH-GUARD") != std::string::npos;
  const bool mangle = print->find("TPROXY") != std::string::npos;
  if (guard && mangle) return good(checks, "rules", "they stand");
  checks.push_back({State::fail, "rules",
                    guard ? "protected traffic is refused, but does not come to the gate"
                          : "protected destinations are not protected by this machine",
                    "nightlatch rules install, or start serve"});
}

// A host without a known address is protected only from clients that say its name.
void check_hosts(Database& db, std::vector<Check>& checks) {
  Result<OfficeData> office = load_office(db);
  if (!office) return bad(checks, "hosts", office.error());
  std::vector<std::string> unknown;
  bool any = false;
  for (const Resource& r : office->resources) {
    for (const Target& t : r.targets) {
      if (!t.host || t.host->wildcard()) continue;
      any = true;
      const bool known = std::any_of(office->host_addresses.begin(), office->host_addresses.end(),
                                     [&](const HostAddress& h) { return h.host == *t.host; });
      const bool listed = std::find(unknown.begin(), unknown.end(), t.host->text()) != unknown.end();
      if (!known && !listed) unknown.push_back(t.host->text());
    }
  }
  if (!any) return;
  if (unknown.empty()) return good(checks, "hosts", "the address of each that a resource names is known");
  checks.push_back({State::warn, "hosts",
                    fmt::format("the gate's resolver has found no address of {}", fmt::join(unknown, ", ")),
                    "look at /etc/resolv.conf, and ask: getent hosts NAME; serve must be running"});
}

// Where browsers are sent to sign in, they have to get before they are signed in.
void check_providers(Database& db, std::vector<Check>& checks) {
  Result<OfficeData> office = load_office(db);
  if (!office) return bad(checks, "providers", office.error());
  const Office told(*std::move(office));
  auto providers = list_providers(db);
  if (!providers) return bad(checks, "providers", providers.error());
  bool any = false, all = true;
  for (const Provider& p : *providers) {
    if (!p.enabled) continue;
    any = true;
    auto closed = closed_places(db, told, p);
    if (!closed) return bad(checks, "providers", closed.error());
    for (const ClosedPlace& c : *closed) checks.push_back({State::warn, "providers", c.says, c.fix});
    all = all && closed->empty();
  }
  if (any && all) good(checks, "providers", "whoever is not signed in reaches them");
}

void check_neighbours(Database& db, std::vector<Check>& checks) {
  std::vector<std::string> interfaces;
  const Result<std::string> lan = get_setting(db, "lan");
  if (lan && !lan->empty()) {
    for (const std::string_view part : split(*lan, ',')) interfaces.emplace_back(trim(part));
  }
  if (Result<Neighbours> neighbours = Neighbours::open(interfaces); !neighbours) {
    return bad(checks, "neighbours", neighbours.error());
  }
  good(checks, "neighbours", "the kernel's table can be read");
}

std::string sysctl(const std::string& key) {
  std::ifstream in("/proc/sys/net/" + key);
  std::string value;
  in >> value;
  return value;
}

void check_forwarding(std::vector<Check>& checks) {
  const auto check = [&](const std::string& name, const std::string& key, const std::string& setting) {
    if (sysctl(key) == "1") return good(checks, name, "on");
    checks.push_back({State::warn, name, "off: this machine routes nothing for the office",
                      fmt::format("sysctl -w {}=1, and keep it in /etc/sysctl.d", setting)});
  };
  check("IPv4 forwarding", "ipv4/ip_forward", "net.ipv4.ip_forward");
  check("IPv6 forwarding", "ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding");
}

// The kernel takes the larger of `all` and the interface's own; 1 is strict.
void check_rp_filter(Database& db, std::vector<Check>& checks) {
  const Result<std::string> lan = get_setting(db, "lan");
  std::string strict;
  if (lan && !lan->empty()) {
    for (const std::string_view part : split(*lan, ',')) {
      const std::string name(trim(part));
      const std::string value =
          std::max(sysctl("ipv4/conf/all/rp_filter"), sysctl("ipv4/conf/" + name + "/rp_filter"));
      if (value == "1") strict += (strict.empty() ? "" : ", ") + name;
    }
  }
  if (strict.empty()) return good(checks, "rp_filter", "does not stand in the way");
  checks.push_back({State::warn, "rp_filter",
                    "is strict (1) on " + strict + ": some intercepted packets may be dropped",
                    "sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2"});
}

// With br_netfilter a bridge's packets pass iptables once more, on their way through the bridge, and lose
// the socket that TPROXY gave them: nothing protected leaks, and nothing protected can be reached.
void check_bridge(Database& db, std::vector<Check>& checks) {
  const Result<std::string> lan = get_setting(db, "lan");
  if (!lan) return;
  for (const std::string_view part : split(*lan, ',')) {
    const std::string name(trim(part));
    std::error_code ignored;
    if (name.empty() || !std::filesystem::exists("/sys/class/net/" + name + "/bridge", ignored)) continue;
    for (const char* key : {"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"}) {
      if (sysctl(std::string("bridge/") + key) != "1") continue;
      checks.push_back(
          {State::fail, "bridge",
           fmt::format("{} is a bridge and {} is on: protected servers cannot be reached", name, key),
           fmt::format("sysctl -w net.bridge.{}=0", key)});
    }
  }
}

// Without the key file what is sealed is lost.
void check_key(Database& db, std::vector<Check>& checks) {
  const Result<std::int64_t> sealed = count_sealed(db);
  if (!sealed) return bad(checks, "key", sealed.error());
  if (*sealed == 0) return;
  if (const Result<std::int64_t> readable = check_sealed(db); !readable)
    return bad(checks, "key", readable.error());
  good(checks, "key", fmt::format("{} secrets are sealed; keep a copy of the key file elsewhere", *sealed));
}

}  // namespace

void check_store(const std::string& store, std::vector<Check>& checks) {
  Result<Database> db = open_store(store, Database::Access::read);
  if (!db) return bad(checks, "store", db.error());
  check_integrity_of(*db, checks);
  check_audit(store, checks);
  check_clock(*db, checks);
  const std::vector<std::string> files = badly_shared(store);
  if (files.empty()) good(checks, "files", "owners and modes are right");
  for (const std::string& f : files) {
    checks.push_back({State::fail, "files", f, "'nightlatch serve' puts it right when it starts as root"});
  }
  check_key(*db, checks);
  check_certificate(*db, store, checks);
  check_rules(*db, checks);
  check_hosts(*db, checks);
  check_providers(*db, checks);
  check_kernel(*db, checks);
  check_neighbours(*db, checks);
}

void check_kernel(Database& db, std::vector<Check>& checks) {
  check_forwarding(checks);
  check_rp_filter(db, checks);
  check_bridge(db, checks);
}

void check_machine(std::vector<Check>& checks) {
  if (getpwnam(kSystemUser) != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    good(checks, "system user", fmt::format("'{}' is there", kSystemUser));
  } else {
    checks.push_back({State::fail, "system user", fmt::format("there is no user '{}'", kSystemUser),
                      fmt::format("useradd --system --user-group {}", kSystemUser)});
  }
}

}  // namespace nightlatch::cli
