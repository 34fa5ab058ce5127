#include "policy/office.h"

#include <algorithm>

namespace nightlatch {

namespace {
template <typename Row, typename Id>
const Row* find_row(const std::vector<Row>& rows, const std::unordered_map<Id, std::uint32_t>& index, Id id) {
  const auto it = index.find(id);
  return it == index.end() ? nullptr : &rows[it->second];
}

template <typename Row>
const Row* find_name(const std::vector<Row>& rows, std::string_view name) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  return it == rows.end() ? nullptr : &*it;
}

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

template <typename Row, typename Id>
void index_rows(const std::vector<Row>& rows, std::unordered_map<Id, std::uint32_t>& index) {
  index.reserve(rows.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) index.emplace(rows[i].id, i);
}
}  // namespace

std::size_t Office::KeyHash::operator()(const Key& k) const noexcept {
  const std::uint64_t rest =
      std::uint64_t{k.bits} << 24 | std::uint64_t{k.port} << 8 | static_cast<std::uint64_t>(k.protocol);
  return std::hash<IpAddress>{}(k.address) ^ (rest * 0x9e3779b97f4a7c15ULL);
}

Office::Office(OfficeData data) : data_(std::move(data)) {
  for (User& u : data_.users) sort_unique(u.groups);
  index_rows(data_.users, users_);
  index_rows(data_.devices, devices_);
  index_rows(data_.resources, resources_);
  index_rows(data_.policies, policies_);
  for (std::uint32_t i = 0; i < data_.devices.size(); ++i) {
    if (data_.devices[i].mac) by_mac_.emplace(*data_.devices[i].mac, i);
    for (const IpAddress& a : data_.devices[i].addresses) by_address_.emplace(a, i);
  }
  for (std::uint32_t i = 0; i < data_.resources.size(); ++i) {
    for (const Target& t : data_.resources[i].targets) {
      const Prefix p = t.prefix.normalized();
      auto& lengths = p.address.is_v4() ? lengths4_ : lengths6_;
      lengths.push_back(p.bits);
      if (t.ports.first == t.ports.last) {
        exact_[Key{p.address, p.bits, t.protocol, t.ports.first}].push_back(i);
      } else {
        ranges_[Key{p.address, p.bits, t.protocol, 0}].emplace_back(t.ports, i);
        has_ranges_ = true;
      }
    }
  }
  for (auto* lengths : {&lengths4_, &lengths6_}) {
    sort_unique(*lengths);
    std::reverse(lengths->begin(), lengths->end());
  }
  policies_of_.resize(data_.resources.size());
  for (std::uint32_t i = 0; i < data_.policies.size(); ++i) {
    Policy& p = data_.policies[i];
    sort_unique(p.users);
    sort_unique(p.groups);
    sort_unique(p.resources);
    for (const ResourceId id : p.resources) {
      if (const auto it = resources_.find(id); it != resources_.end()) policies_of_[it->second].push_back(i);
    }
  }
}

const User* Office::user(UserId id) const noexcept { return find_row(data_.users, users_, id); }
const User* Office::user_named(std::string_view name) const noexcept { return find_name(data_.users, name); }
const Device* Office::device(DeviceId id) const noexcept { return find_row(data_.devices, devices_, id); }
const Device* Office::device_named(std::string_view name) const noexcept {
  return find_name(data_.devices, name);
}
const Resource* Office::resource(ResourceId id) const noexcept {
  return find_row(data_.resources, resources_, id);
}
const Resource* Office::resource_named(std::string_view name) const noexcept {
  return find_name(data_.resources, name);
}
const Policy* Office::policy(PolicyId id) const noexcept { return find_row(data_.policies, policies_, id); }

const Device* Office::identify(const IpAddress& source, const std::optional<Mac>& mac) const noexcept {
  if (mac) {
    const auto it = by_mac_.find(*mac);
    return it == by_mac_.end() ? nullptr : &data_.devices[it->second];
  }
  const auto it = by_address_.find(source);
  return it == by_address_.end() ? nullptr : &data_.devices[it->second];
}

}  // namespace nightlatch
