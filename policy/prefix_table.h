// PrefixTable: which resources hold a destination, at a cost that does not grow with their number. One
// open-addressing table keyed by (prefix, protocol) is asked once for each prefix length in use; see
// docs/decisions/0005-index.md. Owned by an Office: built once, immutable afterwards; any thread may read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/model.h"
#include "policy/port_lists.h"

namespace nightlatch {

class PrefixTable {
 public:
  PrefixTable() = default;
  // Targets that name hosts are held by the addresses that are known of these hosts.
  PrefixTable(const std::vector<Resource>& resources, const std::vector<HostAddress>& host_addresses);

  // Calls visit(resource index) for each target that holds the destination; an index may come more than once.
  template <typename Visit>
  void each(const IpAddress& address, std::uint16_t port, Protocol protocol, Visit&& visit) const {
    const Words words = words_of(address);
    const bool four = words.is_v4();
    for (const std::uint8_t bits : lengths_[four ? 0 : 1][static_cast<std::size_t>(protocol)]) {
      const Entry* entry = find(masked(words, four ? 96U + bits : bits), bits, protocol);
      if (entry != nullptr) ports_.each(entry->ports, port, visit);
    }
  }

 private:
  struct Words {  // an address as two numbers, most significant first
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    [[nodiscard]] bool is_v4() const { return high == 0 && low >> 32 == 0xffff; }
    bool operator==(const Words&) const = default;
  };
  struct Entry {
    Words prefix;
    PortLists::List ports;
    std::uint8_t bits = 0;
    Protocol protocol = Protocol::tcp;
  };
  struct Slot {
    std::uint32_t tag = 0;  // the upper half of the hash: a miss is settled here, without touching the entry
    std::uint32_t entry = 0;  // index into entries_ plus one; 0 is a free slot
  };

  static Words words_of(const IpAddress& a) {
    Words w;
    for (std::size_t i = 0; i < 8; ++i) {
      w.high = w.high << 8 | a.bytes()[i];
      w.low = w.low << 8 | a.bytes()[i + 8];
    }
    return w;
  }

  static Words masked(Words w, unsigned keep) {  // keep counts from the top of all 128 bits
    if (keep <= 64) {
      w.high = keep == 0 ? 0 : w.high & (~std::uint64_t{0} << (64 - keep));
      w.low = 0;
    } else if (keep < 128) {
      w.low &= ~std::uint64_t{0} << (128 - keep);
    }
    return w;
  }

  static std::uint64_t hash(const Words& w, std::uint8_t bits, Protocol protocol) {
    std::uint64_t h = w.low ^ (w.high * 0x9e3779b97f4a7c15ULL);
    h ^= std::uint64_t{bits} << 48 | static_cast<std::uint64_t>(protocol) << 40;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 29);
  }

  [[nodiscard]] const Entry* find(const Words& prefix, std::uint8_t bits, Protocol protocol) const {
    const std::uint64_t h = hash(prefix, bits, protocol);
    const auto tag = static_cast<std::uint32_t>(h >> 32);
    for (std::size_t i = static_cast<std::size_t>(h) & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.entry == 0) return nullptr;
      if (slot.tag != tag) continue;
      const Entry& e = entries_[slot.entry - 1];
      if (e.prefix == prefix && e.bits == bits && e.protocol == protocol) return &e;
    }
  }

  std::size_t mask_ = 0;  // the number of slots, a power of two, less one
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::vector<Entry> entries_;
  PortLists ports_;
  // The prefix lengths in use, longest first, by family (IPv4, IPv6) and protocol.
  std::array<std::array<std::vector<std::uint8_t>, 2>, 2> lengths_;
};

}  // namespace nightlatch
