#include "proxy/explicit_listener.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/interfaces.h"

namespace nightlatch {

namespace {
constexpr unsigned kAcceptsPerWake = 8;

std::vector<Endpoint> wanted(const std::string& where, const std::vector<std::string>& lan,
                             std::uint16_t port) {
  std::vector<Endpoint> out;
  if (where == "lan") {
    for (const IpAddress& address : addresses_of(lan)) out.push_back({address, port});
    return out;
  }
  for (const std::string_view part : split(where, ',')) {
    if (const auto at = Endpoint::parse(trim(part))) out.push_back(*at);
  }
  return out;
}
}  // namespace

void ExplicitListener::follow(const std::string& where, const std::vector<std::string>& lan, bool loud) {
  const std::vector<Endpoint> want = wanted(where, lan, port_);
  const auto is_wanted = [&](const Endpoint& e) {
    return std::find(want.begin(), want.end(), e) != want.end();
  };
  for (const auto& door : doors_) {
    if (!is_wanted(door->at)) shut(*door);
  }
  std::erase_if(doors_, [](const auto& door) { return !door->fd.valid(); });
  if (std::exchange(paused_, false)) {
    for (const auto& door : doors_) host_.listen(*door, door->fd.get());
  }
  for (const Endpoint& at : want) {
    if (std::any_of(doors_.begin(), doors_.end(), [&](const auto& door) { return door->at == at; })) continue;
    auto listener = listen_explicit(at);
    const bool said = std::find(complained_.begin(), complained_.end(), at) != complained_.end();
    if (!listener) {
      if (loud && !said) log_error("{}", listener.error().message);
      if (!said) complained_.push_back(at);
      continue;
    }
    std::erase(complained_, at);
    auto door = std::make_unique<Door>();
    door->listener = this;
    door->at = at;
    door->fd = std::move(*listener);
    if (!host_.listen(*door, door->fd.get())) continue;
    if (loud) log_info("{} at {}", name_, at.text());
    doors_.push_back(std::move(door));
  }
}

// No descriptor is free: until the next follow() the clients wait in the kernel.
void ExplicitListener::pause() {
  paused_ = true;
  for (const auto& door : doors_) host_.unwatch(door->fd.get());
}

void ExplicitListener::shut(Door& door) {
  host_.unwatch(door.fd.get());
  door.fd.reset();
}

void ExplicitListener::close() {
  for (const auto& door : doors_) shut(*door);
  doors_.clear();
}

void ExplicitListener::accept_some(int fd) {
  for (unsigned i = 0; i < kAcceptsPerWake; ++i) {
    Accepted accepted = accept_flow(fd);
    if (!accepted.fd.valid()) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) pause();
      return;
    }
    if (!host_.room()) {
      reset_on_close(accepted.fd.get());
      continue;
    }
    ++accepted_;
    auto made = make_(host_.next_id(), std::move(accepted));
    Reception& r = *made;
    host_.adopt(std::move(made));
    r.start();
  }
}

}  // namespace nightlatch
