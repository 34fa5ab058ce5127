// However the gate's own doors are written, they are recognised: loopback, link-local, multicast and its own
// addresses, plain or within the addresses of translators and tunnels.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "policy/host_address.h"
#include "policy/special_address.h"

namespace nightlatch {
namespace {

struct Encoding {
  std::string_view text;
  AddressKind kind;
};
using enum AddressKind;

constexpr Encoding kSpecial[] = {
    // IPv4 and its spellings
    {"0.0.0.0", unspecified},
    {"0", unspecified},
    {"0x0", unspecified},
    {"0.0.0.1", this_network},
    {"0.255.255.255", this_network},
    {"1", this_network},
    {"127.0.0.0", loopback},
    {"127.0.0.1", loopback},
    {"127.255.255.255", loopback},
    {"127.1", loopback},
    {"127.0.1", loopback},
    {"2130706433", loopback},
    {"017700000001", loopback},
    {"0x7f000001", loopback},
    {"0x7f.0.0.0x1", loopback},
    {"0177.0.0.1", loopback},
    {"127.0.0.1.", loopback},
    {"[127.0.0.1]", loopback},
    {"169.254.0.0", link_local},
    {"169.254.169.254", link_local},
    {"2852039166", link_local},
    {"0xa9fea9fe", link_local},
    {"0251.0376.0251.0376", link_local},
    {"169.16689662", link_local},
    {"224.0.0.1", multicast},
    {"239.255.255.250", multicast},
    {"0xe0000001", multicast},
    {"240.0.0.1", reserved},
    {"255.255.255.254", reserved},
    {"255.255.255.255", broadcast},
    {"4294967295", broadcast},
    // IPv6
    {"::", unspecified},
    {"0:0:0:0:0:0:0:0", unspecified},
    {"::1", loopback},
    {"[::1]", loopback},
    {"0000:0000:0000:0000:0000:0000:0000:0001", loopback},
    {"::0.0.0.1", loopback},
    {"fe80::1", link_local},
    {"fe80::1%eth0", link_local},
    {"[fe80::1%25eth0]", link_local},
    {"febf:ffff::1", link_local},
    {"fec0::1", site_local},
    {"feff::1", site_local},
    {"ff02::1", multicast},
    {"ff0e::101", multicast},
    // IPv4-mapped
    {"::ffff:127.0.0.1", loopback},
    {"::ffff:7f00:1", loopback},
    {"0:0:0:0:0:FFFF:7F00:0001", loopback},
    {"::ffff:0.0.0.0", unspecified},
    {"::ffff:169.254.169.254", link_local},
    {"::ffff:224.0.0.1", multicast},
    {"::ffff:255.255.255.255", broadcast},
    // IPv4-compatible
    {"::127.0.0.1", loopback},
    {"::7f00:1", loopback},
    {"::2", this_network},
    {"::a9fe:a9fe", link_local},
    {"::ffff:ffff", broadcast},
    // IPv4-translated
    {"::ffff:0:127.0.0.1", loopback},
    {"::ffff:0:a9fe:a9fe", link_local},
    // 6to4
    {"2002:7f00:1::", loopback},
    {"2002:7f00:1::1", loopback},
    {"2002:7fff:ffff:1234::1", loopback},
    {"2002:a9fe:a9fe::1", link_local},
    {"2002::1", unspecified},
    {"2002:e000:1::", multicast},
    // NAT64, the well-known prefix
    {"64:ff9b::127.0.0.1", loopback},
    {"64:ff9b::7f00:1", loopback},
    {"64:ff9b::a9fe:a9fe", link_local},
    {"64:ff9b::", unspecified},
    {"64:ff9b::ffff:ffff", broadcast},
    // NAT64, a local prefix of 48, 56, 64 and 96 bits
    {"64:ff9b:1:7f00:0:100::", loopback},
    {"64:ff9b:1:127f:0:1::", loopback},
    {"64:ff9b:1:1234:7f:0:100:0", loopback},
    {"64:ff9b:1::127.0.0.1", loopback},
    {"64:ff9b:1:1234::7f00:1", loopback},
    {"64:ff9b:1:1234:5678:9abc:a9fe:a9fe", link_local},
    {"64:ff9b:1::", unspecified},
    // Teredo: the client, hidden by inversion, and the server
    {"2001:0:102:304::80ff:fffe", loopback},
    {"2001:0:7f00:1::f5fe:fdfc", loopback},
    {"2001:0:102:304:0:0:5601:5601", link_local},
    // ISATAP, with and without the universal bit, behind any prefix
    {"2001:db8::5efe:127.0.0.1", loopback},
    {"2001:db8::200:5efe:127.0.0.1", loopback},
    {"fd00:1:2:3:0:5efe:7f00:1", loopback},
    {"2001:db8::5efe:169.254.169.254", link_local},
    // Two disguises at once
    {"2002:a01:203:1:0:5efe:7f00:1", loopback},
};

TEST(SpecialAddress, EveryEncodingIsRecognised) {
  static_assert(std::size(kSpecial) >= 60);
  for (const Encoding& e : kSpecial) {
    const auto address = address_in(e.text);
    ASSERT_TRUE(address) << e.text;
    EXPECT_EQ(to_text(special_kind(*address)), to_text(e.kind)) << e.text;
    EXPECT_TRUE(is_special(*address)) << e.text;
  }
}

TEST(SpecialAddress, WhereOfficesLiveIsOrdinary) {
  for (const std::string_view text : {"1.0.0.0",
                                      "10.0.0.1",
                                      "10.255.255.255",
                                      "100.64.0.1",
                                      "126.255.255.255",
                                      "128.0.0.0",
                                      "169.253.255.255",
                                      "169.255.0.0",
                                      "172.16.0.1",
                                      "192.0.2.1",
                                      "192.168.1.1",
                                      "198.51.100.7",
                                      "223.255.255.255",
                                      "2001:db8::1",
                                      "fd00::1",
                                      "fc00::7f00:1",
                                      "fe7f::1",
                                      "2003::7f00:1",
                                      "2001:1::7f00:1",
                                      "64:ff9b:0:1::7f00:1",
                                      "64:ff9b:2::7f00:1",
                                      "65:ff9b::7f00:1",
                                      "::1:0:0:7f00:1",
                                      "2001:db8::5eff:127.0.0.1",
                                      "2001:db8::100:5efe:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "::10.0.0.1",
                                      "2002:a00:1::1",
                                      "64:ff9b::10.0.0.1",
                                      "2001:0:102:304::f5ff:fffe",
                                      "2001:db8::5efe:10.0.0.1",
                                      "2002:a00:1::7f00:1"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_text(special_kind(*address)), "ordinary") << text;
  }
}

TEST(SpecialAddress, LocalNat64IsReadAtEachLength) {
  // 10.1.2.3 as RFC 6052 section 2.2 lays it out; no wrong reading of it makes it special.
  for (const std::string_view text :
       {"64:ff9b:1:a01:2:300::", "64:ff9b:1:a:1:203::", "64:ff9b:1:a0:a:102:300:0", "64:ff9b:1::a01:203",
        "64:ff9b:1:ab:cd:ef:a01:203"}) {
    const IpAddress address = *IpAddress::parse(text);
    const EmbeddedIpv4 within = embedded_ipv4(address);
    EXPECT_NE(std::find(within.begin(), within.end(), IpAddress::v4(0x0a010203)), within.end()) << text;
    EXPECT_FALSE(is_special(address)) << text;
  }
}

TEST(SpecialAddress, EmbeddedAddressesAreNamed) {
  const auto one = [](std::string_view text) {
    const EmbeddedIpv4 within = embedded_ipv4(*IpAddress::parse(text));
    return within.size() == 1 ? within.begin()->text() : std::to_string(within.size());
  };
  EXPECT_EQ(one("::10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(one("::ffff:0:10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(one("2002:a01:203::9"), "10.1.2.3");
  EXPECT_EQ(one("64:ff9b::10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(one("2001:db8::200:5efe:10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(one("2001:0:102:304::f5fe:fdfc"), "2") << "Teredo: server and client";
  for (const char* none : {"::", "::1", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "fe80::1"}) {
    EXPECT_EQ(one(none), "0") << none;
    EXPECT_TRUE(embedded_ipv4(*IpAddress::parse(none)).empty()) << none;
  }
}

TEST(SpecialAddress, TheGatesOwnAddressesInEveryEncoding) {
  const std::vector<IpAddress> own{*IpAddress::parse("10.88.0.1"), *IpAddress::parse("2001:db8:88::1")};
  for (const std::string_view text : {"10.88.0.1",
                                      "10.88.0.1.",
                                      "10.88.1",
                                      "10.5767169",
                                      "173539329",
                                      "0xa580001",
                                      "0xa.0x58.0x0.0x1",
                                      "012.0130.0.1",
                                      "[10.88.0.1]",
                                      "::ffff:10.88.0.1",
                                      "::ffff:a58:1",
                                      "::10.88.0.1",
                                      "::ffff:0:a58:1",
                                      "2002:a58:1::5",
                                      "64:ff9b::a58:1",
                                      "64:ff9b:1::a58:1",
                                      "64:ff9b:1:a58:0:100::",
                                      "64:ff9b:1:7:a:5800:100:0",
                                      "2001:0:a58:1::f5fe:fdfc",
                                      "2001:0:102:304::f5a7:fffe",
                                      "2001:db8::5efe:a58:1",
                                      "2001:db8:88::1",
                                      "[2001:DB8:88:0:0:0:0:1]",
                                      "2001:db8:88::1%eth0"}) {
    const auto address = address_in(text);
    ASSERT_TRUE(address) << text;
    EXPECT_TRUE(leads_to(*address, own)) << text;
    EXPECT_FALSE(is_special(*address)) << text << ": an office's address is no special one by itself";
  }
  for (const std::string_view text :
       {"10.88.0.2", "::ffff:10.88.0.2", "2002:a58:2::a58:1", "2001:db8:88::2"}) {
    EXPECT_FALSE(leads_to(*IpAddress::parse(text), own)) << text;
  }
  EXPECT_FALSE(leads_to(own[0], {}));
}

TEST(SpecialAddress, KindsHaveNames) {
  EXPECT_EQ(to_text(ordinary), "ordinary");
  EXPECT_EQ(to_text(this_network), "this_network");
  EXPECT_EQ(to_text(broadcast), "broadcast");
  EXPECT_EQ(to_text(kind_of(*IpAddress::parse("64:ff9b::127.0.0.1"))), "ordinary") << "by its own prefix";
}

}  // namespace
}  // namespace nightlatch
