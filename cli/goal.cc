#include "cli/goal.h"

#include <fmt/format.h>

#include "base/text.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace nightlatch::cli {

Result<std::vector<IpAddress>> addresses_of(const std::string& host) {
  if (const auto address = IpAddress::parse(host)) return std::vector{*address};
  Loop loop;
  auto resolver = Resolver::open(loop);
  if (!resolver) return resolver.error();
  Result<std::vector<IpAddress>> found = Error::failure("no answer");
  bool answered = false;
  (*resolver)->resolve(host, [&](Result<std::vector<IpAddress>> answer) {
    found = std::move(answer);
    answered = true;
    loop.stop();
  });
  if (!answered) loop.run();
  return found;
}

namespace {
Status add_name(Goal& goal, std::string_view option, const std::string& text) {
  const auto host = WireName::read(text);
  if (!host) {
    return Error::usage(fmt::format("{}: '{}' is not a host name", option, printable(text)),
                        "write the name as a program would send it: wiki.lan");
  }
  goal.hosts.push_back(*host);
  return Done{};
}

// HOST:PORT[/tcp|/udp]; an IPv6 address in brackets.
Result<Goal> parse_destination(const std::string& text) {
  const Error wrong = Error::usage(fmt::format("--to: '{}' is not HOST:PORT", printable(text)),
                                   "for example 10.88.0.2:5432, wiki.lan:443/tcp or [2001:db8::3]:53/udp");
  std::string rest = text;
  Protocol protocol = Protocol::tcp;
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    const std::string word = lower(rest.substr(slash + 1));
    if (word != "tcp" && word != "udp") return wrong;
    protocol = word == "udp" ? Protocol::udp : Protocol::tcp;
    rest.resize(slash);
  }
  const auto colon = rest.rfind(':');
  if (colon == std::string::npos || rest.ends_with(']')) return wrong;
  std::string host = rest.substr(0, colon);
  const auto port = parse_port(rest.substr(colon + 1));
  if (!port) {
    return Error::usage(fmt::format("--to: '{}' is not a port", printable(rest.substr(colon + 1))),
                        "a port is a number from 1 to 65535");
  }
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find('\0') != std::string::npos ||
      (!brackets && host.find(':') != std::string::npos)) {
    return wrong;
  }
  Result<std::vector<IpAddress>> addresses = addresses_of(host);
  if (!addresses) {
    return Error::not_found(
        fmt::format("--to: '{}' has no address: {}", printable(host), addresses.error().message),
        "give the address itself, or a name that this machine's resolver knows");
  }
  Goal goal;
  const bool by_name = !IpAddress::parse(host);
  if (by_name) NL_TRY(add_name(goal, "--to", host));
  for (const IpAddress& a : *addresses) {
    goal.destinations.push_back(
        {.address = a, .port = *port, .protocol = protocol, .names = {}, .found_by = by_name ? 1U : 0U});
  }
  return goal;
}

}  // namespace

Result<std::unique_ptr<Goal>> goal_of(const Context& context) {
  if (!context.given("to")) return Error::usage("--to is missing", "say --to HOST:PORT, where the flow goes");
  Result<Goal> parsed = parse_destination(context.value("to"));
  if (!parsed) return parsed.error();
  auto goal = std::make_unique<Goal>(std::move(*parsed));
  if (context.given("name")) NL_TRY(add_name(*goal, "--name", context.value("name")));
  for (const WireName& host : goal->hosts) goal->names.push_back(host.text());
  for (Destination& d : goal->destinations) d.names = goal->names;
  return goal;
}

}  // namespace nightlatch::cli
