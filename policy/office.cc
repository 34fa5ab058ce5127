#include "policy/office.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "policy/special_address.h"

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
// Adds a list to the end of all, and says where it lies.
template <typename T>
std::pair<std::uint32_t, std::uint32_t> append(std::vector<T>& all, const std::vector<T>& list) {
  const auto begin = static_cast<std::uint32_t>(all.size());
  all.insert(all.end(), list.begin(), list.end());
  return {begin, static_cast<std::uint32_t>(all.size())};
}

std::uint64_t first_bytes(const Digest& d) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, d.data(), sizeof bytes);
  return bytes;
}
std::string_view text(const Digest& d) {
  return {reinterpret_cast<const char*>(d.data()), d.size()};  // NOLINT: bytes as bytes
}
}  // namespace

Office::Office(OfficeData data)
    : data_(std::move(data)), prefixes_(data_.resources, data_.host_addresses), names_(data_.resources) {
  sort_unique(data_.host_addresses);
  for (User& u : data_.users) sort_unique(u.groups);
  for (Policy& p : data_.policies) {
    sort_unique(p.users);
    sort_unique(p.groups);
    sort_unique(p.resources);
    sort_unique(p.tokens);
    sort_unique(p.certificates);
  }
  index_rows(data_.users, users_);
  index_rows(data_.devices, devices_);
  index_rows(data_.resources, resources_);
  index_rows(data_.policies, policies_);
  index_rows(data_.tokens, tokens_);
  index_rows(data_.certificates, certificates_);
  for (std::uint32_t i = 0; i < data_.tokens.size(); ++i)
    by_secret_.emplace(first_bytes(data_.tokens[i].secret_sha256), i);
  for (std::uint32_t i = 0; i < data_.devices.size(); ++i) {
    if (data_.devices[i].mac) by_mac_.emplace(*data_.devices[i].mac, i);
    for (const IpAddress& a : data_.devices[i].addresses) by_address_.emplace(a, i);
  }
  has_machines_ =
      !data_.certificates.empty() || std::any_of(data_.tokens.begin(), data_.tokens.end(),
                                                 [](const Token& t) { return t.device != DeviceId::none; });
  gather_facts();
  gather_named_ports();
  gather_providers();
}

bool Office::has_address(const HostPattern& host, const IpAddress& address) const {
  return std::binary_search(data_.host_addresses.begin(), data_.host_addresses.end(),
                            HostAddress{host, address});
}

bool Office::names(const Target& target, const ProviderPlace& place) const {
  if (target.protocol != Protocol::tcp || !target.ports.contains(place.port)) return false;
  const auto is_at = [&](const IpAddress& address) {
    if (!target.host)
      return target.prefix.bits == (address.is_v4() ? 32 : 128) && target.prefix.contains(address);
    return has_address(*target.host, address);
  };
  if (target.host && target.host->wildcard()) return false;
  if (target.host && target.host->text() == place.host) return true;
  const EmbeddedIpv4 within = embedded_ipv4(place.address);
  return is_at(place.address) || std::any_of(within.begin(), within.end(), is_at);
}

Office::ProviderStanding Office::standing_of(const ProviderPlace& place) const {
  for (const Resource& r : data_.resources) {
    if (std::any_of(r.targets.begin(), r.targets.end(), [&](const Target& t) { return names(t, place); }))
      return {ProviderReach::named, &r};
  }
  if (place.inside) return {};
  const Resource* within = nullptr;
  const auto visit = [&](std::uint32_t resource) { within = &data_.resources[resource]; };
  each_resource(place.address, place.port, Protocol::tcp, visit);
  each_named(place.host, place.port, Protocol::tcp, visit);
  if (within != nullptr) return {ProviderReach::within, within};
  if (is_private(place.address) || is_special(place.address))
    return {ProviderReach::private_address, nullptr};
  return {};
}

namespace {
auto key_of(const ProviderPlace& p) { return std::tie(p.address, p.port); }
}  // namespace

void Office::gather_providers() {
  for (const ProviderPlace& p : data_.providers) {
    if (standing_of(p).reach == ProviderReach::open) open_providers_.push_back(p);
  }
  std::sort(open_providers_.begin(), open_providers_.end(),
            [](const ProviderPlace& a, const ProviderPlace& b) { return key_of(a) < key_of(b); });
}

std::span<const ProviderPlace> Office::providers_at(const IpAddress& address, std::uint16_t port,
                                                    Protocol protocol) const noexcept {
  if (protocol != Protocol::tcp) return {};
  const auto wanted = std::tie(address, port);
  const auto first = std::partition_point(open_providers_.begin(), open_providers_.end(),
                                          [&](const ProviderPlace& p) { return key_of(p) < wanted; });
  const auto last = std::partition_point(first, open_providers_.end(),
                                         [&](const ProviderPlace& p) { return key_of(p) == wanted; });
  return {first, last};
}

void Office::gather_facts() {
  std::vector<std::vector<std::uint32_t>> of_resource(data_.resources.size());
  for (std::uint32_t i = 0; i < data_.policies.size(); ++i) {
    const Policy& p = data_.policies[i];
    PolicyFacts f;
    f.session = p.terms.session;
    f.mfa = p.terms.mfa.value_or(Seconds(0));
    f.has_mfa = p.terms.mfa.has_value();
    f.has_hours = p.terms.hours.has_value();
    f.min_binding = p.terms.min_binding;
    f.deny = p.deny;
    f.anyone = p.anyone;
    f.somebody = p.anyone || !p.users.empty() || !p.groups.empty();
    f.machine = !f.somebody && !(p.tokens.empty() && p.certificates.empty());
    std::tie(f.users_begin, f.users_end) = append(policy_users_, p.users);
    std::tie(f.groups_begin, f.groups_end) = append(policy_groups_, p.groups);
    std::tie(f.tokens_begin, f.tokens_end) = append(policy_tokens_, p.tokens);
    std::tie(f.certificates_begin, f.certificates_end) = append(policy_certificates_, p.certificates);
    facts_.push_back(f);
    for (const ResourceId id : p.resources) {
      if (const auto it = resources_.find(id); it != resources_.end()) of_resource[it->second].push_back(i);
    }
  }
  for (const auto& list : of_resource) policies_at_.push_back(append(policies_of_, list).first);
  policies_at_.push_back(static_cast<std::uint32_t>(policies_of_.size()));
  for (const User& u : data_.users) user_groups_at_.push_back(append(user_groups_, u.groups).first);
  user_groups_at_.push_back(static_cast<std::uint32_t>(user_groups_.size()));
}

void Office::gather_named_ports() {
  for (const Resource& r : data_.resources) {
    for (const Target& t : r.targets) {
      if (t.host) named_ports_[static_cast<std::size_t>(t.protocol)].push_back(t.ports);
    }
  }
  for (auto& ports : named_ports_) {
    std::sort(ports.begin(), ports.end());
    std::vector<PortRange> apart;
    for (const PortRange& p : ports) {
      if (!apart.empty() && p.first <= apart.back().last) {
        apart.back().last = std::max(apart.back().last, p.last);
      } else {
        apart.push_back(p);
      }
    }
    ports = std::move(apart);
  }
}

bool Office::hears_names(std::uint16_t port, Protocol protocol) const noexcept {
  const auto& ports = named_ports_[static_cast<std::size_t>(protocol)];
  const auto after =
      std::upper_bound(ports.begin(), ports.end(), port,
                       [](std::uint16_t p, const PortRange& range) { return p < range.first; });
  return after != ports.begin() && port <= std::prev(after)->last;
}

std::optional<Office::UserFacts> Office::user_facts(UserId id) const noexcept {
  const auto it = users_.find(id);
  if (it == users_.end()) return std::nullopt;
  const std::uint32_t i = it->second;
  return UserFacts{id, data_.users[i].enabled,
                   part(user_groups_, user_groups_at_[i], user_groups_at_[i + 1])};
}

bool Office::names(const PolicyFacts& policy, const UserFacts& user) const noexcept {
  if (policy.anyone) return true;
  const auto users = part(policy_users_, policy.users_begin, policy.users_end);
  if (std::binary_search(users.begin(), users.end(), user.id)) return true;
  const auto groups = part(policy_groups_, policy.groups_begin, policy.groups_end);
  auto group = groups.begin();  // both lists are sorted: walk them side by side
  for (const GroupId mine : user.groups) {
    while (group != groups.end() && *group < mine) ++group;
    if (group == groups.end()) return false;
    if (*group == mine) return true;
  }
  return false;
}

bool Office::accepts(const PolicyFacts& policy, const Proof& proof) const noexcept {
  if (!policy.machine) return false;
  const auto tokens = part(policy_tokens_, policy.tokens_begin, policy.tokens_end);
  if (proof.token != TokenId::none) return std::binary_search(tokens.begin(), tokens.end(), proof.token);
  const auto certificates = part(policy_certificates_, policy.certificates_begin, policy.certificates_end);
  return std::binary_search(certificates.begin(), certificates.end(), proof.certificate);
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

const Token* Office::token(TokenId id) const noexcept { return find_row(data_.tokens, tokens_, id); }
const Certificate* Office::certificate(CertificateId id) const noexcept {
  return find_row(data_.certificates, certificates_, id);
}
const Token* Office::token_with(const Digest& secret_sha256) const noexcept {
  const Token* found = find_row(data_.tokens, by_secret_, first_bytes(secret_sha256));
  return found != nullptr && equal_constant_time(text(found->secret_sha256), text(secret_sha256)) ? found
                                                                                                  : nullptr;
}

const Device* Office::identify(const IpAddress& source, const std::optional<Mac>& mac) const noexcept {
  if (mac) {
    const auto it = by_mac_.find(*mac);
    return it == by_mac_.end() ? nullptr : &data_.devices[it->second];
  }
  const auto it = by_address_.find(source);
  return it == by_address_.end() ? nullptr : &data_.devices[it->second];
}

}  // namespace nightlatch
