// Office: one consistent picture of the configuration, with the indexes that keep a decision's cost flat as
// resources and policies grow. Built once from OfficeData, immutable afterwards, swapped whole; any thread
// may read.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/model.h"

namespace nightlatch {

class Office {
 public:
  explicit Office(OfficeData data);
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  [[nodiscard]] const OfficeData& data() const { return data_; }

  // nullptr when there is none.
  [[nodiscard]] const User* user(UserId id) const noexcept;
  [[nodiscard]] const User* user_named(std::string_view name) const noexcept;
  [[nodiscard]] const Device* device(DeviceId id) const noexcept;
  [[nodiscard]] const Device* device_named(std::string_view name) const noexcept;
  [[nodiscard]] const Resource* resource(ResourceId id) const noexcept;
  [[nodiscard]] const Resource* resource_named(std::string_view name) const noexcept;
  [[nodiscard]] const Policy* policy(PolicyId id) const noexcept;

  // On-link: the MAC names the device and nothing else does. Off-link (no MAC): the address (semantics 9).
  [[nodiscard]] const Device* identify(const IpAddress& source, const std::optional<Mac>& mac) const noexcept;

  // Calls visit(resource index) for each resource that contains the destination; one may come more than once.
  template <typename Visit>
  void each_resource(const IpAddress& address, std::uint16_t port, Protocol protocol, Visit&& visit) const {
    for (const unsigned bits : address.is_v4() ? lengths4_ : lengths6_) {
      const IpAddress masked = mask(address, bits);
      if (const auto it = exact_.find(Key{masked, static_cast<std::uint8_t>(bits), protocol, port});
          it != exact_.end()) {
        for (const std::uint32_t r : it->second) visit(r);
      }
      if (!has_ranges_) continue;
      if (const auto it = ranges_.find(Key{masked, static_cast<std::uint8_t>(bits), protocol, 0});
          it != ranges_.end()) {
        for (const auto& [ports, r] : it->second) {
          if (ports.contains(port)) visit(r);
        }
      }
    }
  }

  // Indexes into data().policies, ascending: the policies that name this resource (by index into
  // data().resources).
  [[nodiscard]] std::span<const std::uint32_t> policies_of(std::uint32_t resource) const noexcept {
    return policies_of_[resource];
  }

 private:
  struct Key {
    IpAddress address;
    std::uint8_t bits;
    Protocol protocol;
    std::uint16_t port;  // 0 in ranges_
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const noexcept;
  };

  OfficeData data_;
  std::vector<unsigned> lengths4_, lengths6_;  // the prefix lengths in use, longest first
  bool has_ranges_ = false;
  std::unordered_map<Key, std::vector<std::uint32_t>, KeyHash> exact_;
  std::unordered_map<Key, std::vector<std::pair<PortRange, std::uint32_t>>, KeyHash> ranges_;
  std::vector<std::vector<std::uint32_t>> policies_of_;
  std::unordered_map<UserId, std::uint32_t> users_;
  std::unordered_map<DeviceId, std::uint32_t> devices_;
  std::unordered_map<ResourceId, std::uint32_t> resources_;
  std::unordered_map<PolicyId, std::uint32_t> policies_;
  std::unordered_map<Mac, std::uint32_t> by_mac_;
  std::unordered_map<IpAddress, std::uint32_t> by_address_;
};

}  // namespace nightlatch
