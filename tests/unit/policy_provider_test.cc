// Where OpenID providers are: reachable before anybody is signed in, and no wider than that.
#include <gtest/gtest.h>

#include "policy/decide.h"
#include "policy/parse.h"

namespace nightlatch {
namespace {

// An office that refuses what it does not know, with one resource and a provider at 10.0.0.9:443.
OfficeData data(const std::string& target) {
  OfficeData d;
  d.unprotected_allowed = false;
  d.providers = {{"id.corp.example", *IpAddress::parse("10.0.0.9"), 443}};
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

TEST(ProviderPlace, AResourceAboutThatVeryServerCounts) {
  EXPECT_EQ(verdict(data("10.0.0.9:443/tcp"), "10.0.0.9"), "sign_in no_sign_in");
  EXPECT_EQ(verdict(data("10.0.0.9:400-500/tcp"), "10.0.0.9"), "sign_in no_sign_in");
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
