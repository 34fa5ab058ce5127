// Where the hosts of targets are: what is kept, for how long, and what counts as a change of the office.
#include <gtest/gtest.h>

#include "policy/parse.h"
#include "store/access.h"
#include "store/host_addresses.h"
#include "store_fixture.h"

namespace nightlatch {
namespace {

class HostAddresses : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    ASSERT_TRUE(add_resource(db(), "wiki",
                             {*parse_target("wiki.lan:443", "to"), *parse_target("wiki.lan:80", "to"),
                              *parse_target("10.0.0.1:80", "to")})
                    .ok());
    ASSERT_TRUE(add_resource(db(), "corp", {*parse_target("*.corp.lan:443", "to")}).ok());
  }
  void record(const char* host, const std::vector<std::string>& addresses, WallTime now) {
    AddressesOfHosts found;
    for (const std::string& a : addresses)
      found[*HostPattern::parse(host, "x")].push_back(*IpAddress::parse(a));
    const Status done = record_host_addresses(db(), found, now);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  std::string known() {
    std::string all;
    const OfficeData office = *load_office(db());
    for (const HostAddress& h : office.host_addresses) all += h.host.text() + "=" + h.address.text() + " ";
    return all;
  }
  std::int64_t version() { return *office_version(db()); }
  const WallTime now_ = from_ms(1'800'000'000'000);
};

TEST_F(HostAddresses, EachHostThatTargetsNameOnce) {
  const auto hosts = list_target_hosts(db());
  ASSERT_TRUE(hosts.ok());
  ASSERT_EQ(hosts->size(), 2U);
  EXPECT_EQ((*hosts)[0].text(), "*.corp.lan");
  EXPECT_EQ((*hosts)[1].text(), "wiki.lan");
}

TEST_F(HostAddresses, ANewOneChangesTheOfficeAndOneSeenAgainDoesNot) {
  const std::int64_t before = version();
  record("wiki.lan", {"192.0.2.1", "2001:db8::1"}, now_);
  EXPECT_EQ(known(), "wiki.lan=192.0.2.1 wiki.lan=2001:db8::1 ");
  EXPECT_GT(version(), before);
  const std::int64_t after = version();
  record("wiki.lan", {"192.0.2.1"}, now_ + Seconds(3600));
  EXPECT_EQ(version(), after);
}

TEST_F(HostAddresses, OneThatIsNotSeenForADayGoes) {
  record("wiki.lan", {"192.0.2.1", "192.0.2.2"}, now_);
  record("wiki.lan", {"192.0.2.1"}, now_ + kHostAddressLifetime - Seconds(1));
  EXPECT_EQ(known(), "wiki.lan=192.0.2.1 wiki.lan=192.0.2.2 ");
  record("wiki.lan", {"192.0.2.1"}, now_ + kHostAddressLifetime + Seconds(1));
  EXPECT_EQ(known(), "wiki.lan=192.0.2.1 ");
}

TEST_F(HostAddresses, AHostThatNoTargetNamesAnyMoreGoes) {
  record("wiki.lan", {"192.0.2.1"}, now_);
  record("*.corp.lan", {"192.0.2.3"}, now_);
  ASSERT_TRUE(remove_resource(db(), "wiki").ok());
  record("*.corp.lan", {"192.0.2.3"}, now_);
  EXPECT_EQ(known(), "*.corp.lan=192.0.2.3 ");
}

TEST_F(HostAddresses, OfTooManyTheOldestGo) {
  record("*.corp.lan", {"192.0.2.3"}, now_);
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kMostAddressesOfHost; ++i)
    many.push_back("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  record("*.corp.lan", many, now_ + Seconds(1));
  const auto addresses = load_office(db())->host_addresses;
  EXPECT_EQ(addresses.size(), kMostAddressesOfHost);
  EXPECT_EQ(known().find("192.0.2.3"), std::string::npos);
}

TEST_F(HostAddresses, ABadRowIsADamagedStore) {
  ASSERT_TRUE(db().run("INSERT INTO host_address VALUES ('wiki.lan', 'nowhere', 1)").ok());
  EXPECT_EQ(load_office(db()).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace nightlatch
