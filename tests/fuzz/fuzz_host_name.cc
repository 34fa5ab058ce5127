// Host names and addresses in disguise: what is accepted has one form, matches what it says, and is never
// something that the system's own inet_aton or inet_pton would read as an address.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "policy/host_address.h"
#include "policy/host_name.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {

template <typename T>
void check_refusal(const Result<T>& r) {
  const Error& e = r.error();
  check(e.kind == ErrorKind::usage && e.message.starts_with("--to: "), "an error names the argument");
  check(e.message.size() < 2048 && e.hint.size() < 512 && !e.hint.empty(), "an error is bounded and helps");
  check(printable(e.message) == e.message && printable(e.hint) == e.hint, "an error is printable");
}

bool is_canonical(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.' ? label == 0 : !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
      return false;
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return false;
  }
  return label > 0;
}

bool system_reads_address(const std::string& name) {
  in_addr four{};
  in6_addr six{};
  return inet_aton(name.c_str(), &four) != 0 || inet_pton(AF_INET6, name.c_str(), &six) == 1;
}

void check_name(std::string_view text) {
  const auto name = HostName::parse(text, "--to");
  if (!name) return check_refusal(name);
  const std::string& t = name->text();
  check(is_canonical(t) && !system_reads_address(t) && !address_in(t), "a name is canonical and no address");
  const auto again = HostName::parse(t, "--to");
  check(again.ok() && *again == *name, "a name reads back");
  const auto wire = WireName::read(t);
  check(wire && wire->text() == t, "what an admin may write, a client may ask for");
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  if (ascii) check(WireName::read(text) == wire, "ASCII is the same name from both sides");
}

void check_pattern(std::string_view text) {
  const auto pattern = HostPattern::parse(text, "--to");
  if (!pattern) return check_refusal(pattern);
  const auto again = HostPattern::parse(pattern->text(), "--to");
  const auto stored = HostPattern::from_stored(pattern->text(), "--to");
  check(again.ok() && *again == *pattern && stored.ok() && *stored == *pattern, "a pattern reads back");
  const std::string base = pattern->text().substr(pattern->wildcard() ? 2 : 0);
  check(pattern->matches(base) == !pattern->wildcard(), "a wildcard wants one label more");
  check(pattern->matches("x." + base) == pattern->wildcard(), "a name matches itself alone");
  check(!pattern->matches("x" + base) && !pattern->matches(base + "x"), "nothing beside it");
}

void check_stored(std::string_view text) {
  const auto stored = HostPattern::from_stored(text, "--to");
  if (!stored) return check_refusal(stored);
  check(stored->text() == text && is_canonical(text.substr(stored->wildcard() ? 2 : 0)),
        "stored as it stands");
}

void check_wire(std::string_view text) {
  const auto wire = WireName::read(text);
  if (!wire) return;
  check(is_canonical(wire->text()) && !address_in(text), "a wire name is canonical and no address");
  check(WireName::read(wire->text()) == wire, "and reads back");
  const std::string_view bare = text.substr(0, text.size() - (text.ends_with('.') ? 1 : 0));
  check(lower(bare) == wire->text(), "and changes nothing but case and one dot");
}

void check_address(const std::string& text) {
  const auto address = address_in(text);
  in_addr four{};
  if (inet_aton(text.c_str(), &four) != 0)
    check(address == IpAddress::v4(ntohl(four.s_addr)), "as inet_aton reads it");
  std::array<std::uint8_t, 16> six{};
  if (inet_pton(AF_INET6, text.c_str(), six.data()) == 1)
    check(address == IpAddress::v6(six), "as inet_pton reads it");
  if (address) check(address_in(address->text()) == address, "an address reads back");
  if (address && text.find_first_of(":[ \t\n\v\f\r") == std::string::npos)
    check(ends_in_number(text), "it ends so");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  check_name(text);
  check_pattern(text);
  check_stored(text);
  check_wire(text);
  if (text.find('\0') == std::string_view::npos) check_address(std::string(text));
  return 0;
}
