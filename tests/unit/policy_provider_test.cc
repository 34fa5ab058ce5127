// Where OpenID providers are: reachable before anybody is signed in, and no wider than that.
#include <gtest/gtest.h>

#include "policy/decide.h"
#include "policy/parse.h"

namespace nightlatch {
namespace {

// An office that refuses what it does not know, with one resource and a provider that an admin has said is
// inside, at 10.0.0.9:443.
OfficeData data(const std::string& target, bool inside = true, const char* address = "10.0.0.9") {
  OfficeData d;
  d.unprotected_allowed = false;
  d.providers = {{"id.corp.example", *IpAddress::parse(address), 443, inside}};
  if (!target.empty()) {
    d.resources = {{ResourceId(1), "r", {*parse_target(target, "target")}}};
    Policy policy;
    policy.id = PolicyId(1);
    policy.name = "p";
    policy.anyone = true;
    policy.resources = {ResourceId(1)};
    d.policies = {policy};
  }
  return d;
}

std::string verdict(const OfficeData& d, const char* address, std::uint16_t port = 443,
                    std::vector<std::string_view> names = {}, Protocol protocol = Protocol::tcp) {
  const Office office(d);
  const Verdict v =
      decide(office, {}, {*IpAddress::parse(address), port, protocol, names}, from_ms(1'790'000'000'000));
  return std::string(to_text(v.kind)) + " " + std::string(to_text(v.reason));
}
constexpr const char* kOpen = "allow identity_provider";

TEST(ProviderPlace, IsOpenAtItsOwnPortAlone) {
  for (const char* target :
       {"", "10.0.0.0/8:443/tcp", "*.corp.example:443/tcp", "10.0.0.9:80/tcp", "10.0.0.9:443/udp"}) {
    EXPECT_EQ(verdict(data(target), "10.0.0.9"), kOpen) << target;
    EXPECT_NE(verdict(data(target), "10.0.0.9", 8443), kOpen);
    EXPECT_NE(verdict(data(target), "10.0.0.8"), kOpen);
    EXPECT_NE(verdict(data(target), "10.0.0.9", 443, {}, Protocol::udp), kOpen);
  }
}

// Nobody has said that it is inside, but its documents or the resolver.
TEST(ProviderPlace, OpensNothingThatIsProtected) {
  for (const char* target : {"203.0.113.0/24:443/tcp", "203.0.113.9:443/tcp", "0.0.0.0/0:1-65535/tcp",
                             "*.corp.example:443/tcp", "*.example:400-500/tcp", "id.corp.example:443/tcp"}) {
    EXPECT_NE(verdict(data(target, false, "203.0.113.9"), "203.0.113.9", 443, {"id.corp.example"}), kOpen)
        << target;
  }
  for (const char* target : {"", "203.0.113.0/24:80/tcp", "203.0.113.0/24:443/udp", "203.0.113.8:443/tcp",
                             "*.corp.example:80/tcp", "wiki.corp.example:443/tcp"}) {
    EXPECT_EQ(verdict(data(target, false, "203.0.113.9"), "203.0.113.9"), kOpen) << target;
  }
  OfficeData wild = data("*.example:443/tcp", false, "203.0.113.9");  // where a name under it was found
  wild.host_addresses = {{*HostPattern::parse("*.example", "host"), *IpAddress::parse("203.0.113.9")}};
  EXPECT_NE(verdict(wild, "203.0.113.9"), kOpen);
  // As it is written in IPv6.
  EXPECT_NE(verdict(data("203.0.113.0/24:443/tcp", false, "64:ff9b::203.0.113.9"), "64:ff9b::203.0.113.9"),
            kOpen);
}

TEST(ProviderPlace, OpensNoAddressThatOnlyNetworksOfOnesOwnHave) {
  for (const char* address :
       {"10.0.0.9", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "100.127.0.1", "127.0.0.1",
        "169.254.1.1", "fd00::9", "fc00::9", "fe80::9", "::1", "64:ff9b::10.0.0.9", "2002:c0a8:101::1"}) {
    EXPECT_EQ(verdict(data("", false, address), address), "deny unprotected") << address;
    EXPECT_EQ(verdict(data("", true, address), address), kOpen) << address << ": an admin has said so";
  }
  for (const char* address :
       {"9.255.255.255", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "192.169.1.1", "100.63.0.1",
        "100.128.0.1", "2001:db8::9", "fe00::9", "64:ff9b::203.0.113.9"}) {
    EXPECT_EQ(verdict(data("", false, address), address), kOpen) << address;
  }
}

TEST(ProviderPlace, AHostThatIsNotReachedOpensNoOtherOnesNames) {
  OfficeData d = data("wiki.corp.example:443/tcp", false, "203.0.113.9");
  d.providers.push_back({"wiki.corp.example", *IpAddress::parse("10.0.0.2"), 443});
  EXPECT_EQ(verdict(d, "203.0.113.9", 443, {"wiki.corp.example"}), "sign_in no_sign_in");
  EXPECT_EQ(verdict(d, "203.0.113.9", 443, {"id.corp.example"}), kOpen);
}

TEST(ProviderPlace, SaysWhyItIsNotReached) {
  using enum ProviderReach;
  const auto standing = [](const std::string& target, bool inside, const char* address) {
    const Office office(data(target, inside, address));
    const auto s = office.standing_of(office.data().providers.front());
    EXPECT_EQ(s.resource != nullptr, s.reach == named || s.reach == within);
    return s.reach;
  };
  EXPECT_EQ(standing("", false, "203.0.113.9"), open);
  EXPECT_EQ(standing("10.0.0.0/8:443/tcp", true, "10.0.0.9"), open);
  EXPECT_EQ(standing("10.0.0.0/8:443/tcp", false, "10.0.0.9"), within);
  EXPECT_EQ(standing("10.0.0.9:443/tcp", true, "10.0.0.9"), named);
  EXPECT_EQ(standing("", false, "10.0.0.9"), private_address);
}

TEST(ProviderPlace, SaysSoInWords) {
  const auto words = [](OfficeData d) {
    const Office office(std::move(d));
    return explain_closed(office, office.data().providers.front());
  };
  const std::string cut = ": whoever is not signed in cannot reach it";
  EXPECT_EQ(words(data("", false, "203.0.113.9")), "");
  EXPECT_EQ(words(data("203.0.113.0/24:443/tcp", false, "203.0.113.9")),
            "id.corp.example (203.0.113.9:443) is within the resource r" + cut);
  EXPECT_EQ(words(data("*.corp.example:443/tcp", false, "203.0.113.9")),
            "id.corp.example (203.0.113.9:443) is within the resource r" + cut);
  EXPECT_EQ(words(data("10.0.0.9:443/tcp")),
            "the resource r is about id.corp.example (10.0.0.9:443) itself" + cut);
  EXPECT_EQ(words(data("", false)),
            "id.corp.example (10.0.0.9:443) is a private address, and unprotected = deny" + cut);
  OfficeData allowed = data("", false);
  allowed.unprotected_allowed = true;
  EXPECT_EQ(words(allowed), "") << "then everything that is in no resource is reached";
  OfficeData led = data("*.cdn.example:443/tcp", false, "203.0.113.9");
  led.host_addresses = {{*HostPattern::parse("*.cdn.example", "host"), *IpAddress::parse("203.0.113.9")}};
  EXPECT_EQ(words(led),
            "id.corp.example (203.0.113.9:443) is within the resource r, for a name under *.cdn.example has "
            "led there" +
                cut);
}

TEST(ProviderPlace, AResourceAboutThatVeryServerCounts) {
  EXPECT_EQ(verdict(data("10.0.0.9:443/tcp"), "10.0.0.9"), "sign_in no_sign_in");
  EXPECT_EQ(verdict(data("10.0.0.9:400-500/tcp"), "10.0.0.9"), "sign_in no_sign_in");
  for (const char* carries : {"64:ff9b::10.0.0.9", "64:ff9b:1::10.0.0.9", "2002:a00:9::1"}) {
    EXPECT_EQ(verdict(data("10.0.0.9:443/tcp", true, carries), carries), "sign_in no_sign_in") << carries;
  }
  OfficeData shared = data("wiki.corp.example:443/tcp");  // behind the same address
  shared.host_addresses = {{*HostPattern::parse("wiki.corp.example", "host"), *IpAddress::parse("10.0.0.9")}};
  EXPECT_EQ(verdict(shared, "10.0.0.9"), "sign_in no_sign_in");
}

TEST(ProviderPlace, OtherNamesAreJudgedAsEver) {
  const OfficeData d = data("*.corp.example:443/tcp");
  EXPECT_EQ(verdict(d, "10.0.0.9", 443, {"id.corp.example"}), kOpen);
  EXPECT_EQ(verdict(d, "10.0.0.9", 443, {"wiki.corp.example"}), "sign_in no_sign_in");
  EXPECT_EQ(verdict(d, "10.0.0.8", 443, {"id.corp.example"}), "deny unprotected")
      << "a name opens no address";
}

}  // namespace
}  // namespace nightlatch
