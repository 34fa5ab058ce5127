// The words of the office as plain types: what an admin configures and what a flow is judged by.
// Values without behaviour or I/O; read by any thread once built.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/crypto.h"
#include "base/time.h"
#include "policy/host_name.h"

namespace nightlatch {

// Row ids of the store. 0 is no row.
enum class UserId : std::int64_t { none = 0 };
enum class GroupId : std::int64_t { none = 0 };
enum class DeviceId : std::int64_t { none = 0 };
enum class ResourceId : std::int64_t { none = 0 };
enum class PolicyId : std::int64_t { none = 0 };
enum class TokenId : std::int64_t { none = 0 };
enum class CertificateId : std::int64_t { none = 0 };

// How strongly a flow is tied to a device; a policy may ask for a minimum (semantics 9).
enum class Binding : std::uint8_t { address, mac, credential, certificate };

enum class DeviceState : std::uint8_t { active, pending, revoked };
enum class Enrol : std::uint8_t {
  open,
  approve,
  closed
};  // what a sign-in on an unknown device does (semantics 10)
enum class Mode : std::uint8_t {
  enforce,
  observe
};  // observe: let through and log what would have been asked

struct User {
  UserId id{};
  std::string name;
  bool enabled = true;
  std::vector<GroupId> groups;  // sorted
};

struct Group {
  GroupId id{};
  std::string name;
};

struct Device {
  DeviceId id{};
  std::string name;
  std::optional<Mac> mac;            // on-link
  std::vector<IpAddress> addresses;  // off-link: the address alone
  DeviceState state = DeviceState::active;
  bool shared = false;  // the address identifies nobody (semantics 8)
  UserId owner{};       // the user it was enrolled by or assigned to, or none
};

// A prefix or a host pattern, with ports. When `host` is there, `prefix` says nothing and must not be read.
struct Target {
  Prefix prefix;
  PortRange ports;
  Protocol protocol = Protocol::tcp;
  std::optional<HostPattern> host{};
  auto operator<=>(const Target&) const = default;
};

struct Resource {
  ResourceId id{};
  std::string name;
  std::vector<Target> targets;
};

// Where a host of some target is: what the gate's own resolver said lately (proxy/name_keeper.h).
struct HostAddress {
  HostPattern host;  // as the targets have it
  IpAddress address;
  auto operator<=>(const HostAddress&) const = default;
};

// What happens to a live flow when its session runs out (semantics 5).
struct Expiry {
  enum class Kind : std::uint8_t { close, drain, keep } kind = Kind::close;
  Seconds limit{0};  // drain: the warning's length; keep: the longest overstay; close: 0
  auto operator<=>(const Expiry&) const = default;
};

// Weekly spans in the office's local time: "mon-fri 07:00-19:00, sat 09:00-12:00".
struct Hours {
  struct Span {
    std::uint16_t first_minute = 0;  // of the week, Monday 00:00 = 0
    std::uint16_t end_minute = 0;    // exclusive; at most 10080
    auto operator<=>(const Span&) const = default;
  };
  std::vector<Span> spans;  // sorted, not overlapping

  [[nodiscard]] bool contains(WallTime now, Seconds utc_offset) const noexcept;
  // The first instant after `now` at which contains() changes, or kNever.
  [[nodiscard]] WallTime next_change(WallTime now, Seconds utc_offset) const noexcept;
};

struct Terms {
  Seconds session{8 * 3600};   // age below which a sign-in counts; 0 is "every time" (semantics 4)
  std::optional<Seconds> mfa;  // and a second factor younger than this
  Expiry on_expiry;
  std::optional<Hours> hours;   // the policy matches only within these
  std::optional<Seconds> idle;  // a flow silent for so long is closed
  Binding min_binding = Binding::address;
};

struct Policy {
  PolicyId id{};
  std::string name;
  bool deny = false;
  bool anyone = false;                // any enabled user
  std::vector<UserId> users;          // sorted
  std::vector<GroupId> groups;        // sorted
  std::vector<ResourceId> resources;  // sorted
  // Machines: sorted, and never beside persons. One that has proven itself by one of these.
  std::vector<TokenId> tokens{};
  std::vector<CertificateId> certificates{};
  Terms terms;
};

// A secret that was made for a person or for a machine. A person's, sent in a connection (an application
// password), says who that is and nothing more; a machine's (a service token) proves the device.
struct Token {
  TokenId id{};
  std::string name{};                   // a label
  Digest secret_sha256{};               // of what is sent; the secret itself is kept nowhere
  UserId user{};                        // whose it is, or none:
  DeviceId device{};                    // then it is this device's
  bool limited = false;                 // good only for destinations in one of these resources
  std::vector<ResourceId> resources{};  // empty and limited: good for none
  std::optional<WallTime> expires{};    // from then on it is not in force
  bool revoked = false;
};

// Where an OpenID provider is, over TCP. Its own documents and the resolver say so: not to be believed where
// something is that the office protects.
struct ProviderPlace {
  std::string host;  // canonical
  IpAddress address;
  std::uint16_t port = 443;
  bool inside = false;  // an admin has said that this host is within the office
};
// Whether it is reachable before anybody is signed in (semantics 14), or why not.
enum class ProviderReach : std::uint8_t {
  open,
  named,            // a resource is about this very server: that is what counts
  within,           // a resource holds it, and no admin has said that it is inside
  private_address,  // the same of an address that only networks of one's own have
};

// A client certificate by which a device proves itself.
struct Certificate {
  CertificateId id{};
  std::string name{};
  DeviceId device{};
  std::optional<WallTime> expires{};
  bool revoked = false;
};

// Everything that decide() needs to know of the office, as the store holds it at one instant.
struct OfficeData {
  std::int64_t version = 0;  // the store's office_version
  std::vector<User> users;
  std::vector<Group> groups;
  std::vector<Device> devices;
  std::vector<Resource> resources;
  std::vector<HostAddress> host_addresses;  // an address that a target's host has is protected as that host
  std::vector<ProviderPlace> providers;     // of those that are enabled
  std::vector<Policy> policies;             // in order: the first that matches decides
  std::vector<Token> tokens;                // revoked and expired ones too: a refusal can say whose it was
  std::vector<Certificate> certificates;    // revoked and expired ones too
  Seconds certificate_fresh{12 * 3600};     // so long one that was shown ties a device's flows to it
  std::optional<Seconds> session_max;
  bool unprotected_allowed = true;
  Enrol enrol = Enrol::open;
  Mode mode = Mode::enforce;
  Seconds utc_offset{0};  // the office's local time − UTC
};

// Sign-ins on one device, as far as they count now.
struct Presence {
  UserId user{};
  WallTime signed_in{};  // when the user really authenticated (semantics 1)
  std::optional<WallTime> second_factor;
  std::int64_t sign_in_id = 0;
};

// That a device has proven itself, by one of the two, from where its flow comes too.
struct Proof {
  TokenId token{};
  CertificateId certificate{};
  WallTime proven{};
};

}  // namespace nightlatch
