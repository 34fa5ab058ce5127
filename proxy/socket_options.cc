#include "proxy/socket_options.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75  // linux/in6.h, which netinet/in.h does not agree with
#endif

namespace nightlatch {

bool set_option(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool set_transparent(int fd, bool v4) {
  return v4 ? set_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1)
            : set_option(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
}

Endpoint own_endpoint(int fd) {
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (getsockname(fd, as_sockaddr(own), &length) != 0) return {};
  return Endpoint::from_sockaddr(as_sockaddr(own)).value_or(Endpoint{});
}

Error failed(const char* doing) { return Error::failure(fmt::format("{}: {}", doing, std::strerror(errno))); }

}  // namespace nightlatch
