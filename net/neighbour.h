// The kernel's neighbour table (ARP, NDP) over netlink: which MAC an on-link address has at this moment.
// libmnl stays behind this file. One object for each thread. A query is one request to the kernel, answered
// at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"

namespace nightlatch {

class Neighbours {
 public:
  // `interfaces`: the LAN interfaces' names; empty: all but loopback.
  static Result<Neighbours> open(const std::vector<std::string>& interfaces);
  Neighbours(Neighbours&&) noexcept = default;

  // The MAC, or nullopt when the address is not on-link or has no valid entry.
  [[nodiscard]] std::optional<Mac> mac_of(const IpAddress& address);

  // A descriptor that turns readable when entries change, and the reader of those changes: calls
  // `changed(address, mac or nullopt)`; returns false when changes were missed (look at everything again).
  [[nodiscard]] int changes_fd() const { return changes_.get(); }
  [[nodiscard]] bool read_changes(const std::function<void(const IpAddress&, std::optional<Mac>)>& changed);

 private:
  Neighbours() = default;
  Fd requests_, changes_;
  std::vector<std::string> names_;
  std::vector<int> indexes_;
  unsigned sequence_ = 0;
};

}  // namespace nightlatch
