// What the gate tells a client whose datagram cannot pass.
#include <gtest/gtest.h>

#include "proxy/icmp.h"

namespace nightlatch {
namespace {

Endpoint at(const char* text) { return *Endpoint::parse(text); }

unsigned word(std::span<const std::uint8_t> bytes, std::size_t i) { return bytes[i] * 256U + bytes[i + 1]; }

unsigned sum(std::span<const std::uint8_t> bytes) {  // RFC 1071: of a right message it is 0xffff
  unsigned total = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) total += word(bytes, i);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return total;
}

TEST(Icmp, QuotesTheDatagramOverIPv4) {
  std::array<std::uint8_t, kIcmpRoom> m{};
  ASSERT_EQ(encode_icmp_error(port_unreachable(true), at("10.77.0.11:40000"), at("10.88.0.2:53"), m), 36U);
  EXPECT_EQ(m[0], 3);
  EXPECT_EQ(m[1], 3);
  EXPECT_EQ(sum(std::span(m).first(36)), 0xffffU);
  const auto quoted = std::span(m).subspan(8, 28);
  EXPECT_EQ(quoted[0], 0x45);
  EXPECT_EQ(quoted[9], 17);
  EXPECT_EQ(sum(quoted.first(20)), 0xffffU);
  EXPECT_EQ(word(quoted, 12), 10U * 256 + 77);  // from the client
  EXPECT_EQ(word(quoted, 14), 11U);
  EXPECT_EQ(word(quoted, 16), 10U * 256 + 88);
  EXPECT_EQ(word(quoted, 20), 40000U);
  EXPECT_EQ(word(quoted, 22), 53U);
  EXPECT_EQ(word(quoted, 24), 8U);
}

TEST(Icmp, QuotesTheDatagramOverIPv6) {
  std::array<std::uint8_t, kIcmpRoom> m{};
  ASSERT_EQ(encode_icmp_error(port_unreachable(false), at("[fd77::11]:40000"), at("[fd88::2]:53"), m), 56U);
  EXPECT_EQ(m[0], 1);
  EXPECT_EQ(m[1], 4);
  const auto quoted = std::span(m).subspan(8, 48);
  EXPECT_EQ(quoted[0], 0x60);
  EXPECT_EQ(quoted[6], 17);
  EXPECT_EQ(word(quoted, 8), 0xfd77U);
  EXPECT_EQ(word(quoted, 22), 0x11U);
  EXPECT_EQ(word(quoted, 24), 0xfd88U);
  EXPECT_EQ(word(quoted, 40), 40000U);
  EXPECT_EQ(word(quoted, 42), 53U);
}

TEST(Icmp, NeverMixesFamilies) {
  std::array<std::uint8_t, kIcmpRoom> m{};
  EXPECT_EQ(encode_icmp_error(port_unreachable(true), at("10.77.0.11:1"), at("[fd88::2]:53"), m), 0U);
  EXPECT_EQ(encode_icmp_error(port_unreachable(false), at("[fd77::11]:1"), at("10.88.0.2:53"), m), 0U);
}

TEST(Icmp, PassesOnWhatEndsTheFlowAndNotWhatTheGateSeesTo) {
  EXPECT_TRUE(concerns_client(true, {3, 3}));
  EXPECT_TRUE(concerns_client(true, {3, 13}));
  EXPECT_TRUE(concerns_client(true, {11, 0}));
  EXPECT_FALSE(concerns_client(true, {3, 4}));  // fragmentation needed
  EXPECT_FALSE(concerns_client(true, {5, 1}));  // redirect
  EXPECT_TRUE(concerns_client(false, {1, 4}));
  EXPECT_FALSE(concerns_client(false, {2, 0}));  // packet too big
}

TEST(TokenBucket, GivesABurstAndThenByTheSecond) {
  TokenBucket bucket;
  BootTime now{Millis(1'000'000)};
  unsigned given = 0;
  for (int i = 0; i < 100; ++i) given += bucket.take(now, 10, 5) ? 1U : 0U;
  EXPECT_EQ(given, 5U);
  for (int ms = 0; ms < 1000; ms += 10) given += bucket.take(now += Millis(10), 10, 5) ? 1U : 0U;
  EXPECT_NEAR(given, 15, 1);
  now += Millis(3'600'000);  // an idle hour saves up no more than a burst
  given = 0;
  for (int i = 0; i < 100; ++i) given += bucket.take(now, 10, 5) ? 1U : 0U;
  EXPECT_EQ(given, 5U);
}

}  // namespace
}  // namespace nightlatch
