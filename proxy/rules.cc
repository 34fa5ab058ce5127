#include "proxy/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include "base/process.h"
#include "base/text.h"
#include "policy/decide.h"
#include "store/access.h"
#include "store/office_store.h"

namespace nightlatch {

namespace {

constexpr Millis kTimeout{20'000};
constexpr unsigned kMostPortsInSet = 64;  // a wider range becomes a rule of its own

struct Family {
  bool v4;
  const char* ip;      // option of ip(8)
  const char* tables;  // iptables or ip6tables
  const char* set;
  const char* set_family;
  const char* any;  // the default prefix
  const char* listener;
  const char* udp_refusal;
  const char* icmp;
};
constexpr Family kFamilies[] = {
    {true, "-4", "iptables", "nightlatch4", "inet", "0.0.0.0/0", "127.0.0.1", "icmp-port-unreachable",
     "icmp"},
    {false, "-6", "ip6tables", "nightlatch6", "inet6", "::/0", "::1", "icmp6-port-unreachable", "ipv6-icmp"},
};

std::string mark_text(std::uint32_t mark) {
  return fmt::format("{:#x}/{:#x}", mark, mark > 0xffff ? 0xffffffffU : 0xffffU);
}

bool is_wide(const Target& t) { return t.ports.last - t.ports.first >= static_cast<int>(kMostPortsInSet); }

std::string set_script(const Family& f, const RulesInput& input) {
  std::set<std::string> elements;
  for (const Target& t : input.targets) {
    if (t.prefix.address.is_v4() != f.v4 || is_wide(t)) continue;
    std::vector<std::string> prefixes{t.prefix.text()};
    // A set of networks holds no /0: its two halves say the same.
    if (t.prefix.bits == 0)
      prefixes = f.v4 ? std::vector<std::string>{"0.0.0.0/1", "128.0.0.0/1"}
                      : std::vector<std::string>{"::/1", "8000::/1"};
    for (const std::string& prefix : prefixes) {
      for (unsigned port = t.ports.first; port <= t.ports.last; ++port) {
        elements.insert(fmt::format("add {}-new {},{}:{}\n", f.set, prefix, to_text(t.protocol), port));
      }
    }
  }
  const std::size_t room = std::max<std::size_t>(65536, elements.size() * 2);
  // Built beside the set in use and swapped with it: at no instant is the set in use empty or half full.
  std::string s =
      fmt::format("create {0} hash:net,port family {1} maxelem {2}\n", f.set, f.set_family, 65536);
  s += fmt::format("create {0}-new hash:net,port family {1} maxelem {2}\nflush {0}-new\n", f.set,
                   f.set_family, room);
  for (const std::string& e : elements) s += e;
  s += fmt::format("swap {0}-new {0}\ndestroy {0}-new\n", f.set);
  return s;
}

std::string tables_script(const Family& f, const RulesInput& input) {
  std::vector<std::string> interfaces;
  interfaces.reserve(input.lan.size() + 1);
  for (const std::string& name : input.lan) interfaces.push_back(fmt::format("-i {} ", name));
  if (interfaces.empty()) interfaces.emplace_back();

  // Each way to say "protected": the set, and the ranges too wide for it.
  const auto protectedly = [&](Protocol protocol) {
    std::vector<std::string> matches{
        fmt::format("-p {} -m set --match-set {} dst,dst", to_text(protocol), f.set)};
    for (const Target& t : input.targets) {
      if (t.prefix.address.is_v4() != f.v4 || t.protocol != protocol || !is_wide(t)) continue;
      matches.push_back(fmt::format("-d {} -p {} -m {} --dport {}:{}", t.prefix.text(), to_text(protocol),
                                    to_text(protocol), t.ports.first, t.ports.last));
    }
    return matches;
  };

  const std::string mark = mark_text(input.mark);
  std::string s = "*filter\n:NIGHTLATCH-GUARD - [0:0]\n:NIGHTLATCH-REFUSE - [0:0]\n";
  for (const std::string& i : interfaces) s += fmt::format("-A NIGHTLATCH-GUARD {}-j NIGHTLATCH-REFUSE\n", i);
  for (const std::string& m : protectedly(Protocol::tcp)) {
    s += fmt::format("-A NIGHTLATCH-REFUSE {} -j REJECT --reject-with tcp-reset\n", m);
  }
  for (const std::string& m : protectedly(Protocol::udp)) {
    s += fmt::format("-A NIGHTLATCH-REFUSE {} -j REJECT --reject-with {}\n", m, f.udp_refusal);
  }
  if (!input.unprotected) {
    // Everything that a device begins; answers to what was begun elsewhere still pass, and so does the DNS.
    for (const IpAddress& resolver : input.resolvers) {
      if (resolver.is_v4() != f.v4) continue;
      for (const char* protocol : {"udp", "tcp"}) {
        s += fmt::format("-A NIGHTLATCH-REFUSE -d {} -p {} -m {} --dport 53 -j RETURN\n", resolver.text(),
                         protocol, protocol);
      }
    }
    for (const Endpoint& p : input.providers) {
      if (p.address.is_v4() != f.v4) continue;
      s += fmt::format("-A NIGHTLATCH-REFUSE -d {} -p tcp -m tcp --dport {} -j RETURN\n", p.address.text(),
                       p.port);
    }
    s += "-A NIGHTLATCH-REFUSE -m conntrack --ctdir REPLY -j RETURN\n";
    s += "-A NIGHTLATCH-REFUSE -p tcp -j REJECT --reject-with tcp-reset\n";
    s += fmt::format("-A NIGHTLATCH-REFUSE -j REJECT --reject-with {}\n", f.udp_refusal);
  }
  s += "COMMIT\n*mangle\n:NIGHTLATCH - [0:0]\n:NIGHTLATCH-OURS - [0:0]\n:NIGHTLATCH-TAKE - [0:0]\n";
  // Packets of flows that we hold already, from either side. Not the first SYN: TPROXY itself must see that
  // one, or a client that uses a port again within TIME_WAIT finds no listener.
  s += "-A NIGHTLATCH -p tcp ! --syn -m socket --transparent -j NIGHTLATCH-OURS\n";
  // What the network says about a packet that we sent in somebody's name is for us too.
  s += fmt::format("-A NIGHTLATCH -p {} -m socket --transparent -j NIGHTLATCH-OURS\n", f.icmp);
  s += fmt::format("-A NIGHTLATCH-OURS -j MARK --set-xmark {}\n-A NIGHTLATCH-OURS -j ACCEPT\n", mark);
  // The gate's own addresses, the portal's among them, are reached without us.
  s += "-A NIGHTLATCH -m addrtype --dst-type LOCAL -j RETURN\n";
  // Where there is no way to, the kernel says so itself: a client that has other addresses then tries those
  // at once (RFC 8305), while one whose connection stands believes in it. (The IPv4 match does not tell.)
  if (!f.v4) s += "-A NIGHTLATCH -m addrtype --dst-type UNREACHABLE -j RETURN\n";
  for (const std::string& i : interfaces) s += fmt::format("-A NIGHTLATCH {}-j NIGHTLATCH-TAKE\n", i);
  for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
    for (const std::string& m : protectedly(protocol)) {
      s += fmt::format("-A NIGHTLATCH-TAKE {} -j TPROXY --on-ip {} --on-port {} --tproxy-mark {}\n", m,
                       f.listener, kTproxyPort, mark);
    }
  }
  // Datagrams of flows that we hold, last: what servers answer, and what a client still sends to a place that
  // is no longer protected. For what a client sends to a protected one TPROXY itself looks for the flow's
  // socket and gives it the datagram there and then. This match only finds one: it would take the socket that
  // a worker is just opening for another client, and the datagram would then find none.
  s += "-A NIGHTLATCH -p udp -m socket --transparent -j NIGHTLATCH-OURS\n";
  return s + "COMMIT\n";
}

struct Jump {
  const char* table;
  const char* from;
  const char* to;
};
constexpr Jump kJumps[] = {{"filter", "FORWARD", "NIGHTLATCH-GUARD"}, {"mangle", "PREROUTING", "NIGHTLATCH"}};

// Makes our jump the first of its chain, and the only one: what another rule accepts before it would not be
// guarded.
RuleStep jump_step(const Family& f, const Jump& j) {
  const std::string jump = fmt::format("-A {} -j {}", j.from, j.to);
  const std::string list = fmt::format("{} -t {} -S {}", f.tables, j.table, j.from);
  // In the listing the chain's policy is line 1, so rule n is line n + 1.
  return {{"sh", "-c",
           fmt::format("{0} --wait 5 -t {1} -I {2} 1 -j {3} && for n in $({4} | grep -nFx -e '{5}' | sed -n "
                       "'2,$s/:.*//p' "
                       "| sort -rn); do {0} --wait 5 -t {1} -D {2} $((n - 1)); done",
                       f.tables, j.table, j.from, j.to, list, jump)},
          {},
          false,
          {"sh", "-c", fmt::format("{} | sed -n 2p | grep -qFx -e '{}'", list, jump)}};
}

// As resolv.conf(5) has them. One on this machine itself needs no rule.
std::vector<IpAddress> office_resolvers() {
  std::vector<IpAddress> found;
  std::ifstream file("/etc/resolv.conf");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key, value;
    words >> key >> value;
    const auto address = key == "nameserver" ? IpAddress::parse(value) : std::nullopt;
    if (address && !address->is_loopback()) found.push_back(*address);
  }
  return found;
}

std::string join_words(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& w : words) line += (line.empty() ? "" : " ") + w;
  return line;
}

}  // namespace

Result<RulesInput> load_rules_input(Database& store, std::vector<std::string>* closed) {
  RulesInput input;
  auto office = load_office(store);
  if (!office) return office.error();
  for (const Resource& r : office->resources) {
    for (const Target& t : r.targets) {
      if (!t.host) {
        input.targets.push_back(t);
        continue;
      }
      // The kernel knows no names: everything to these ports comes to us, to be heard.
      for (const char* all : {"0.0.0.0/0", "::/0"})
        input.targets.push_back({.prefix = *Prefix::parse(all), .ports = t.ports, .protocol = t.protocol});
    }
  }
  std::sort(input.targets.begin(), input.targets.end());
  input.targets.erase(std::unique(input.targets.begin(), input.targets.end()), input.targets.end());
  input.unprotected = office->unprotected_allowed;
  input.resolvers = office_resolvers();
  const Office told(*std::move(office));
  if (closed != nullptr) {
    for (const ProviderPlace& p : told.data().providers) {
      if (std::string why = explain_closed(told, p); !why.empty()) closed->push_back(std::move(why));
    }
  }
  for (const ProviderPlace& p : told.open_providers()) input.providers.push_back({p.address, p.port});
  input.providers.erase(std::unique(input.providers.begin(), input.providers.end()), input.providers.end());
  auto lan = get_setting(store, "lan");
  if (!lan) return lan.error();
  for (const std::string_view part : split(*lan, ',')) {
    if (!trim(part).empty()) input.lan.emplace_back(trim(part));
  }
  auto mark = get_setting(store, "mark");
  if (!mark) return mark.error();
  std::from_chars(mark->data() + 2, mark->data() + mark->size(), input.mark, 16);
  return input;
}

std::vector<RuleStep> install_steps(const RulesInput& input) {
  std::vector<RuleStep> steps;
  const std::string table = fmt::format("{}", input.mark);
  for (const Family& f : kFamilies) {
    steps.push_back({{"ipset", "restore", "-exist"}, set_script(f, input), false, {}});
    steps.push_back({{f.tables + std::string("-restore"), "--noflush", "--wait", "5"},
                     tables_script(f, input),
                     false,
                     {}});
    for (const Jump& j : kJumps) {
      steps.push_back(jump_step(f, j));
    }
    steps.push_back(
        {{"ip", f.ip, "route", "replace", "local", f.any, "dev", "lo", "table", table}, {}, false, {}});
    steps.push_back({{"ip", f.ip, "rule", "add", "fwmark", mark_text(input.mark), "lookup", table},
                     {},
                     false,
                     {"sh", "-c",
                      fmt::format("ip {} rule show | grep -q 'fwmark {} lookup {}'", f.ip,
                                  mark_text(input.mark), table)}});
  }
  return steps;
}

std::vector<RuleStep> remove_steps(const RulesInput& input) {
  std::vector<RuleStep> steps;
  const std::string table = fmt::format("{}", input.mark);
  for (const Family& f : kFamilies) {
    for (const Jump& j : kJumps) {
      steps.push_back({{f.tables, "--wait", "5", "-t", j.table, "-D", j.from, "-j", j.to}, {}, true, {}});
    }
    for (const auto& [t, chain] :
         {std::pair{"filter", "NIGHTLATCH-GUARD"}, std::pair{"filter", "NIGHTLATCH-REFUSE"},
          std::pair{"mangle", "NIGHTLATCH"}, std::pair{"mangle", "NIGHTLATCH-OURS"},
          std::pair{"mangle", "NIGHTLATCH-TAKE"}}) {
      steps.push_back({{f.tables, "--wait", "5", "-t", t, "-F", chain}, {}, true, {}});
    }
    for (const auto& [t, chain] :
         {std::pair{"filter", "NIGHTLATCH-GUARD"}, std::pair{"filter", "NIGHTLATCH-REFUSE"},
          std::pair{"mangle", "NIGHTLATCH"}, std::pair{"mangle", "NIGHTLATCH-OURS"},
          std::pair{"mangle", "NIGHTLATCH-TAKE"}}) {
      steps.push_back({{f.tables, "--wait", "5", "-t", t, "-X", chain}, {}, true, {}});
    }
    steps.push_back({{"ipset", "destroy", f.set}, {}, true, {}});
    steps.push_back(
        {{"ip", f.ip, "rule", "del", "fwmark", mark_text(input.mark), "lookup", table}, {}, true, {}});
    steps.push_back({{"ip", f.ip, "route", "flush", "table", table}, {}, true, {}});
  }
  return steps;
}

std::string as_script(const std::vector<RuleStep>& steps) {
  std::string script;
  for (const RuleStep& s : steps) {
    std::string line;
    if (s.argv.size() == 3 && s.argv[0] == "sh") {
      line = s.argv[2];
    } else {
      line = join_words(s.argv);
    }
    if (!s.unless.empty()) line = fmt::format("{} || {{ {}; }}", s.unless[2], line);
    if (s.may_fail) line += " 2>/dev/null || true";
    script += line;
    script += s.input.empty() ? "\n" : fmt::format(" <<'END'\n{}END\n", s.input);
  }
  return script;
}

Status run_steps(const std::vector<RuleStep>& steps) {
  for (const RuleStep& s : steps) {
    if (!s.unless.empty()) {
      auto there = run_process(s.unless, {}, kTimeout);
      if (!there) return there.error();
      if (there->status == 0) continue;
    }
    auto done = run_process(s.argv, s.input, kTimeout);
    if (!done) return done.error();
    if (done->status != 0 && !s.may_fail) {
      return Error::failure(
          fmt::format("{}: {}", join_words(s.argv), printable(trim(done->err))),
          "the rules need CAP_NET_ADMIN and CAP_NET_RAW, and the kernel's TPROXY, socket and set "
          "modules");
    }
  }
  return Done{};
}

Result<std::string> rules_fingerprint(const RulesInput& input) {
  std::string script;
  for (const Family& f : kFamilies) {
    script += fmt::format("{1}-save; ip {0} rule show; ip {0} route show table {2}; ipset list {3} -terse; ",
                          f.ip, f.tables, input.mark, f.set);
  }
  auto listed = run_process({"sh", "-c", script}, {}, kTimeout);
  if (!listed) return listed.error();
  const std::string lookup = fmt::format("lookup {}", input.mark);
  std::string print;
  std::string_view chain;  // of the rule before this line
  for (const std::string_view line : split(listed->out, '\n')) {
    const std::string_view of =
        line.starts_with("-A ") ? line.substr(3, line.find(' ', 3) - 3) : std::string_view();
    const bool first_of_chain = (of == "FORWARD" || of == "PREROUTING") && of != chain;
    if (!of.empty()) chain = of;
    if (line.starts_with('*')) chain = line;  // another table: its chains begin anew
    const auto has = [&](std::string_view word) { return line.find(word) != std::string_view::npos; };
    const bool ours = (!of.empty() && has("NIGHTLATCH")) || has(lookup) || line.starts_with("local ") ||
                      line.starts_with("Name: nightlatch") || line.starts_with("Number of entries");
    if (ours || first_of_chain || line.starts_with('*')) print.append(line).append("\n");
  }
  return print;
}

}  // namespace nightlatch
