// Sockets on loopback, on whatever port is free. For tests only.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/address.h"

namespace nightlatch {

inline std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);  // NOLINT: the socket API's own way
  getsockname(socket, raw, &length);
  return Endpoint::from_sockaddr(raw)->port;
}

}  // namespace nightlatch
