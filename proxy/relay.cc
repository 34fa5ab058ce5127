#include "proxy/relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nightlatch {

void Relay::preload(Side from, std::string_view bytes) {
  if (bytes.empty()) return;
  Way& way = ways_[from];
  way.rest = std::make_unique_for_overwrite<char[]>(bytes.size());  // NOLINT
  std::memcpy(way.rest.get(), bytes.data(), bytes.size());
  way.rest_size = bytes.size();
}

Relay::Step Relay::write_rest(Way& way, int to) {
  while (way.rest_size > 0) {
    const ssize_t n = send(to, way.rest.get() + way.rest_at, way.rest_size, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        way.writable = false;
        return Step::blocked;
      }
      return Step::reset;
    }
    way.bytes += static_cast<std::uint64_t>(n);
    way.rest_at += static_cast<std::size_t>(n);
    way.rest_size -= static_cast<std::size_t>(n);
  }
  way.rest.reset();  // a direction that is not blocked holds no memory
  way.rest_at = 0;
  return Step::moved;
}

Relay::Step Relay::step(Way& way, int from, int to, std::span<char> scratch, std::size_t& budget) {
  if (way.shut) return Step::finished;
  if (way.rest_size > 0) {
    if (!way.writable) return Step::blocked;
    const Step s = write_rest(way, to);
    if (s != Step::moved) return s;
  }
  if (way.eof) {
    if (shutdown(to, SHUT_WR) != 0 && errno != ENOTCONN) return Step::reset;
    way.shut = true;
    return Step::finished;
  }
  if (!way.readable) return Step::blocked;
  const ssize_t n = recv(from, scratch.data(), std::min(scratch.size(), budget), 0);
  if (n < 0) {
    if (errno == EINTR) return Step::moved;
    if (errno != EAGAIN) return Step::reset;
    way.readable = false;
    return Step::blocked;
  }
  if (n == 0) {
    way.eof = true;
    return Step::moved;
  }
  const auto got = static_cast<std::size_t>(n);
  budget -= std::min(budget, got);
  std::size_t sent = 0;
  while (sent < got) {
    const ssize_t w = send(to, scratch.data() + sent, got - sent, MSG_NOSIGNAL);
    if (w < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return Step::reset;
      way.writable = false;
      break;
    }
    sent += static_cast<std::size_t>(w);
  }
  way.bytes += sent;
  if (sent < got) {
    way.rest = std::make_unique_for_overwrite<char[]>(got - sent);  // NOLINT
    std::memcpy(way.rest.get(), scratch.data() + sent, got - sent);
    way.rest_at = 0;
    way.rest_size = got - sent;
    return Step::blocked;
  }
  return Step::moved;
}

Relay::Outcome Relay::pump(std::span<char> scratch, std::size_t budget) {
  std::array<bool, 2> going{true, true};
  while (going[0] || going[1]) {
    for (const Side from : {client, upstream}) {
      if (!going[from]) continue;
      if (budget == 0) return Outcome::more;
      switch (step(ways_[from], fds_[from], fds_[1 - from], scratch, budget)) {
        case Step::moved:
          break;
        case Step::blocked:
        case Step::finished:
          going[from] = false;
          break;
        case Step::reset:
          return Outcome::reset;
      }
    }
  }
  return ways_[0].shut && ways_[1].shut ? Outcome::ended : Outcome::idle;
}

}  // namespace nightlatch
