// The portal's URL and the host in it; addresses of an interface. Pure but for the system call; main thread.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"

namespace nightlatch::cli {

// A DNS name or an address (an IPv6 one with or without brackets), as --portal takes it.
[[nodiscard]] Result<std::string> check_host(const std::string& host, const std::string& what);
[[nodiscard]] std::string portal_url(const std::string& host);  // https://HOST, an IPv6 address in brackets
[[nodiscard]] std::string host_of(const std::string& url);      // without brackets and port
// The interface's first address: IPv4 before IPv6, link-local ones never.
[[nodiscard]] std::optional<IpAddress> first_address(const std::string& interface);

}  // namespace nightlatch::cli
