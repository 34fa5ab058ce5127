// Small helpers of the files that make the gate's sockets. Any thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/result.h"

namespace nightlatch {

bool set_option(int fd, int level, int option, int value);
// May then have addresses that are not this machine's. Needs CAP_NET_ADMIN or CAP_NET_RAW.
bool set_transparent(int fd, bool v4);
[[nodiscard]] Endpoint own_endpoint(int fd);  // getsockname(); :: and 0 when it has none
[[nodiscard]] inline sockaddr* as_sockaddr(sockaddr_storage& s) { return reinterpret_cast<sockaddr*>(&s); }
[[nodiscard]] Error failed(const char* doing);  // with errno's text

}  // namespace nightlatch
