// The office's look-ups: by id, by name, by MAC or address, and which resources hold a destination.
#include <gtest/gtest.h>

#include <set>

#include "policy/office.h"
#include "policy/parse.h"

namespace nightlatch {
namespace {

OfficeData small() {
  OfficeData o;
  o.users = {{UserId(1), "alice", true, {GroupId(3), GroupId(1), GroupId(3)}}};
  o.devices = {
      {DeviceId(1), "laptop", Mac::parse("02:00:00:00:00:01"), {}, DeviceState::active, false, UserId(1)},
      {DeviceId(2), "branch", std::nullopt, {*IpAddress::parse("10.7.0.9")}, DeviceState::active, true, {}},
      {DeviceId(3), "copy", Mac::parse("02:00:00:00:00:01"), {}, DeviceState::active, false, {}}};
  o.resources = {
      {ResourceId(5), "wiki", {*parse_target("10.0.0.1:443", "x"), *parse_target("10.0.0.0/24:443", "x")}},
      {ResourceId(4), "all", {*parse_target("0.0.0.0/0:*", "x")}},
      {ResourceId(9), "v6", {*parse_target("[2001:db8::/33]:1-100/udp", "x")}}};
  Policy p;
  p.id = PolicyId(8);
  p.name = "p";
  p.resources = {ResourceId(9), ResourceId(5), ResourceId(5), ResourceId(1000)};
  o.policies = {p};
  return o;
}

std::set<std::uint32_t> found(const Office& o, const char* address, std::uint16_t port,
                              Protocol protocol = Protocol::tcp) {
  std::set<std::uint32_t> out;
  o.each_resource(*IpAddress::parse(address), port, protocol, [&](std::uint32_t r) { out.insert(r); });
  return out;
}

using Set = std::set<std::uint32_t>;

TEST(Office, FindsRowsByIdAndName) {
  const Office o(small());
  EXPECT_EQ(o.user(UserId(1))->name, "alice");
  EXPECT_EQ(o.user(UserId(2)), nullptr);
  EXPECT_EQ(o.user_named("alice"), o.user(UserId(1)));
  EXPECT_EQ(o.user_named("Alice"), nullptr);
  EXPECT_EQ(o.device(DeviceId(2)), o.device_named("branch"));
  EXPECT_EQ(o.resource(ResourceId(4)), o.resource_named("all"));
  EXPECT_EQ(o.resource(ResourceId(0)), nullptr);
  EXPECT_EQ(o.policy(PolicyId(8))->name, "p");
  EXPECT_EQ(o.policy(PolicyId(1)), nullptr);
}

TEST(Office, FindsATokenByTheWholeOfItsHash) {
  OfficeData data = small();
  data.tokens = {Token{.id = TokenId(4), .name = "a", .secret_sha256 = sha256("a"), .user = UserId(1)},
                 Token{.id = TokenId(5), .name = "b", .secret_sha256 = sha256("b"), .user = UserId(1)}};
  const Office o(std::move(data));
  EXPECT_EQ(o.token(TokenId(4))->name, "a");
  EXPECT_EQ(o.token(TokenId::none), nullptr);
  EXPECT_EQ(o.token_with(sha256("b"))->name, "b");
  EXPECT_EQ(o.token_with(sha256("c")), nullptr);
  Digest nearly = sha256("b");
  nearly.back() ^= 1;
  EXPECT_EQ(o.token_with(nearly), nullptr);
}

TEST(Office, SortsWhatDecideSearches) {
  const Office o(small());
  EXPECT_EQ(o.data().users[0].groups, (std::vector{GroupId(1), GroupId(3)}));
  EXPECT_EQ(o.data().policies[0].resources, (std::vector{ResourceId(5), ResourceId(9), ResourceId(1000)}));
  EXPECT_EQ(std::vector<std::uint32_t>(o.policies_of(0).begin(), o.policies_of(0).end()),
            (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(o.policies_of(1).empty());
}

TEST(Office, OnLinkTheMacAloneNamesADevice) {
  const Office o(small());
  const IpAddress branch = *IpAddress::parse("10.7.0.9");
  EXPECT_EQ(o.identify(branch, std::nullopt)->name, "branch");
  EXPECT_EQ(o.identify(*IpAddress::parse("::ffff:10.7.0.9"), std::nullopt)->name, "branch");
  EXPECT_EQ(o.identify(branch, Mac::parse("02:00:00:00:00:99")), nullptr)
      << "an unknown MAC must not borrow an address";
  EXPECT_EQ(o.identify(*IpAddress::parse("10.0.0.50"), Mac::parse("02-00-00-00-00-01"))->name, "laptop");
  EXPECT_EQ(o.identify(*IpAddress::parse("10.0.0.50"), std::nullopt), nullptr);
}

TEST(Office, FindsEveryResourceOfADestination) {
  const Office o(small());
  EXPECT_EQ(found(o, "10.0.0.1", 443), (Set{0, 1}));
  EXPECT_EQ(found(o, "10.0.0.2", 443), (Set{0, 1}));
  EXPECT_EQ(found(o, "10.0.1.2", 443), (Set{1}));
  EXPECT_EQ(found(o, "10.0.0.1", 444), (Set{1}));
  EXPECT_EQ(found(o, "10.0.0.1", 443, Protocol::udp), Set{});
  EXPECT_EQ(found(o, "::ffff:10.0.0.1", 443), (Set{0, 1})) << "a mapped address is the IPv4 address";
  EXPECT_EQ(found(o, "2001:db8:7fff::1", 100, Protocol::udp), (Set{2}));
  EXPECT_EQ(found(o, "2001:db8:8000::1", 100, Protocol::udp), Set{});
  EXPECT_EQ(found(o, "2001:db8::1", 101, Protocol::udp), Set{});
  EXPECT_EQ(found(o, "::1", 443), Set{}) << "0.0.0.0/0 is all of IPv4 and nothing of IPv6";
}

TEST(Office, AnEmptyOneHoldsNothing) {
  const Office o{OfficeData{}};
  EXPECT_EQ(found(o, "10.0.0.1", 443), Set{});
  EXPECT_EQ(o.identify(IpAddress(), std::nullopt), nullptr);
}

TEST(Office, KnowsWhereNamesMatter) {
  OfficeData o = small();
  EXPECT_FALSE(Office(o).names_hosts());
  o.resources.push_back({ResourceId(6),
                         "hosts",
                         {*parse_target("wiki.lan:443", "x"), *parse_target("*.corp.lan:440-450", "x"),
                          *parse_target("a.lan:445-460", "x"), *parse_target("b.lan:8000-8010/udp", "x")}});
  const Office office(std::move(o));
  EXPECT_TRUE(office.names_hosts());
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{440, 443, 450, 451, 460})
    EXPECT_TRUE(office.hears_names(port, Protocol::tcp)) << port;
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{1, 439, 461, 8005, 65535})
    EXPECT_FALSE(office.hears_names(port, Protocol::tcp)) << port;
  EXPECT_TRUE(office.hears_names(8005, Protocol::udp));
  EXPECT_FALSE(office.hears_names(443, Protocol::udp));
  EXPECT_TRUE(office.is_named("wiki.lan"));
  EXPECT_TRUE(office.is_named("x.corp.lan"));
  EXPECT_FALSE(office.is_named("corp.lan"));
}

}  // namespace
}  // namespace nightlatch
