// Office: one consistent picture of the configuration, with the indexes that keep a decision's cost flat as
// resources and policies grow. Built once from OfficeData, immutable afterwards, swapped whole; any thread
// may read.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/model.h"
#include "policy/name_table.h"
#include "policy/prefix_table.h"
#include "policy/special_address.h"

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
  [[nodiscard]] const Token* token(TokenId id) const noexcept;
  [[nodiscard]] const Certificate* certificate(CertificateId id) const noexcept;
  // Whether any device could prove itself.
  [[nodiscard]] bool has_machines() const noexcept { return has_machines_; }
  // By the hash of what was sent; the time that it takes tells nothing of the hashes that are here.
  [[nodiscard]] const Token* token_with(const Digest& secret_sha256) const noexcept;

  // On-link: the MAC names the device and nothing else does. Off-link (no MAC): the address (semantics 9).
  [[nodiscard]] const Device* identify(const IpAddress& source, const std::optional<Mac>& mac) const noexcept;

  // Calls visit(resource index) for each resource that contains the destination; one may come more than once.
  // An IPv6 address that carries an IPv4 one (NAT64 and its like) is in the resources of both.
  template <typename Visit>
  void each_resource(const IpAddress& address, std::uint16_t port, Protocol protocol, Visit&& visit) const {
    prefixes_.each(address, port, protocol, visit);
    for (const IpAddress& inner : embedded_ipv4(address)) prefixes_.each(inner, port, protocol, visit);
  }
  // The same for a host's name, in its canonical form.
  template <typename Visit>
  void each_named(std::string_view name, std::uint16_t port, Protocol protocol,
                  Visit&& visit) const noexcept {
    names_.each(name, port, protocol, visit);
  }
  [[nodiscard]] bool names_hosts() const noexcept {
    return !named_ports_[0].empty() || !named_ports_[1].empty();
  }
  [[nodiscard]] bool is_named(std::string_view name) const noexcept { return names_.holds(name); }
  // Whether that address was found for a target's host, as the target has it.
  [[nodiscard]] bool has_address(const HostPattern& host, const IpAddress& address) const;
  // Whether a place where a provider is, or might be, is reachable before anybody is signed in; and the
  // resource that it is in.
  struct ProviderStanding {
    ProviderReach reach = ProviderReach::open;
    const Resource* resource = nullptr;
  };
  [[nodiscard]] ProviderStanding standing_of(const ProviderPlace& place) const;
  // The places that are: sorted by address and port.
  [[nodiscard]] std::span<const ProviderPlace> open_providers() const noexcept { return open_providers_; }
  [[nodiscard]] std::span<const ProviderPlace> providers_at(const IpAddress& address, std::uint16_t port,
                                                            Protocol protocol) const noexcept;
  // Whether some resource names hosts at this port: then a flow's name matters, and has to be heard.
  [[nodiscard]] bool hears_names(std::uint16_t port, Protocol protocol) const noexcept;

  // Indexes into data().policies, ascending: the policies that name this resource (by index into
  // data().resources).
  [[nodiscard]] std::span<const std::uint32_t> policies_of(std::uint32_t resource) const noexcept {
    return part(policies_of_, policies_at_[resource], policies_at_[resource + 1]);
  }

  // What decide() reads of a policy: small, side by side, so that a decision touches few cache lines. By
  // index into data().policies; everything else about the policy is there.
  struct PolicyFacts {
    Seconds session{0};
    Seconds mfa{0};
    std::uint32_t users_begin = 0, users_end = 0;
    std::uint32_t groups_begin = 0, groups_end = 0;
    std::uint32_t tokens_begin = 0, tokens_end = 0;
    std::uint32_t certificates_begin = 0, certificates_end = 0;
    Binding min_binding = Binding::address;
    bool deny = false;
    bool anyone = false;
    bool somebody = false;  // it names anyone at all
    bool machine = false;   // it names machines, and no person
    bool has_mfa = false;
    bool has_hours = false;
  };
  [[nodiscard]] const PolicyFacts& facts(std::uint32_t policy) const noexcept { return facts_[policy]; }

  // A user's row and groups, sorted.
  struct UserFacts {
    UserId id{};
    bool enabled = false;
    std::span<const GroupId> groups;
  };
  [[nodiscard]] std::optional<UserFacts> user_facts(UserId id) const noexcept;
  [[nodiscard]] bool names(const PolicyFacts& policy, const UserFacts& user) const noexcept;
  // Whether it is about machines, and this proof is by one of what it names.
  [[nodiscard]] bool accepts(const PolicyFacts& policy, const Proof& proof) const noexcept;

 private:
  template <typename T>
  static std::span<const T> part(const std::vector<T>& all, std::uint32_t begin, std::uint32_t end) noexcept {
    return std::span(all).subspan(begin, end - begin);
  }
  void gather_facts();
  void gather_named_ports();
  void gather_providers();
  // Whether the target is about this very server: its one address, or a host that is there.
  [[nodiscard]] bool names(const Target& target, const ProviderPlace& place) const;

  OfficeData data_;
  bool has_machines_ = false;
  PrefixTable prefixes_;
  NameTable names_;
  std::array<std::vector<PortRange>, 2> named_ports_;  // by protocol: sorted, apart
  // The lists of all resources, policies and users, each kind end to end; *_at_ says where each one's begins.
  std::vector<std::uint32_t> policies_of_, policies_at_;
  std::vector<PolicyFacts> facts_;
  std::vector<UserId> policy_users_;
  std::vector<GroupId> policy_groups_, user_groups_;
  std::vector<TokenId> policy_tokens_;
  std::vector<CertificateId> policy_certificates_;
  std::vector<std::uint32_t> user_groups_at_;
  std::vector<ProviderPlace> open_providers_;  // sorted
  std::unordered_map<UserId, std::uint32_t> users_;
  std::unordered_map<DeviceId, std::uint32_t> devices_;
  std::unordered_map<ResourceId, std::uint32_t> resources_;
  std::unordered_map<PolicyId, std::uint32_t> policies_;
  std::unordered_map<TokenId, std::uint32_t> tokens_;
  std::unordered_map<CertificateId, std::uint32_t> certificates_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_secret_;  // by the first bytes of its hash
  std::unordered_map<Mac, std::uint32_t> by_mac_;
  std::unordered_map<IpAddress, std::uint32_t> by_address_;
};

}  // namespace nightlatch
