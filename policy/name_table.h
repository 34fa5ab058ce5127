// NameTable: which resources name a host, at a cost that does not grow with their number. One open-addressing
// table of names and of domains (".corp.example" for "*.corp.example") is asked once for the name and once
// for each domain above it whose depth is in use; the hash runs along the name once, from its end. The sister
// of PrefixTable (policy/prefix_table.h). Owned by an Office: built once, immutable afterwards; any thread
// may read.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/host_name.h"
#include "policy/model.h"
#include "policy/port_lists.h"

namespace nightlatch {

class NameTable {
 public:
  NameTable() = default;
  explicit NameTable(const std::vector<Resource>& resources);

  // Calls visit(resource index) for each target that holds this host, the most specific pattern first: the
  // name itself, then the longest domain, then shorter ones. An index may come more than once. `name` is
  // canonical (WireName::text(), HostName::text()). Nothing is allocated; visit must not throw.
  template <typename Visit>
  void each(std::string_view name, std::uint16_t port, Protocol protocol, Visit&& visit) const noexcept {
    Hits hits;
    for (std::size_t n = find(name, hits); n > 0;) ports_.each(hits[--n]->ports_of(protocol), port, visit);
  }

  [[nodiscard]] bool holds(std::string_view name) const noexcept {  // at some port
    Hits hits;
    return find(name, hits) > 0;
  }

 private:
  static constexpr std::size_t kMostDepth = (kLongestHostName + 1) / 2;  // labels of one character each

  struct Entry {
    std::uint32_t text = 0;  // of its key, in texts_
    std::uint32_t size = 0;
    std::array<PortLists::List, 2> ports;
    [[nodiscard]] const PortLists::List& ports_of(Protocol p) const {
      return ports[static_cast<std::size_t>(p)];
    }
  };
  struct Slot {
    std::uint32_t tag = 0;  // the upper half of the hash: a miss is settled here, without touching the entry
    std::uint32_t entry = 0;  // index into entries_ plus one; 0 is a free slot
  };
  // The entries of one look-up, the most specific last: each is a different tail of the name.
  using Hits = std::array<const Entry*, kMostDepth + 1>;  // NOLINT: only what find() counts is ever read

  [[nodiscard]] std::size_t find(std::string_view name, Hits& hits) const noexcept;
  [[nodiscard]] const Entry* look_up(std::string_view key, std::uint64_t hash) const noexcept;
  void add_key(std::string_view key);
  void fill_slots();

  std::size_t mask_ = 0;  // the number of slots, a power of two, less one
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::vector<Entry> entries_;
  std::string texts_;
  PortLists ports_;
  std::bitset<kMostDepth + 1> depths_;  // in how many labels a domain in use has
};

}  // namespace nightlatch
