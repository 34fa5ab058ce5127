#include "policy/name_table.h"

#include <algorithm>
#include <tuple>

namespace nightlatch {

namespace {

struct Row {
  std::string_view key;
  Protocol protocol = Protocol::tcp;
  bool range = false;
  PortRange ports;
  std::uint32_t resource = 0;

  [[nodiscard]] auto order() const { return std::tie(key, protocol, range, ports, resource); }
};

// Taken from the last character to the first, so that the hash of every tail of a name comes up on the way.
constexpr std::uint64_t kStart = 0xcbf29ce484222325ULL;
std::uint64_t step(std::uint64_t h, char c) {
  return (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;  // FNV-1a
}
std::uint64_t spread(std::uint64_t h) {  // FNV leaves the upper bits of short texts poor
  h ^= h >> 32;
  h *= 0xff51afd7ed558ccdULL;
  return h ^ (h >> 29);
}
std::uint64_t hash(std::string_view key) {
  std::uint64_t h = kStart;
  for (std::size_t i = key.size(); i > 0; --i) h = step(h, key[i - 1]);
  return spread(h);
}

}  // namespace

NameTable::NameTable(const std::vector<Resource>& resources) {
  std::vector<Row> rows;
  for (std::uint32_t i = 0; i < resources.size(); ++i) {
    for (const Target& t : resources[i].targets) {
      if (t.host) rows.push_back({t.host->key(), t.protocol, PortLists::is_range(t.ports), t.ports, i});
    }
  }
  // One sort puts the rows of a key together, by protocol, single ports in order before ranges.
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.order() < b.order(); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const bool new_key = i == 0 || row.key != rows[i - 1].key;
    if (new_key) add_key(row.key);
    PortLists::List& list = entries_.back().ports[static_cast<std::size_t>(row.protocol)];
    if (new_key || row.protocol != rows[i - 1].protocol) list = ports_.begin();
    ports_.add(list, row.ports, row.resource);
  }
  fill_slots();
}

void NameTable::add_key(std::string_view key) {
  entries_.push_back({static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(key.size()), {}});
  texts_ += key;
  if (key.starts_with('.')) depths_.set(static_cast<std::size_t>(std::count(key.begin(), key.end(), '.')));
}

void NameTable::fill_slots() {
  std::size_t size = 2;  // at most half full, so that a miss ends soon
  while (size < entries_.size() * 2) size *= 2;
  slots_.assign(size, Slot{});
  mask_ = size - 1;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::uint64_t h = hash(std::string_view(texts_).substr(entries_[i].text, entries_[i].size));
    std::size_t at = static_cast<std::size_t>(h) & mask_;
    while (slots_[at].entry != 0) at = (at + 1) & mask_;
    slots_[at] = {static_cast<std::uint32_t>(h >> 32), i + 1};
  }
}

const NameTable::Entry* NameTable::look_up(std::string_view key, std::uint64_t hash) const noexcept {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t i = static_cast<std::size_t>(hash) & mask_;; i = (i + 1) & mask_) {
    const Slot& slot = slots_[i];
    if (slot.entry == 0) return nullptr;
    if (slot.tag != tag) continue;
    const Entry& e = entries_[slot.entry - 1];
    if (key == std::string_view(texts_.data() + e.text, e.size)) return &e;
  }
}

std::size_t NameTable::find(std::string_view name, Hits& hits) const noexcept {
  if (entries_.empty() || name.empty() || name.size() > kLongestHostName) return 0;
  std::size_t count = 0, depth = 0;
  std::uint64_t h = kStart;
  const auto probe = [&](std::size_t at) {
    const Entry* entry = look_up(name.substr(at), spread(h));
    if (entry != nullptr) hits[count++] = entry;
  };
  for (std::size_t i = name.size() - 1; i > 0; --i) {
    h = step(h, name[i]);
    if (name[i] != '.') continue;
    ++depth;
    if (depth <= kMostDepth && depths_[depth]) probe(i);
  }
  h = step(h, name[0]);
  probe(0);
  return count;
}

}  // namespace nightlatch
