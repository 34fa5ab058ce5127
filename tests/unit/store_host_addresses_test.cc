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
  void change(const std::vector<HostAddress>& added, const std::vector<HostAddress>& removed) {
    const Status done = change_host_addresses(db(), added, removed, now_);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  static HostAddress at(const char* host, const char* address) {
    return {*HostPattern::parse(host, "x"), *IpAddress::parse(address)};
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

TEST_F(HostAddresses, ANewOneChangesTheOfficeAndOneThatIsThereDoesNot) {
  const std::int64_t before = version();
  change({at("wiki.lan", "192.0.2.1"), at("wiki.lan", "2001:db8::1")}, {});
  EXPECT_EQ(known(), "wiki.lan=192.0.2.1 wiki.lan=2001:db8::1 ");
  EXPECT_EQ(list_host_addresses(db())->size(), 2U);
  EXPECT_GT(version(), before);
  const std::int64_t after = version();
  change({at("wiki.lan", "192.0.2.1")}, {});
  EXPECT_EQ(version(), after);
  change({}, {at("wiki.lan", "192.0.2.1"), at("wiki.lan", "192.0.2.9")});
  EXPECT_EQ(known(), "wiki.lan=2001:db8::1 ");
  EXPECT_GT(version(), after);
}

TEST_F(HostAddresses, AHostThatNoTargetNamesAnyMoreGoes) {
  change({at("wiki.lan", "192.0.2.1"), at("*.corp.lan", "192.0.2.3")}, {});
  ASSERT_TRUE(remove_resource(db(), "wiki").ok());
  change({}, {});
  EXPECT_EQ(known(), "*.corp.lan=192.0.2.3 ");
}

TEST_F(HostAddresses, ABadRowIsADamagedStore) {
  ASSERT_TRUE(db().run("INSERT INTO host_address VALUES ('wiki.lan', 'nowhere', 1)").ok());
  EXPECT_EQ(load_office(db()).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace nightlatch
