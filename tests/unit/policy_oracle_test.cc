// decide() against the naive oracle: over the product of its input classes, around every boundary in time,
// and on random offices. A case that differs prints both answers and how it was made.
#include "tests/unit/policy_oracle.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "policy/parse.h"

namespace nightlatch {
namespace {

using oracle::Oracle;

const WallTime kMonday = *parse_rfc3339("2026-11-23T10:00:00Z");

Resource make_resource(int id, const std::vector<std::string>& targets) {
  Resource r{.id = ResourceId(id), .name = "r" + std::to_string(id), .targets = {}};
  for (const std::string& t : targets) r.targets.push_back(*parse_target(t, "test"));
  return r;
}

Policy make_policy(int id, bool deny, std::vector<ResourceId> resources) {
  Policy p;
  p.id = PolicyId(id);
  p.name = "p" + std::to_string(id);
  p.deny = deny;
  p.resources = std::move(resources);
  return p;
}

struct Tally {
  std::uint64_t cases = 0;
  int failures = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Reason::machines_only) + 1> reasons{};

  // Returns false once enough has been said.
  bool check(const Office& office, const Subject& s, const Destination& d, WallTime now,
             const std::string& how) {
    const Verdict v = decide(office, s, d, now);
    const auto expected = Oracle(office.data(), s, now).decide(d);
    ++cases;
    ++reasons[static_cast<std::size_t>(v.reason)];
    if (oracle::from(v) == expected) return true;
    ADD_FAILURE() << how << "\n  to " << d.address.text() << ':' << d.port << '/' << to_text(d.protocol)
                  << "\n  decide: " << oracle::from(v) << "\n  oracle: " << expected;
    return ++failures < 5;
  }

  void print(const char* name) const {
    std::printf("%s: %llu cases\n", name, static_cast<unsigned long long>(cases));
  }
};

constexpr UserId kAlice{1}, kBob{2}, kCarol{3}, kGone{99};
constexpr GroupId kStaff{1}, kGuests{2};

// Alice is listed or not by each policy; Bob is in the staff; Carol in nothing; Dave (4) is disabled.
OfficeData people() {
  OfficeData o;
  o.users = {{kAlice, "alice", true, {}},
             {kBob, "bob", true, {kStaff}},
             {kCarol, "carol", true, {kGuests}},
             {UserId(4), "dave", false, {kStaff}}};
  o.groups = {{kStaff, "staff"}, {kGuests, "guests"}};
  o.resources = {make_resource(1, {"10.0.0.0/16:1-1024/tcp", "[2001:db8::/32]:443/tcp"}),
                 make_resource(2, {"10.0.1.0/24:443/tcp", "10.0.1.0/24:53/udp", "wiki.lan:443/tcp"}),
                 make_resource(3, {"10.0.1.7:443/tcp", "10.9.0.0/16:*/tcp", "*.corp.lan:*/tcp"})};
  o.host_addresses = {{*HostPattern::parse("wiki.lan", "test"), *IpAddress::parse("192.0.2.1")}};
  return o;
}

const ResourceId kR1{1}, kR2{2}, kR3{3};

enum class Who { listed, group, anyone, empty };
Policy rule(int id, bool deny, Who who, std::vector<ResourceId> resources, const char* hours = nullptr,
            Binding binding = Binding::address) {
  Policy p = make_policy(id, deny, std::move(resources));
  if (who == Who::listed) p.users = {kAlice, UserId(4)};
  if (who == Who::group) p.groups = {kStaff};
  p.anyone = who == Who::anyone;
  if (hours != nullptr) p.terms.hours = *parse_hours(hours, "test");
  p.terms.min_binding = binding;
  return p;
}

// Policy lists: each exercises an order that matters.
std::vector<std::vector<Policy>> policy_lists() {
  constexpr const char* day = "mon-fri 09:00-17:00";
  constexpr const char* night = "mon-sun 20:00-06:00";
  return {
      {},
      {rule(1, false, Who::listed, {kR1})},
      {rule(1, false, Who::listed, {kR2}), rule(2, false, Who::group, {kR1})},
      {rule(1, true, Who::listed, {kR1}), rule(2, false, Who::anyone, {kR1, kR2, kR3})},
      {rule(1, false, Who::anyone, {kR2}), rule(2, true, Who::anyone, {kR1, kR2, kR3})},
      {rule(1, true, Who::anyone, {kR1}), rule(2, false, Who::anyone, {kR1, kR2})},
      {rule(1, true, Who::anyone, {kR3}), rule(2, false, Who::group, {kR1}),
       rule(3, false, Who::listed, {kR2})},
      {rule(1, false, Who::listed, {kR1, kR2}, day), rule(2, false, Who::listed, {kR3})},
      {rule(1, true, Who::anyone, {kR1}, night), rule(2, false, Who::anyone, {kR1}, day)},
      {rule(1, true, Who::group, {kR1, kR3}, day), rule(2, false, Who::anyone, {kR1, kR2, kR3}, day)},
      {rule(1, false, Who::anyone, {kR1}, nullptr, Binding::mac), rule(2, false, Who::anyone, {kR2})},
      {rule(1, false, Who::listed, {kR1}, nullptr, Binding::credential),
       rule(2, false, Who::group, {kR1, kR2}, day)},
      {rule(1, false, Who::listed, {kR1}, day, Binding::certificate), rule(2, true, Who::anyone, {kR1, kR2})},
      {rule(1, false, Who::empty, {kR1, kR2, kR3}), rule(2, true, Who::empty, {kR1})},
      {rule(7, false, Who::group, {kR3, kR1}, night), rule(3, false, Who::listed, {kR2, kR1}),
       rule(5, true, Who::anyone, {ResourceId(77)})},
  };
}

// What a flow may be heard to be for: one host, two, and one that was asked for with another in it.
const std::array<std::vector<std::string_view>, 3> kNames{
    {{"wiki.lan"}, {"a.corp.lan", "wiki.lan"}, {"free.example", "wiki.lan", "b.a.corp.lan"}}};

std::vector<Destination> destinations() {
  const auto ip = [](const char* text) { return *IpAddress::parse(text); };
  return {{ip("10.0.0.1"), 443, Protocol::tcp},
          {ip("10.0.1.1"), 443, Protocol::tcp},
          {ip("10.0.1.7"), 443, Protocol::tcp},
          {ip("10.0.1.7"), 53, Protocol::udp},
          {ip("10.0.0.1"), 1024, Protocol::tcp},
          {ip("10.0.0.1"), 1025, Protocol::tcp},
          {ip("10.9.255.255"), 1, Protocol::tcp},
          {ip("10.9.0.0"), 65535, Protocol::udp},
          {ip("2001:db8::7"), 443, Protocol::tcp},
          {ip("2001:db9::7"), 443, Protocol::tcp},
          {ip("::ffff:10.0.1.7"), 443, Protocol::tcp},
          {ip("64:ff9b::10.0.1.7"), 443, Protocol::tcp},
          {ip("192.0.2.1"), 443, Protocol::tcp},
          {ip("192.0.2.1"), 443, Protocol::tcp, kNames[0], 0},
          {ip("192.0.2.9"), 443, Protocol::tcp, kNames[0], 0},
          {ip("192.0.2.9"), 443, Protocol::tcp, kNames[0], 1},
          {ip("192.0.2.9"), 443, Protocol::udp, kNames[0], 1},
          {ip("10.0.0.1"), 443, Protocol::tcp, kNames[1], 0},
          {ip("192.0.2.9"), 443, Protocol::tcp, kNames[2], 1},
          {ip("192.0.2.9"), 80, Protocol::tcp, kNames[1], 2}};
}

const std::array<Device, 4> kDevices{
    {{DeviceId(1), "laptop", std::nullopt, {}, DeviceState::active, false, kAlice},
     {DeviceId(2), "new", std::nullopt, {}, DeviceState::pending, false, kAlice},
     {DeviceId(3), "stolen", std::nullopt, {}, DeviceState::revoked, false, kAlice},
     {DeviceId(4), "terminal", std::nullopt, {}, DeviceState::active, true, kAlice}}};

TEST(Oracle, ProductOfInputClasses) {
  Tally tally;
  const std::array<WallTime, 3> instants{kMonday, kMonday + Seconds(12 * 3600), kMonday + Seconds(5 * 86400)};
  const std::array<UserId, 6> users{UserId::none, kAlice, kBob, kCarol, UserId(4), kGone};
  int list_number = 0;
  for (const auto& policies : policy_lists()) {
    ++list_number;
    for (const Enrol enrol : {Enrol::open, Enrol::approve, Enrol::closed}) {
      OfficeData data = people();
      data.policies = policies;
      data.enrol = enrol;
      data.unprotected_allowed = enrol != Enrol::closed;
      const Office office(std::move(data));
      for (int device = -1; device < 4; ++device) {
        // The setting matters to unknown devices only; one of the others stands for all.
        if (enrol == Enrol::approve && device > 0) continue;
        for (const UserId user : users) {
          for (int binding = 0; binding < 4; ++binding) {
            for (const bool set_back : {false, true}) {
              for (const WallTime now : instants) {
                Subject s{.device = device < 0 ? nullptr : &kDevices[static_cast<std::size_t>(device)],
                          .presence = {},
                          .binding = Binding(binding),
                          .clock_set_back = set_back};
                if (user != UserId::none) s.presence = Presence{user, now - Seconds(3600), {}, 1};
                for (const Destination& d : destinations()) {
                  const std::string how = "list " + std::to_string(list_number) + " device " +
                                          std::to_string(device) + " user " +
                                          std::to_string(static_cast<int>(user)) + " binding " +
                                          std::to_string(binding) + " set back " + std::to_string(set_back);
                  if (!tally.check(office, s, d, now, how)) return;
                }
              }
            }
          }
        }
      }
    }
  }
  tally.print("product");
  EXPECT_GT(tally.cases, 200'000U);
}

// What a client may send: nothing that we know, and tokens of all sorts, each beside every presence on every
// device.
std::vector<Token> tokens() {
  const auto token = [](UserId user) { return Token{.id = TokenId(1), .name = "t", .user = user}; };
  std::vector<Token> all{token(kAlice), token(kBob), token(UserId(4)), token(kGone)};
  const auto add = [&](const auto& change) {
    all.push_back(token(kAlice));
    change(all.back());
  };
  add([](Token& t) { t.revoked = true; });
  add([](Token& t) { t.expires = kMonday; });
  add([](Token& t) { t.expires = kMonday + Millis(1); });
  add([](Token& t) { t.expires = kMonday + Seconds(3600), t.limited = true; });
  add([](Token& t) { t.limited = true, t.resources = {kR1}; });
  add([](Token& t) { t.limited = true, t.resources = {ResourceId(77), kR3}; });
  add([](Token& t) { t.resources = {kR3}; });  // not limited: the list says nothing
  return all;
}

TEST(Oracle, ProductOfCredentials) {
  Tally tally;
  const std::vector<Token> sent = tokens();
  for (const auto& policies : policy_lists()) {
    for (const Enrol enrol : {Enrol::open, Enrol::closed}) {
      OfficeData data = people();
      data.policies = policies;
      data.enrol = enrol;
      const Office office(std::move(data));
      for (int device = -1; device < 4; ++device) {
        for (const UserId user : {UserId::none, kAlice, kBob, UserId(4)}) {
          for (const Binding binding : {Binding::address, Binding::mac, Binding::certificate}) {
            for (const bool set_back : {false, true}) {
              for (int token = -1; token < static_cast<int>(sent.size()); ++token) {
                Subject s{.device = device < 0 ? nullptr : &kDevices[static_cast<std::size_t>(device)],
                          .presence = {},
                          .binding = binding,
                          .clock_set_back = set_back};
                s.credential = SentCredential{token < 0 ? nullptr : &sent[static_cast<std::size_t>(token)]};
                if (user != UserId::none) s.presence = Presence{user, kMonday - Seconds(3600), {}, 1};
                for (const Destination& d : destinations()) {
                  const std::string how = "device " + std::to_string(device) + " user " +
                                          std::to_string(static_cast<int>(user)) + " token " +
                                          std::to_string(token) + " set back " + std::to_string(set_back);
                  if (!tally.check(office, s, d, kMonday, how)) return;
                }
              }
            }
          }
        }
      }
    }
  }
  tally.print("credentials");
  EXPECT_GT(tally.cases, 200'000U);
}

// Machines: tokens 11 and 12 are the NAS's, 13 that of a machine which no place has been found for, 14 of one
// that is pending, 15 of one that is shared, 16 of one that is revoked; 17 is Alice's. Certificates 21 to 24
// likewise.
const Mac kNasMac = *Mac::parse("02:00:00:00:00:05");
const std::array<Device, 8> kMachines{
    {{DeviceId(1), "laptop", std::nullopt, {}, DeviceState::active, false, kAlice},
     {DeviceId(2), "new", kNasMac, {}, DeviceState::pending, false, {}},
     {DeviceId(3), "stolen", std::nullopt, {}, DeviceState::revoked, false, {}},
     {DeviceId(4), "terminal", std::nullopt, {}, DeviceState::active, true, {}},
     {DeviceId(5), "nas", kNasMac, {}, DeviceState::active, false, {}},
     {DeviceId(6), "roaming", std::nullopt, {}, DeviceState::active, false, {}},
     {DeviceId(7), "camera", std::nullopt, {IpAddress::v4(1)}, DeviceState::active, false, kBob},
     {DeviceId(8), "revoked", std::nullopt, {}, DeviceState::revoked, true, {}}}};

std::vector<Token> machine_tokens() {
  const auto token = [](int id, int device) {
    return Token{.id = TokenId(id), .name = "t", .user = {}, .device = DeviceId(device)};
  };
  std::vector<Token> all{token(11, 5), token(12, 5), token(13, 6), token(14, 2), token(15, 4), token(16, 3)};
  all.push_back({.id = TokenId(17), .name = "t", .user = kAlice});
  all.push_back(token(18, 5));
  all[1].expires = kMonday + Seconds(1800);
  all[1].limited = true;
  all[1].resources = {kR1};
  all.back().revoked = true;
  return all;
}

std::vector<Certificate> machine_certificates() {
  return {{CertificateId(21), "c", DeviceId(5)},
          {CertificateId(22), "c", DeviceId(5), kMonday + Seconds(600)},
          {CertificateId(23), "c", DeviceId(5), std::nullopt, true},
          {CertificateId(24), "c", DeviceId(4)}};
}

Policy machine_rule(int id, bool deny, std::vector<TokenId> tokens, std::vector<CertificateId> certificates,
                    std::vector<ResourceId> resources, Binding binding = Binding::address,
                    Seconds session = Seconds(3600)) {
  Policy p = make_policy(id, deny, std::move(resources));
  p.tokens = std::move(tokens);
  p.certificates = std::move(certificates);
  p.terms.min_binding = binding;
  p.terms.session = session;
  return p;
}

// Persons and machines in every order.
std::vector<std::vector<Policy>> machine_lists() {
  constexpr const char* night = "mon-sun 20:00-06:00";
  const TokenId nas{11}, small{12}, roaming{13}, shared{15}, gone{99};
  const CertificateId cert{21}, brief{22};
  const Policy backup = machine_rule(1, false, {nas, roaming, shared}, {}, {kR1});
  Policy later = backup, strange = backup, factor = backup, nightly = backup, no_nights = backup;
  later.id = PolicyId(9);
  strange.users = {kAlice};  // no command makes such a one: it is about the person
  factor.terms.mfa = Seconds(3600);
  nightly.terms.hours = *parse_hours(night, "test");
  no_nights.terms.hours = nightly.terms.hours;
  no_nights.deny = true;
  const Policy staff = rule(5, false, Who::group, {kR1, kR2});
  const Policy all = rule(6, false, Who::anyone, {kR1});
  return {
      {backup},
      {backup, all},
      {all, later},
      {rule(2, true, Who::listed, {kR1}), later},
      {rule(2, true, Who::anyone, {kR1}), later},
      {backup, rule(2, true, Who::anyone, {kR1})},
      {machine_rule(2, true, {nas}, {cert}, {kR1}), staff, all},
      {staff, machine_rule(8, true, {nas}, {}, {kR1, kR2}), all},
      {machine_rule(2, false, {}, {cert, brief}, {kR1, kR2}, Binding::certificate), staff},
      {machine_rule(2, false, {nas}, {cert}, {kR1}, Binding::credential, Seconds(7200)), later},
      {machine_rule(2, false, {small, gone}, {brief}, {kR1, kR2}, Binding::mac, Seconds(0)), later, staff},
      {rule(2, false, Who::listed, {kR1}, nullptr, Binding::certificate), later},
      {rule(2, false, Who::anyone, {kR1}, nullptr, Binding::certificate), rule(3, true, Who::anyone, {kR1})},
      {strange, machine_rule(3, false, {gone}, {}, {kR2})},
      {factor, all},
      {nightly, rule(4, false, Who::listed, {kR1}, "mon-fri 09:00-17:00")},
      {no_nights, all, later},
      {machine_rule(1, false, {nas}, {}, {kR3}, Binding::address, Seconds(1800)),
       rule(2, true, Who::listed, {kR2}), machine_rule(3, false, {}, {cert}, {kR2, kR1})},
  };
}

std::vector<std::vector<Proof>> proofs(WallTime now) {
  const auto token = [&](int id, std::int64_t age_s) {
    return Proof{TokenId(id), CertificateId::none, now - Seconds(age_s)};
  };
  const auto shown = [&](int id, std::int64_t age_s) {
    return Proof{TokenId::none, CertificateId(id), now - Seconds(age_s)};
  };
  return {{},
          {token(11, 60)},
          {token(11, 5400)},
          {token(12, 10), token(11, 5400)},
          {token(11, 40 * 86400), token(18, 1), token(17, 1), token(99, 1)},
          {shown(21, 60)},
          {shown(21, 13 * 3600), token(11, 0)},
          {shown(22, 500), shown(23, 1), shown(99, 1)},
          {shown(24, 1), token(15, 1), token(13, 1)},
          {token(11, -3), shown(21, -1)}};
}

TEST(Oracle, ProductOfMachines) {
  Tally tally;
  const std::array<WallTime, 2> instants{kMonday, kMonday + Seconds(12 * 3600)};
  const std::vector<Destination> places = destinations();
  for (const auto& policies : machine_lists()) {
    for (const auto& ceiling : {std::optional<Seconds>(), std::optional(Seconds(900))}) {
      OfficeData data = people();
      data.policies = policies;
      data.devices.assign(kMachines.begin(), kMachines.end());
      data.tokens = machine_tokens();
      data.certificates = machine_certificates();
      data.session_max = ceiling;
      data.enrol = ceiling ? Enrol::closed : Enrol::open;
      const Office office(std::move(data));
      for (const WallTime now : instants) {
        const auto all_proofs = proofs(now);
        for (int device = -1; device < 8; ++device) {
          for (std::size_t shown = 0; shown < all_proofs.size(); ++shown) {
            for (const UserId user : {UserId::none, kAlice, kBob}) {
              for (const std::int64_t age : {600, 10 * 3600}) {
                for (int token = -2; token < 8; ++token) {
                  for (const Binding binding : {token < 0 ? Binding::mac : Binding::address}) {
                    const bool set_back = age == 600 && shown == 1 && user == kAlice;
                    Subject s{.device = device < 0 ? nullptr
                                                   : &office.data().devices[static_cast<std::size_t>(device)],
                              .presence = {},
                              .binding = binding,
                              .clock_set_back = set_back,
                              .credential = {},
                              .proofs = all_proofs[shown]};
                    if (token > -2)
                      s.credential = SentCredential{
                          token < 0 ? nullptr : &office.data().tokens[static_cast<std::size_t>(token)],
                          now - Seconds(age - 600)};
                    if (user != UserId::none) s.presence = Presence{user, now - Seconds(age), {}, 1};
                    for (const std::size_t place : {0U, 1U, 9U, 17U}) {
                      const std::string how =
                          "first policy " + std::to_string(static_cast<int>(policies[0].id)) + " device " +
                          std::to_string(device) + " user " + std::to_string(static_cast<int>(user)) +
                          " token " + std::to_string(token) + " proofs " + std::to_string(shown) + " age " +
                          std::to_string(age);
                      if (!tally.check(office, s, places[place], now, how)) return;
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  tally.print("machines");
  EXPECT_GT(tally.cases, 1'000'000U);
  for (const Reason r : {Reason::credential_elsewhere, Reason::proof_expired, Reason::machines_only})
    EXPECT_GT(tally.reasons[static_cast<std::size_t>(r)], 1'000U) << to_text(r);
}

// Every pair of a session and a ceiling, with ages on both sides of each boundary.
TEST(Oracle, EveryBoundaryInTime) {
  Tally tally;
  const std::array<std::optional<Seconds>, 5> ceilings{std::nullopt, Seconds(0), Seconds(30), Seconds(60),
                                                       Seconds(3600)};
  const std::array<std::optional<Seconds>, 4> factors{std::nullopt, Seconds(0), Seconds(60), Seconds(900)};
  std::vector<Millis> ages;
  for (const std::int64_t edge : {0, 30'000, 60'000, 900'000, 3'600'000, 28'800'000, -2000}) {
    for (const std::int64_t by : {-1, 0, 1}) ages.emplace_back(edge + by);
  }
  ages.emplace_back(Millis(-3'600'000));
  for (const Seconds session : {Seconds(0), Seconds(60), Seconds(900), Seconds(8 * 3600)}) {
    for (const auto& ceiling : ceilings) {
      for (const auto& factor : factors) {
        for (const char* hours : {"", "mon-fri 07:00-19:00", "mon 10:00-10:01"}) {
          OfficeData data = people();
          data.session_max = ceiling;
          data.policies = {rule(1, true, Who::listed, {kR1}, "mon 10:30-11:00"),
                           rule(2, false, Who::anyone, {kR1})};
          data.policies[1].terms.session = session;
          data.policies[1].terms.mfa = factor;
          if (hours[0] != '\0') data.policies[1].terms.hours = *parse_hours(hours, "test");
          const Office office(std::move(data));
          for (const UserId user : {kAlice, kBob}) {
            for (const Millis age : ages) {
              for (int f = -1; f < static_cast<int>(ages.size()); ++f) {
                Presence presence{user, kMonday - age, {}, 1};
                if (f >= 0) presence.second_factor = kMonday - ages[static_cast<std::size_t>(f)];
                const Subject s{.device = kDevices.data(), .presence = presence, .binding = Binding::mac};
                const std::string how = "session " + std::to_string(session.count()) + " age " +
                                        std::to_string(age.count()) + " hours " + hours;
                if (!tally.check(office, s, destinations()[0], kMonday, how)) return;
              }
            }
          }
        }
      }
    }
  }
  tally.print("boundaries");
  EXPECT_GT(tally.cases, 200'000U);
}

class RandomOffice {
 public:
  explicit RandomOffice(std::uint64_t seed) : random_(seed) {}

  bool one_in(std::uint32_t n) { return below(n) == 0; }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  IpAddress address() {
    // Few addresses, so that prefixes overlap and look-ups hit.
    if (one_in(3)) {
      std::array<std::uint8_t, 16> b{0x20, 0x01, 0x0d, 0xb8};
      b[7] = static_cast<std::uint8_t>(below(3));
      b[15] = static_cast<std::uint8_t>(below(4));
      return IpAddress::v6(b);
    }
    return IpAddress::v4(0x0a000000U | below(2) << 16 | below(2) << 8 | below(6));
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(one_in(8) ? 65535 : 1 + below(6)); }

  Target target() {
    Target t;
    if (one_in(4)) t.host = host();
    t.prefix.address = address();
    const std::array<std::uint8_t, 7> four{0, 8, 16, 24, 30, 31, 32};
    const std::array<std::uint8_t, 7> six{0, 1, 32, 63, 64, 127, 128};
    t.prefix.bits = t.prefix.address.is_v4() ? four[below(7)] : six[below(7)];
    if (!one_in(6)) t.prefix = t.prefix.normalized();
    const std::uint16_t a = port(), b = port();
    t.ports = one_in(2) ? PortRange{a, a} : PortRange{std::min(a, b), std::max(a, b)};
    if (one_in(6)) t.ports = PortRange{};
    t.protocol = one_in(3) ? Protocol::udp : Protocol::tcp;
    return t;
  }

  HostPattern host() {
    const std::array<const char*, 4> patterns{"wiki.lan", "*.corp.lan", "*.a.corp.lan", "a.corp.lan"};
    return *HostPattern::parse(patterns[below(4)], "test");
  }

  // Up to three names of one flow, into `names`, which the destination only points to.
  Destination destination(std::vector<std::string_view>& names) {
    const std::array<std::string_view, 5> hosts{"wiki.lan", "a.corp.lan", "b.a.corp.lan", "free.example",
                                                "corp.lan"};
    names.clear();
    for (std::uint32_t n = one_in(2) ? 0 : below(4); n > 0; --n) names.push_back(hosts[below(5)]);
    return {address(), port(), one_in(3) ? Protocol::udp : Protocol::tcp, names,
            below(static_cast<std::uint32_t>(names.size()) + 1)};
  }

  Hours hours() {
    Hours h;
    std::uint32_t at = below(4000);
    for (std::uint32_t n = below(4); n > 0; --n) {
      const std::uint32_t end = std::min(at + 1 + below(3000), 10080U);
      if (at < end) h.spans.push_back({static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(end)});
      at = end + below(2000);
    }
    return h;
  }

  Policy policy(int id) {
    Policy p = make_policy(id, one_in(4), {});
    p.anyone = one_in(5);
    for (std::uint32_t n = below(3); n > 0; --n) p.users.push_back(UserId(1 + below(6)));
    for (std::uint32_t n = below(3); n > 0; --n) p.groups.push_back(GroupId(1 + below(4)));
    for (std::uint32_t n = 1 + below(4); n > 0; --n) p.resources.push_back(ResourceId(1 + below(12)));
    const std::array<int, 4> sessions{0, 60, 3600, 28800};
    p.terms.session = Seconds(sessions[below(4)]);
    if (one_in(3)) p.terms.mfa = Seconds(sessions[below(4)]);
    if (one_in(3)) p.terms.hours = hours();
    if (one_in(4)) p.terms.min_binding = Binding(below(4));
    if (one_in(3)) {
      p.anyone = false;
      p.users.clear();
      p.groups.clear();
      for (std::uint32_t n = below(4); n > 0; --n) p.tokens.push_back(TokenId(1 + below(5)));
      for (std::uint32_t n = below(3); n > 0; --n) p.certificates.push_back(CertificateId(1 + below(4)));
    }
    return p;
  }

  Token token(int id) {
    Token t{.id = TokenId(id), .name = "t", .user = UserId(1 + below(6))};
    t.limited = one_in(3);
    for (std::uint32_t n = below(4); n > 0; --n) t.resources.push_back(ResourceId(1 + below(12)));
    if (one_in(3)) t.expires = kMonday + Seconds(below(604'800));
    t.revoked = one_in(6);
    if (one_in(2)) {
      t.user = UserId::none;
      t.device = DeviceId(one_in(2) ? 5 : 1 + below(8));
    }
    return t;
  }

  OfficeData office() {
    OfficeData o;
    for (int i = 1; i <= 5; ++i) {
      User u{UserId(i), "u" + std::to_string(i), !one_in(6), {}};
      for (std::uint32_t n = below(4); n > 0; --n) u.groups.push_back(GroupId(1 + below(4)));
      o.users.push_back(u);
    }
    for (std::uint32_t i = 1, n = below(11); i <= n; ++i) {
      Resource r{ResourceId(i), "r" + std::to_string(i), {}};
      for (std::uint32_t k = 1 + below(4); k > 0; --k) r.targets.push_back(target());
      o.resources.push_back(r);
    }
    for (std::uint32_t n = below(4); n > 0; --n) o.host_addresses.push_back({host(), address()});
    const std::array<const char*, 3> providers{"a.corp.lan", "free.example", "wiki.lan"};
    for (std::uint32_t n = one_in(3) ? below(12) : 0; n > 0; --n) {
      o.providers.push_back({providers[below(3)], address(), port(), one_in(2)});
    }
    for (int i = 1, n = static_cast<int>(below(12)); i <= n; ++i) o.policies.push_back(policy(i));
    for (int i = 1, n = static_cast<int>(below(5)); i <= n; ++i) o.tokens.push_back(token(i));
    o.devices.assign(kMachines.begin(), kMachines.end());
    for (int i = 1; i <= 3; ++i) {
      Certificate c{CertificateId(i), "c", DeviceId(one_in(2) ? 5 : 1 + below(8))};
      if (one_in(3)) c.expires = kMonday + Seconds(below(604'800));
      c.revoked = one_in(6);
      o.certificates.push_back(c);
    }
    o.certificate_fresh = Seconds(one_in(3) ? 600 : 12 * 3600);
    const std::array<int, 3> ceilings{0, 600, 7200};
    if (one_in(3)) o.session_max = Seconds(ceilings[below(3)]);
    o.unprotected_allowed = !one_in(3);
    o.enrol = Enrol(below(3));
    o.utc_offset = Seconds((static_cast<std::int64_t>(below(105)) - 48) * 900);
    return o;
  }

  Subject subject(const OfficeData& office, WallTime now) {
    Subject s;
    if (one_in(3)) {
      const auto n = static_cast<std::uint32_t>(office.tokens.size());
      s.credential = SentCredential{n == 0 || one_in(6) ? nullptr : &office.tokens[below(n)],
                                    now - Seconds(one_in(2) ? 0 : below(7200))};
    }
    if (!one_in(5)) s.device = &office.devices[one_in(4) ? below(8) : one_in(4) ? 0 : 4];
    proofs_.clear();
    if (!one_in(3)) {
      for (std::uint32_t n = below(4); n > 0; --n) {
        const std::array<std::int64_t, 6> ages{0, 600'000, 3'600'000, 86'400'000, 2'592'000'000, -2000};
        Proof p{TokenId::none, CertificateId::none,
                now - Millis(ages[below(6)] + static_cast<std::int64_t>(below(3)) - 1)};
        if (one_in(2)) p.token = TokenId(1 + below(5));
        if (p.token == TokenId::none) p.certificate = CertificateId(1 + below(4));
        proofs_.push_back(p);
      }
    }
    s.proofs = proofs_;
    s.binding = Binding(below(4));
    s.clock_set_back = one_in(12);
    if (!one_in(6)) {
      const std::array<std::int64_t, 6> ages{0, 60'000, 600'000, 3'600'000, 28'800'000, -2000};
      const auto age = [&] { return Millis(ages[below(6)] + static_cast<std::int64_t>(below(3)) - 1); };
      s.presence = Presence{UserId(1 + below(6)), now - age(), {}, 1};
      if (!one_in(3)) s.presence->second_factor = now - age();
    }
    return s;
  }

 private:
  std::mt19937_64 random_;
  std::vector<Proof> proofs_;  // of the last subject
};

TEST(Oracle, RandomOffices) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 2500; ++seed) {
    RandomOffice random(seed);
    const Office office(random.office());
    std::vector<std::string_view> names;
    for (int i = 0; i < 200; ++i) {
      const WallTime now = kMonday + Millis(static_cast<std::int64_t>(random.below(604'800)) * 1000 +
                                            random.below(2) * std::int64_t{60'000});
      const Subject s = random.subject(office.data(), now);
      const Destination d = random.destination(names);
      if (!tally.check(office, s, d, now, "seed " + std::to_string(seed) + " case " + std::to_string(i)))
        return;
    }
    for (const Resource& r : office.data().resources) {
      const Subject s = random.subject(office.data(), kMonday);
      ASSERT_EQ(oracle::from(decide_resource(office, s, r, kMonday)),
                Oracle(office.data(), s, kMonday).judge({r}))
          << "seed " << seed << " resource " << r.name;
      ++tally.cases;
    }
  }
  tally.print("random");
  EXPECT_GT(tally.cases, 300'000U);
  for (std::size_t i = 0; i < tally.reasons.size(); ++i) {
    EXPECT_GT(tally.reasons[i], 100U) << "hardly ever reached: " << to_text(Reason(i));
  }
}

}  // namespace
}  // namespace nightlatch
