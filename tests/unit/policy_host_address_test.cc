// Addresses in disguise are recognised wherever the system's own inet_aton recognises one, and in a few forms
// more.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <random>
#include <string>

#include "policy/host_address.h"

namespace nightlatch {
namespace {

std::string seen(std::string_view text) {
  const auto a = address_in(text);
  return a ? a->text() : "none";
}

TEST(HostAddress, EveryWayToWriteLoopback) {
  for (const std::string_view text : {"127.0.0.1",
                                      "127.0.0.1.",
                                      "127.1",
                                      "127.0.1",
                                      "2130706433",
                                      "017700000001",
                                      "0x7f000001",
                                      "0x7F000001",
                                      "0X7f.1",
                                      "0x7f.0x0.0x0.0x1",
                                      "0177.0.0.1",
                                      "0177.0.0.01",
                                      "0177.1",
                                      "127.0x1",
                                      "0x7f.0.1",
                                      "00000000000000000000177.0.0.1",
                                      "0x00000000000000007f.1",
                                      "127.0.0.1 trailing",
                                      "127.1\n",
                                      "[127.0.0.1]",
                                      "::ffff:127.0.0.1",
                                      "[::ffff:127.0.0.1]",
                                      "::FFFF:7f00:1",
                                      "0:0:0:0:0:ffff:7f00:0001",
                                      "[::ffff:127.0.0.1].",
                                      "::ffff:7f00:1%lo"}) {
    EXPECT_EQ(seen(text), "127.0.0.1") << text;
  }
}

TEST(HostAddress, OtherAddresses) {
  EXPECT_EQ(seen("0"), "0.0.0.0");
  EXPECT_EQ(seen("0x"), "0.0.0.0") << "browsers read a bare 0x as 0";
  EXPECT_EQ(seen("10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(seen("10.66051"), "10.1.2.3");
  EXPECT_EQ(seen("10.1.515"), "10.1.2.3");
  EXPECT_EQ(seen("0xffffffff"), "255.255.255.255");
  EXPECT_EQ(seen("4294967295"), "255.255.255.255");
  EXPECT_EQ(seen("1.16777215"), "1.255.255.255");
  EXPECT_EQ(seen("[::1]"), "::1");
  EXPECT_EQ(seen("::1"), "::1");
  EXPECT_EQ(seen("[0:0:0:0:0:0:0:1]"), "::1");
  EXPECT_EQ(seen("fe80::1%eth0"), "fe80::1");
  EXPECT_EQ(seen("[fe80::1%25eth0]"), "fe80::1");
  EXPECT_EQ(seen("fe80::1%"), "fe80::1");
  EXPECT_EQ(seen("::127.0.0.1"), "::127.0.0.1");
}

TEST(HostAddress, NamesAndNonsenseAreNone) {
  for (const std::string_view text : {"",           ".",          "wiki.lan",     "cafe",
                                      "0xg",        "08",         "0189",         "1.2.3.4.5",
                                      "256.0.0.1",  "1.256.1",    "1.2.3.256",    "1.2.65536",
                                      "1.16777216", "4294967296", "0x100000000",  "1..1",
                                      ".1",         "1.2.3.4..",  "+1",           "-1",
                                      " 1",         "1e3",        "[::1",         "::1]",
                                      "[]",         "[",          ":::",          "::ffff:127.1",
                                      "1:2",        "%eth0",      "127.0.0.1%lo", "127.0.0.1x",
                                      "１"}) {
    EXPECT_EQ(seen(text), "none") << text;
  }
  EXPECT_EQ(seen("127"), "0.0.0.127") << "a number is an address, however small";
}

TEST(HostAddress, AgreesWithTheSystem) {
  std::mt19937 random(20261123);
  constexpr std::string_view alphabet = "0123456789xXafF....7 ";
  int accepted = 0;
  for (int i = 0; i < 400'000; ++i) {
    std::string text;
    for (auto size = random() % 14; size > 0; --size) text += alphabet[random() % alphabet.size()];
    in_addr system{};
    if (inet_aton(text.c_str(), &system) == 0) continue;
    ++accepted;
    const auto ours = address_in(text);
    ASSERT_TRUE(ours) << text;
    ASSERT_EQ(ours->text(), IpAddress::v4(ntohl(system.s_addr)).text()) << text;
    const auto end = text.find(' ');
    ASSERT_TRUE(ends_in_number(text.substr(0, end))) << text;
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(HostAddress, EndsInANumber) {
  for (const std::string_view text :
       {"1", "a.1", "a.0x1f", "a.0x", "a.0X", "a.08", "a.1.", "1.2.3.4", "a.007"}) {
    EXPECT_TRUE(ends_in_number(text)) << text;
  }
  for (const std::string_view text :
       {"", ".", "a", "1.a", "a.1b", "a.0xg", "a.b0", "a.x1", "a.0b1", "a..", "1.."}) {
    EXPECT_FALSE(ends_in_number(text)) << text;
  }
}

}  // namespace
}  // namespace nightlatch
