// decide() allocates nothing: every operator new of this test program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "policy/decide.h"
#include "policy/name_table.h"
#include "policy/parse.h"

namespace {
std::atomic<std::uint64_t> allocations{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* p = std::malloc(size == 0 ? 1 : size);
  if (p == nullptr) std::abort();
  return p;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace nightlatch {
namespace {

OfficeData big_office() {
  OfficeData o;
  for (int i = 1; i <= 50; ++i)
    o.users.push_back({UserId(i), "u" + std::to_string(i), i % 7 != 0, {GroupId(i % 5 + 1)}});
  for (int i = 1; i <= 200; ++i) {
    Resource r{ResourceId(i), "r" + std::to_string(i), {}};
    r.targets.push_back(*parse_target("10.0." + std::to_string(i % 50) + ".0/24:443", "x"));
    r.targets.push_back(*parse_target("10.0.0.0/16:100-" + std::to_string(200 + i), "x"));
    o.resources.push_back(r);
  }
  o.resources[7].targets.push_back(*parse_target("wiki.lan:443", "x"));
  o.resources[8].targets.push_back(*parse_target("*.corp.lan:443", "x"));
  for (int i = 1; i <= 60; ++i) {
    Policy p;
    p.id = PolicyId(i);
    p.name = "p" + std::to_string(i);
    p.deny = i % 9 == 0;
    p.anyone = i % 11 == 0;
    for (int k = 0; k < 6; ++k) p.users.push_back(UserId(i * 7 % 50 + k));
    p.groups = {GroupId(i % 5 + 1)};
    for (int k = 0; k < 10; ++k) p.resources.push_back(ResourceId(i * 3 + k));
    if (i % 4 == 0) p.terms.hours = *parse_hours("mon-fri 09:00-17:00", "x");
    if (i % 3 == 0) p.terms.mfa = Seconds(3600);
    if (i % 8 == 0) {
      p.anyone = false;
      p.users.clear();
      p.groups.clear();
      p.tokens = {TokenId(1), TokenId(2)};
      p.certificates = {CertificateId(1)};
      p.terms.mfa.reset();
    }
    o.policies.push_back(p);
  }
  o.devices = {{DeviceId(1), "laptop", {}, {}, DeviceState::active, false, {}}};
  o.tokens = {{.id = TokenId(2), .name = "nas", .user = {}, .device = DeviceId(1)}};
  o.certificates = {{CertificateId(1), "nas", DeviceId(1)}};
  return o;
}

TEST(Allocation, TheCounterCounts) {
  const auto before = allocations.load();
  const auto p = std::make_unique<std::string>(100, 'x');
  EXPECT_GE(allocations.load() - before, 2U);
}

TEST(Allocation, DecideAllocatesNothing) {
  static_assert(noexcept(decide(std::declval<const Office&>(), std::declval<const Subject&>(),
                                std::declval<const Destination&>(), std::declval<WallTime>())));
  const Office office(big_office());
  const Token token{
      .id = TokenId(1), .name = "t", .user = UserId(9), .limited = true, .resources = {ResourceId(7)}};
  const Device laptop{DeviceId(1), "laptop", {}, {}, DeviceState::active, false, {}};
  const std::array<std::string_view, 2> names{"wiki.lan", "a.corp.lan"};
  std::array<Proof, 2> shown{};
  std::uint64_t kinds = 0, by_machine = 0;
  const auto before = allocations.load();
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const WallTime now = from_ms(1'795'000'000'000 + std::int64_t{i} * 60'000);
    Subject s{.device = i % 5 == 0 ? nullptr : &laptop, .presence = {}, .binding = Binding::mac};
    if (i % 3 != 0)
      s.presence = Presence{UserId(i % 60), now - Seconds(i * 3 % 40'000), now - Seconds(i % 4000), 1};
    if (i % 4 == 0) s.credential = SentCredential{i % 8 == 0 ? nullptr : &token};
    shown[0] = {TokenId(2), CertificateId::none, now - Seconds(i % 90'000)};
    shown[1] = {TokenId::none, CertificateId(1), now - Seconds(i * 7 % 90'000)};
    if (i % 4 != 0) s.proofs = shown;
    const Destination d{IpAddress::v4(0x0a000000U | (i % 60) << 8 | 7),
                        static_cast<std::uint16_t>(i % 2 == 0 ? 443 : i % 500 + 1), Protocol::tcp,
                        std::span(names).first(i % 3), 1};
    kinds |= 1ULL << static_cast<unsigned>(decide(office, s, d, now).reason);
    by_machine += decide(office, s, d, now).by_machine() ? 1U : 0U;
    kinds |= 1ULL << static_cast<unsigned>(
                 decide_resource(office, s, office.data().resources[i % 200], now).reason);
  }
  EXPECT_EQ(allocations.load() - before, 0U);
  EXPECT_GT(by_machine, 100U);
  for (const Reason r : {Reason::fresh, Reason::unprotected, Reason::no_sign_in, Reason::expired,
                         Reason::no_policy, Reason::denied_by_policy, Reason::second_factor_expired,
                         Reason::bad_credential, Reason::token_not_for_resource}) {
    EXPECT_TRUE((kinds >> static_cast<unsigned>(r) & 1) != 0) << to_text(r) << " was never reached";
  }
}

TEST(Allocation, LookingUpANameAllocatesNothing) {
  std::vector<Resource> resources;
  for (int i = 1; i <= 200; ++i) {
    resources.push_back({ResourceId(i), "r", {}});
    const std::string host =
        (i % 2 == 0 ? "*.d" : "a-rather-long-name.in.d") + std::to_string(i % 50) + ".lan:443";
    resources.back().targets.push_back(*parse_target(host, "x", HostTargets::written));
  }
  const NameTable table(resources);
  std::uint64_t found = 0;
  const auto before = allocations.load();
  for (int i = 0; i < 20'000; ++i) {
    const auto name =
        WireName::read(i % 3 == 0 ? "A-Rather-Long-Name.In.D12.LAN." : "a-rather-long-name.in.d7.lan");
    table.each(name->text(), 443, Protocol::tcp, [&](std::uint32_t) { ++found; });
  }
  EXPECT_EQ(allocations.load() - before, 0U);
  EXPECT_GT(found, 20'000U);
}

}  // namespace
}  // namespace nightlatch
