// Text to policy types and back, for the command line and the store. Pure; any thread.
// Every error names `what`, the argument it came from, and says what would be right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/model.h"

namespace nightlatch {

// How a destination that names hosts is read.
enum class HostTargets : std::uint8_t {
  written,  // as a person writes it: see HostPattern::parse
  stored,   // as to_text() wrote it: see HostPattern::from_stored
};

// "10.1.0.0/24:5432/tcp", "[2001:db8::/32]:8000-8010/tcp", "10.1.0.7:*/udp", "wiki.lan:443/tcp",
// "*.corp.example:443/tcp". The protocol may be left out: tcp.
[[nodiscard]] Result<Target> parse_target(std::string_view text, std::string_view what,
                                          HostTargets hosts = HostTargets::written);
[[nodiscard]] std::string to_text(const Target& t);

[[nodiscard]] Result<Expiry> parse_expiry(std::string_view text,
                                          std::string_view what);  // close|drain=60s|keep=12h
[[nodiscard]] std::string to_text(const Expiry& e);

[[nodiscard]] Result<Hours> parse_hours(std::string_view text,
                                        std::string_view what);  // "mon-fri 07:00-19:00, ..."
[[nodiscard]] std::string to_text(const Hours& h);               // one span a day: parses back to the same

[[nodiscard]] Result<Binding> parse_binding(std::string_view text, std::string_view what);
[[nodiscard]] std::string_view to_text(Binding b);
[[nodiscard]] Result<Enrol> parse_enrol(std::string_view text, std::string_view what);
[[nodiscard]] std::string_view to_text(Enrol e);
[[nodiscard]] Result<Mode> parse_mode(std::string_view text, std::string_view what);
[[nodiscard]] std::string_view to_text(Mode m);
[[nodiscard]] Result<DeviceState> parse_device_state(std::string_view text, std::string_view what);
[[nodiscard]] std::string_view to_text(DeviceState s);

}  // namespace nightlatch
