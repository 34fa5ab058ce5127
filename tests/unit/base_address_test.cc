// Addresses as values: what is read, what is refused, and that an IPv4 address has one value only.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <random>
#include <string>
#include <unordered_set>

#include "base/address.h"

namespace nightlatch {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(IpAddress, ReadsAndWritesTheCanonicalForm) {
  EXPECT_EQ(ip("10.1.0.7").text(), "10.1.0.7");
  EXPECT_EQ(ip("2001:DB8:0:0:0:0:0:1").text(), "2001:db8::1");
  EXPECT_EQ(ip("::").text(), "::");
  EXPECT_EQ(ip("255.255.255.255").v4_value(), 0xffffffffU);
  EXPECT_EQ(IpAddress::v4(0x0a010007), ip("10.1.0.7"));
}

TEST(IpAddress, RefusesEveryOtherSpelling) {
  for (const char* text : {"", " ", "10.1", "10.1.0", "010.1.0.7", "0x0a.1.0.7", "10.1.0.7 ", " 10.1.0.7",
                           "10.1.0.256", "10.1.0.-1", "1.2.3.4.5", "fe80::1%eth0", "2001:db8::1::2", "[::1]",
                           "12345::", "::ffff:1.2.3", "localhost"}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.1.0.7\0", 9)).has_value());
  EXPECT_FALSE(IpAddress::parse(std::string(500, '1')).has_value());
}

TEST(IpAddress, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(ip("::ffff:10.1.0.7"), ip("10.1.0.7"));
  EXPECT_EQ(ip("::ffff:0a01:0007"), ip("10.1.0.7"));
  EXPECT_TRUE(ip("::ffff:10.1.0.7").is_v4());
  EXPECT_EQ(ip("::ffff:10.1.0.7").text(), "10.1.0.7");
  EXPECT_FALSE(ip("::10.1.0.7").is_v4());
  EXPECT_FALSE(ip("::fffe:10.1.0.7").is_v4());
  EXPECT_EQ(std::hash<IpAddress>{}(ip("::ffff:10.1.0.7")), std::hash<IpAddress>{}(ip("10.1.0.7")));
}

TEST(IpAddress, KnowsTheSpecialRanges) {
  EXPECT_TRUE(ip("127.0.0.1").is_loopback());
  EXPECT_TRUE(ip("127.255.0.1").is_loopback());
  EXPECT_TRUE(ip("::ffff:127.0.0.1").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("::").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_TRUE(ip("169.254.0.1").is_link_local());
  EXPECT_TRUE(ip("fe80::1").is_link_local());
  EXPECT_TRUE(ip("febf::1").is_link_local());
  EXPECT_FALSE(ip("fec0::1").is_link_local());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_FALSE(ip("240.0.0.1").is_multicast());
  EXPECT_TRUE(ip("ff02::fb").is_multicast());
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
}

TEST(IpAddress, RoundTripsAtRandom) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 16> b{};
    for (auto& byte : b) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    const IpAddress a = i % 2 == 0 ? IpAddress::v6(b) : IpAddress::v4(static_cast<std::uint32_t>(random()));
    EXPECT_EQ(IpAddress::parse(a.text()), a) << a.text();
  }
}

TEST(Prefix, CountsBitsInItsOwnFamily) {
  EXPECT_EQ(Prefix::parse("10.1.0.0/24")->bits, 24);
  EXPECT_EQ(Prefix::parse("10.1.0.7")->bits, 32);
  EXPECT_EQ(Prefix::parse("2001:db8::1")->bits, 128);
  EXPECT_EQ(Prefix::parse("2001:db8::/32")->text(), "2001:db8::/32");
  for (const char* text : {"10.1.0.0/33", "10.1.0.0/", "10.1.0.0/-1", "10.1.0.0/+8", "10.1.0.0/ 8",
                           "10.1.0.0/8 ", "10.1.0.0/8/8", "10.1.0.0/0024", "2001:db8::/129", "/8",
                           "10.0.0.0/255.0.0.0", "::ffff:10.0.0.0/104"}) {
    EXPECT_FALSE(Prefix::parse(text).has_value()) << text;
  }
}

TEST(Prefix, ContainsItsOwnFamilyOnly) {
  EXPECT_TRUE(Prefix::parse("0.0.0.0/0")->contains(ip("255.1.2.3")));
  EXPECT_FALSE(Prefix::parse("0.0.0.0/0")->contains(ip("2001:db8::1")));
  EXPECT_FALSE(Prefix::parse("::/0")->contains(ip("10.0.0.1")));
  EXPECT_TRUE(Prefix::parse("10.1.0.0/31")->contains(ip("10.1.0.1")));
  EXPECT_FALSE(Prefix::parse("10.1.0.0/31")->contains(ip("10.1.0.2")));
  EXPECT_TRUE(Prefix::parse("2001:db8::/33")->contains(ip("2001:db8:7fff::")));
  EXPECT_FALSE(Prefix::parse("2001:db8::/33")->contains(ip("2001:db8:8000::")));
}

TEST(Prefix, NormalizedClearsHostBits) {
  EXPECT_EQ(Prefix::parse("10.1.2.3/24")->normalized().text(), "10.1.2.0/24");
  EXPECT_EQ(Prefix::parse("10.1.2.3/0")->normalized().text(), "0.0.0.0/0");
  EXPECT_EQ(Prefix::parse("10.1.2.255/25")->normalized().text(), "10.1.2.128/25");
  EXPECT_EQ(Prefix::parse("2001:db8::ffff/127")->normalized().text(), "2001:db8::fffe/127");
  EXPECT_EQ(Prefix::parse("2001:db8::1/0")->normalized().text(), "::/0");
}

// mask() keeps exactly the first bits, checked bit by bit for every length.
TEST(Prefix, MaskKeepsExactlyTheFirstBits) {
  std::array<std::uint8_t, 16> ones{};
  ones.fill(0xff);
  for (unsigned bits = 0; bits <= 128; ++bits) {
    const IpAddress m = mask(IpAddress::v6(ones), bits);
    for (unsigned i = 0; i < 128; ++i) {
      ASSERT_EQ((m.bytes()[i / 8] >> (7 - i % 8) & 1) != 0, i < bits) << bits << ' ' << i;
    }
  }
  for (unsigned bits = 0; bits <= 32; ++bits) {
    const std::uint32_t expected = bits == 0 ? 0 : 0xffffffffU << (32 - bits);
    ASSERT_EQ(mask(IpAddress::v4(0xffffffffU), bits).v4_value(), expected);
  }
}

TEST(Mac, ReadsTwoFormsAndNothingElse) {
  EXPECT_EQ(Mac::parse("AA-bb-CC-00-11-22")->text(), "aa:bb:cc:00:11:22");
  EXPECT_EQ(Mac::parse("aa:bb:cc:00:11:22"), Mac::parse("AA-BB-CC-00-11-22"));
  for (const char* text :
       {"", "aabbcc001122", "aabb.cc00.1122", "aa:bb:cc:00:11", "aa:bb:cc:00:11:22:33", "aa:bb:cc:00:11:2",
        "aa:bb-cc:00:11:22", "aa bb cc 00 11 22", "ga:bb:cc:00:11:22", "aa:bb:cc:00:11:2 ",
        "+a:bb:cc:00:11:22", "0x:bb:cc:00:11:22", "-1:bb:cc:00:11:22"}) {
    EXPECT_FALSE(Mac::parse(text).has_value()) << text;
  }
}

TEST(Endpoint, RoundTrips) {
  for (const char* text : {"10.0.0.1:443", "[2001:db8::1]:443", "0.0.0.0:1", "[::]:65535"})
    EXPECT_EQ(Endpoint::parse(text)->text(), text);
  for (const char* text : {"10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "2001:db8::1:443", "[2001:db8::1]",
                           "[2001:db8::1]443", "host:1", ":1", "10.0.0.1:", "10.0.0.1:44x", "10.0.0.1:-1"}) {
    EXPECT_FALSE(Endpoint::parse(text).has_value()) << text;
  }
}

TEST(Endpoint, PassesThroughSocketAddresses) {
  for (const char* text : {"10.0.0.1:443", "[2001:db8::1]:8443"}) {
    const Endpoint e = *Endpoint::parse(text);
    for (const bool as_v6 : {false, true}) {
      sockaddr_storage raw{};
      const unsigned n = e.to_sockaddr(raw, as_v6);
      EXPECT_EQ(n, as_v6 || !e.address.is_v4() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
      EXPECT_EQ(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw)), e);
    }
  }
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(Endpoint::from_sockaddr(&other).has_value());
}

TEST(Ports, AreFromOneTo65535) {
  EXPECT_EQ(parse_port("1"), 1);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "0", "65536", "99999999999", "-1", "+1", " 1", "1 ", "0x10", "1e3"})
    EXPECT_FALSE(parse_port(text).has_value()) << text;
  EXPECT_EQ(PortRange{}.text(), "*");
  EXPECT_EQ((PortRange{443, 443}).text(), "443");
  EXPECT_EQ((PortRange{8000, 8010}).text(), "8000-8010");
  EXPECT_TRUE((PortRange{8000, 8010}).contains(8010));
  EXPECT_FALSE((PortRange{8000, 8010}).contains(8011));
}

TEST(Hash, SpreadsNeighbours) {
  std::unordered_set<std::size_t> low_bits;
  for (std::uint32_t i = 0; i < 4096; ++i)
    low_bits.insert(std::hash<IpAddress>{}(IpAddress::v4(0x0a000000U + i)) & 0xffff);
  EXPECT_GT(low_bits.size(), 3900U);
}

}  // namespace
}  // namespace nightlatch
