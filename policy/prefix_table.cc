#include "policy/prefix_table.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>

namespace nightlatch {

namespace {
struct Row {
  Prefix prefix;
  Protocol protocol = Protocol::tcp;
  bool range = false;
  PortRange ports;
  std::uint32_t resource = 0;

  [[nodiscard]] auto key() const { return std::tie(prefix, protocol); }
  [[nodiscard]] auto order() const { return std::tie(prefix, protocol, range, ports, resource); }
};
}  // namespace

PrefixTable::PrefixTable(const std::vector<Resource>& resources,
                         const std::vector<HostAddress>& host_addresses) {
  std::multimap<std::string_view, const IpAddress*> known;
  for (const HostAddress& h : host_addresses) known.emplace(h.host.text(), &h.address);
  std::vector<Row> rows;
  for (std::uint32_t i = 0; i < resources.size(); ++i) {
    for (const Target& t : resources[i].targets) {
      const auto add = [&](const Prefix& p) {
        rows.push_back({p.normalized(), t.protocol, PortLists::is_range(t.ports), t.ports, i});
      };
      if (!t.host) {
        add(t.prefix);
        continue;
      }
      const auto [begin, end] = known.equal_range(t.host->text());
      for (auto at = begin; at != end; ++at) {
        add({*at->second, static_cast<std::uint8_t>(at->second->is_v4() ? 32 : 128)});
      }
    }
  }
  // One sort puts the rows of a prefix together, its single ports in order before its ranges.
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.order() < b.order(); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (i == 0 || row.key() != rows[i - 1].key()) {
      entries_.push_back({words_of(row.prefix.address), ports_.begin(), row.prefix.bits, row.protocol});
      lengths_[row.prefix.address.is_v4() ? 0 : 1][static_cast<std::size_t>(row.protocol)].push_back(
          row.prefix.bits);
    }
    ports_.add(entries_.back().ports, row.ports, row.resource);
  }
  for (auto& family : lengths_) {
    for (auto& lengths : family) {
      std::sort(lengths.begin(), lengths.end(), std::greater<>());
      lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    }
  }
  std::size_t size = 2;  // at most half full, so that a miss ends soon
  while (size < entries_.size() * 2) size *= 2;
  slots_.assign(size, Slot{});
  mask_ = size - 1;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::uint64_t h = hash(entries_[i].prefix, entries_[i].bits, entries_[i].protocol);
    std::size_t at = static_cast<std::size_t>(h) & mask_;
    while (slots_[at].entry != 0) at = (at + 1) & mask_;
    slots_[at] = {static_cast<std::uint32_t>(h >> 32), i + 1};
  }
}

}  // namespace nightlatch
