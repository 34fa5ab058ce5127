#include "policy/parse.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/text.h"

namespace nightlatch {

namespace {

constexpr std::size_t kLongestTarget = 300;  // bytes: the longest host name with its ports
constexpr std::string_view kTargetForm =
    "write it as 10.1.0.0/24:5432/tcp, [2001:db8::/32]:8000-8010/tcp or 10.1.0.7:*/udp";

Error bad_target(std::string_view text, std::string_view what, std::string_view why, std::string hint = {}) {
  return Error::usage(fmt::format("{}: '{}': {}", what, printable(text), why),
                      hint.empty() ? std::string(kTargetForm) : std::move(hint));
}

struct TargetParts {
  std::string_view host, ports, protocol;
  bool bracketed = false;
};

Result<TargetParts> split_target(std::string_view text, std::string_view what) {
  TargetParts parts;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return bad_target(text, what, "the bracket is not closed");
    parts.bracketed = true;
    parts.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (rest.starts_with('/')) return bad_target(text, what, "the prefix length belongs inside the brackets");
    if (!rest.starts_with(':'))
      return bad_target(text, what, "no port after the bracket", "add :PORT, or :* for every port");
    rest.remove_prefix(1);
  } else {
    if (Prefix::parse(text))
      return bad_target(text, what, "no port",
                        "add :PORT, or :* for every port; IPv6 addresses go in brackets");
    const auto colon = text.find(':');
    if (colon == std::string_view::npos)
      return bad_target(text, what, "no port", "add :PORT, or :* for every port");
    if (text.find(':', colon + 1) != std::string_view::npos) {
      return bad_target(text, what, "more than one colon",
                        "put an IPv6 address in brackets: [2001:db8::1]:443/tcp");
    }
    parts.host = text.substr(0, colon);
    rest = text.substr(colon + 1);
  }
  const auto slash = rest.find('/');
  parts.ports = rest.substr(0, slash);
  parts.protocol = slash == std::string_view::npos ? "tcp" : rest.substr(slash + 1);
  return parts;
}

bool looks_like_host_name(std::string_view host) {
  bool letter = false;
  for (const char c : host) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
    const bool other = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '*';
    if (!is_letter && !other) return false;
    letter = letter || is_letter;
  }
  return letter;
}

std::string text_with(const Prefix& prefix, const TargetParts& parts) {
  const std::string p = prefix.text();
  return fmt::format("{}:{}/{}", prefix.address.is_v4() ? p : "[" + p + "]", printable(parts.ports),
                     printable(parts.protocol));
}

Result<Prefix> target_prefix(const TargetParts& parts, std::string_view text, std::string_view what) {
  const auto prefix = Prefix::parse(parts.host);
  if (!prefix) {
    return bad_target(text, what, fmt::format("'{}' is not an address or a prefix", printable(parts.host)));
  }
  const IpAddress& address = prefix->address;
  const bool whole = prefix->bits == (address.is_v4() ? 32 : 128);
  if (address.is_v4() && parts.bracketed && !whole) {
    return bad_target(text, what, "an IPv4 prefix in IPv6 notation is ambiguous",
                      "write the prefix as a dotted quad, without brackets");
  }
  if (const Prefix normal = prefix->normalized(); normal != *prefix) {
    return bad_target(text, what,
                      fmt::format("the address has bits beyond the prefix length /{}", prefix->bits),
                      fmt::format("did you mean {}?", text_with(normal, parts)));
  }
  if (address.is_multicast())
    return bad_target(text, what, "multicast addresses cannot be protected", "give the address of a server");
  if (address.is_loopback()) {
    return bad_target(text, what, "loopback addresses never pass the gate",
                      "give the address of a server on the network");
  }
  if (whole && address.is_unspecified()) {
    return bad_target(text, what, "the unspecified address is no destination",
                      "give the address of a server, or a prefix such as 0.0.0.0/0");
  }
  return *prefix;
}

Result<HostPattern> target_host(const TargetParts& parts, std::string_view text, std::string_view what,
                                HostTargets hosts) {
  if (parts.bracketed) {
    return bad_target(text, what, "brackets are for IPv6 addresses", "write a host name without brackets");
  }
  return hosts == HostTargets::written ? HostPattern::parse(parts.host, what)
                                       : HostPattern::from_stored(parts.host, what);
}

Result<PortRange> target_ports(const TargetParts& parts, std::string_view text, std::string_view what) {
  if (parts.ports == "*") return PortRange{};
  const auto dash = parts.ports.find('-');
  const auto first = parse_port(parts.ports.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(parts.ports.substr(dash + 1));
  if (!first || !last) {
    return bad_target(text, what,
                      fmt::format("'{}' is not a port or a range of ports", printable(parts.ports)),
                      "ports run from 1 to 65535: write 443, 8000-8010, or * for every port");
  }
  if (*first > *last) {
    return bad_target(text, what, fmt::format("the port range {}-{} is reversed", *first, *last),
                      fmt::format("did you mean {}-{}?", *last, *first));
  }
  return PortRange{*first, *last};
}

// One word out of a few, as the settings have them.
template <typename T>
struct Word {
  std::string_view text;
  T value;
};

template <typename T>
Result<T> parse_word(std::string_view text, std::string_view what, std::string_view kind,
                     std::span<const Word<T>> words) {
  std::vector<std::string> all;
  std::string list;
  for (const Word<T>& w : words) {
    if (w.text == text) return w.value;
    all.emplace_back(w.text);
    list += fmt::format("{}{}", list.empty() ? "" : ", ", w.text);
  }
  const std::string near = nearest(lower(text), all);
  const std::string shown = text.size() > kLongestTarget ? "(too long)" : printable(text);
  return Error::usage(
      fmt::format("{}: '{}' is not {}", what, shown, kind),
      near.empty() ? "use one of: " + list : fmt::format("did you mean {}? use one of: {}", near, list));
}

template <typename T>
std::string_view word_of(T value, std::span<const Word<T>> words) {
  for (const Word<T>& w : words) {
    if (w.value == value) return w.text;
  }
  return words.front().text;
}

constexpr std::array<Word<Binding>, 4> kBindings{{{"address", Binding::address},
                                                  {"mac", Binding::mac},
                                                  {"credential", Binding::credential},
                                                  {"certificate", Binding::certificate}}};
constexpr std::array<Word<Enrol>, 3> kEnrols{
    {{"open", Enrol::open}, {"approve", Enrol::approve}, {"closed", Enrol::closed}}};
constexpr std::array<Word<Mode>, 2> kModes{{{"enforce", Mode::enforce}, {"observe", Mode::observe}}};
constexpr std::array<Word<DeviceState>, 3> kStates{
    {{"active", DeviceState::active}, {"pending", DeviceState::pending}, {"revoked", DeviceState::revoked}}};
constexpr std::array<Word<Protocol>, 2> kProtocols{{{"tcp", Protocol::tcp}, {"udp", Protocol::udp}}};

}  // namespace

Result<Target> parse_target(std::string_view text, std::string_view what, HostTargets hosts) {
  if (text.empty())
    return Error::usage(fmt::format("{}: the destination is empty", what), std::string(kTargetForm));
  if (text.size() > kLongestTarget) {
    return Error::usage(
        fmt::format("{}: the destination has {} bytes, more than {}", what, text.size(), kLongestTarget),
        std::string(kTargetForm));
  }
  const auto parts = split_target(text, what);
  if (!parts) return parts.error();
  Target target;
  if (looks_like_host_name(parts->host) && !Prefix::parse(parts->host)) {
    auto host = target_host(*parts, text, what, hosts);
    if (!host) return host.error();
    target.host = *std::move(host);
  } else {
    const auto prefix = target_prefix(*parts, text, what);
    if (!prefix) return prefix.error();
    target.prefix = *prefix;
  }
  const auto ports = target_ports(*parts, text, what);
  if (!ports) return ports.error();
  const auto protocol = parse_word<Protocol>(parts->protocol, what, "a protocol", kProtocols);
  if (!protocol) return protocol.error();
  target.ports = *ports;
  target.protocol = *protocol;
  return target;
}

std::string to_text(const Target& t) {
  if (t.host) return fmt::format("{}:{}/{}", t.host->text(), t.ports.text(), to_text(t.protocol));
  const bool v4 = t.prefix.address.is_v4();
  const bool whole = t.prefix.bits == (v4 ? 32 : 128);
  const std::string host = whole ? t.prefix.address.text() : t.prefix.text();
  return fmt::format("{}{}{}:{}/{}", v4 ? "" : "[", host, v4 ? "" : "]", t.ports.text(), to_text(t.protocol));
}

Result<Expiry> parse_expiry(std::string_view text, std::string_view what) {
  constexpr std::string_view hint =
      "use close, drain=60s (warn, then close) or keep=12h (keep, no longer than that)";
  if (text == "close") return Expiry{};
  const auto equals = text.find('=');
  const std::string_view kind = text.substr(0, equals);
  if (kind == "drain" || kind == "keep") {
    if (equals == std::string_view::npos) {
      return Error::usage(fmt::format("{}: '{}' needs a time", what, kind), std::string(hint));
    }
    const auto limit = parse_duration(text.substr(equals + 1), what);
    if (!limit) {
      const std::string shown = text.size() > kLongestTarget ? "(too long)" : printable(text);
      return Error::usage(fmt::format("{}: '{}' does not name a duration", what, shown), limit.error().hint);
    }
    if (*limit == Seconds(0)) {
      return Error::usage(fmt::format("{}: '{}' needs a time above 0", what, kind),
                          "use close to end at once");
    }
    return Expiry{kind == "drain" ? Expiry::Kind::drain : Expiry::Kind::keep, *limit};
  }
  const std::string shown = text.size() > kLongestTarget ? "(too long)" : printable(text);
  return Error::usage(fmt::format("{}: '{}' is not a way to end a flow", what, shown), std::string(hint));
}

std::string to_text(const Expiry& e) {
  switch (e.kind) {
    case Expiry::Kind::close:
      break;
    case Expiry::Kind::drain:
      return "drain=" + format_duration(e.limit);
    case Expiry::Kind::keep:
      return "keep=" + format_duration(e.limit);
  }
  return "close";
}

Result<Binding> parse_binding(std::string_view text, std::string_view what) {
  return parse_word<Binding>(text, what, "a binding", kBindings);
}
std::string_view to_text(Binding b) { return word_of<Binding>(b, kBindings); }

Result<Enrol> parse_enrol(std::string_view text, std::string_view what) {
  return parse_word<Enrol>(text, what, "a way to enrol devices", kEnrols);
}
std::string_view to_text(Enrol e) { return word_of<Enrol>(e, kEnrols); }

Result<Mode> parse_mode(std::string_view text, std::string_view what) {
  return parse_word<Mode>(text, what, "a mode", kModes);
}
std::string_view to_text(Mode m) { return word_of<Mode>(m, kModes); }

Result<DeviceState> parse_device_state(std::string_view text, std::string_view what) {
  return parse_word<DeviceState>(text, what, "a device state", kStates);
}
std::string_view to_text(DeviceState s) { return word_of<DeviceState>(s, kStates); }

}  // namespace nightlatch
