// The proxy auto-configuration file: a script that tells browsers which URLs lie in a resource, so that they
// come to the gate's proxies with these and with nothing else. Pure: made from plain values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"

namespace nightlatch {

struct ProxyPlaces {
  std::string http_listen, socks_listen;  // the settings: "", "lan", or "10.0.0.1:3128, [fd00::1]:3128"
  std::string portal_host;                // "gate.office.example", "10.0.0.1", "fd00::1"
};

// A line for each TCP target, sorted, each once. Without a proxy to name it says DIRECT for everything, and
// tells nothing of the resources. The targets that name hosts are matched by name, whatever the address.
[[nodiscard]] std::string proxy_auto_config(const std::vector<Resource>& resources,
                                            const ProxyPlaces& places);

// `text` as a string of the script, ASCII only whatever it holds: the engines that read such files disagree
// about the encoding and about which characters end a line.
[[nodiscard]] std::string script_string(std::string_view text);

}  // namespace nightlatch
