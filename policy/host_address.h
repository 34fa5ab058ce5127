// Addresses in disguise: text that some program takes for an address though it does not look like one, so
// that it is judged as the address it is. Pure; any thread. inet_aton(3) reads 2130706433, 0177.0.0.1, 0x7f.1
// and 127.1 as 127.0.0.1, and so do most resolvers and browsers (URL Standard, section 3.5); RFC 6943
// section 3.1.1 tells what came of it.
#pragma once

#include <optional>
#include <string_view>

#include "base/address.h"

namespace nightlatch {

// The address that a resolver would take `text` for: numbers as above, one trailing dot, what inet_aton
// ignores behind a space, IPv6 in any form that RFC 4291 allows, in brackets or bare, its zone (RFC 4007)
// left out. Otherwise nullopt: then it is a name, or nothing.
[[nodiscard]] std::optional<IpAddress> address_in(std::string_view text);

// Whether the last label is a number, 12 or 0x1f: no host has such a name, and some program may read an
// address in it.
[[nodiscard]] bool ends_in_number(std::string_view name) noexcept;

}  // namespace nightlatch
