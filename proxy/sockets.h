// The gate's TCP sockets: transparent listeners and upstream connections that carry the client's own address.
// Options that a flow needs are set on the listener and inherited. Any thread; needs CAP_NET_ADMIN or
// CAP_NET_RAW.
#pragma once

#include <cstdint>
#include <optional>

#include "auth/credential.h"
#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "policy/host_name.h"

namespace nightlatch {

// Listens on 127.0.0.1 or ::1, SO_REUSEPORT (one for each worker), IP_TRANSPARENT: TPROXY delivers to it
// connections to any address, and an accepted socket's own name is the original destination.
[[nodiscard]] Result<Fd> listen_transparent(bool v4, std::uint16_t port);

// Listens at an address of the gate's own, for clients that come on purpose (SOCKS, HTTP proxy).
// SO_REUSEPORT.
[[nodiscard]] Result<Fd> listen_explicit(const Endpoint& here);

struct Accepted {
  Fd fd;
  Endpoint source, destination;
  std::optional<CheckedCredential> credential{};  // that the client of an explicit proxy has sent
  WireName asked_name{};                          // of the destination, when it asked for it by name
};
// errno is left as accept4() set it when there is none.
[[nodiscard]] Accepted accept_flow(int listener);

// Starts connecting to `destination`; `source` is the client's address to bind, or nullptr for the gate's
// own. Never binds the port `avoid_port`, the client's: both legs would have one 5-tuple, which conntrack
// merges.
[[nodiscard]] Result<Fd> connect_upstream(const Endpoint& destination, const IpAddress* source,
                                          std::uint16_t avoid_port);
[[nodiscard]] int pending_error(int fd);  // SO_ERROR: 0 when connected
void reset_on_close(int fd);              // SO_LINGER 0: closing sends RST

}  // namespace nightlatch
