// PortLists: the (ports, resource) lists behind the entries of an index, end to end in one array. Within a
// list, single ports come first and sorted, so that one host with thousands of services stays cheap; ranges
// are few. Owned by an index: built once, immutable afterwards; any thread may read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/address.h"

namespace nightlatch {

class PortLists {
 public:
  struct List {
    std::uint32_t first = 0;  // `singles` of one port each, sorted, then `ranges`
    std::uint32_t singles = 0;
    std::uint32_t ranges = 0;
  };

  // Lists are built one after the other: begin() one, then add() all of its rows, single ports first and in
  // order.
  [[nodiscard]] List begin() const { return {static_cast<std::uint32_t>(all_.size()), 0, 0}; }
  void add(List& list, const PortRange& ports, std::uint32_t resource) {
    ++(is_range(ports) ? list.ranges : list.singles);
    all_.push_back({ports.first, ports.last, resource});
  }
  [[nodiscard]] static bool is_range(const PortRange& ports) { return ports.first != ports.last; }

  // Calls visit(resource index) for each row that holds the port; says whether there was one.
  template <typename Visit>
  bool each(const List& list, std::uint16_t port, const Visit& visit) const {
    const Row* at = all_.data() + list.first;
    const Row* const singles_end = at + list.singles;
    const Row* const end = singles_end + list.ranges;
    bool any = false;
    const auto take = [&](const Row& row) {
      any = true;
      visit(row.resource);
    };
    if (list.singles > kFew) {
      at = std::lower_bound(at, singles_end, port,
                            [](const Row& row, std::uint16_t wanted) { return row.first < wanted; });
    }
    for (; at != singles_end && at->first <= port; ++at) {
      if (at->first == port) take(*at);
    }
    for (at = singles_end; at != end; ++at) {
      if (port >= at->first && port <= at->last) take(*at);
    }
    return any;
  }

 private:
  static constexpr std::uint32_t kFew = 8;
  struct Row {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::uint32_t resource = 0;
  };
  std::vector<Row> all_;
};

}  // namespace nightlatch
