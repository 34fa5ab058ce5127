// What is overheard of the DNS: packets in, names out; only answers to questions that were seen; bounds.
#include <gtest/gtest.h>

#include <string>

#include "proxy/dns_watch.h"
#include "proxy/ip_datagram.h"

namespace nightlatch {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string s;
  for (const int v : values) s += static_cast<char>(v);
  return s;
}

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

std::string message(int id, bool answer, const std::string& address) {
  std::string m =
      bytes({0, id, answer ? 0x81 : 1, answer ? 0x80 : 0, 0, 1, 0, answer ? 1 : 0, 0, 0, 0, 0, 4});
  m += "wiki" + bytes({3}) + "lan" + bytes({0, 0, 1, 0, 1});
  if (!answer) return m;
  m += bytes({0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4});
  const auto all = ip(address).bytes();
  return m + std::string(all.begin() + 12, all.end());
}

IpDatagram datagram(const std::string& payload, const char* from, const char* to, bool leaving) {
  return {*Endpoint::parse(from), *Endpoint::parse(to), leaving, bytes_of(payload)};
}

constexpr const char* kClient = "10.0.0.9:4000";
constexpr const char* kServer = "10.0.0.53:53";

TEST(DnsWatch, AnAnswerCountsWhenItsQuestionWasSeenAndOnlyOnce) {
  DnsWatch watch;
  const std::string question = message(7, false, ""), answer = message(7, true, "192.0.2.1");
  EXPECT_FALSE(watch.take(datagram(answer, kServer, kClient, true))) << "nobody asked";
  EXPECT_FALSE(watch.take(datagram(question, kClient, kServer, false)));
  EXPECT_FALSE(watch.take(datagram(message(8, true, "192.0.2.1"), kServer, kClient, true))) << "another id";
  EXPECT_FALSE(watch.take(datagram(answer, kServer, "10.0.0.9:4001", true))) << "to another port";
  EXPECT_FALSE(watch.take(datagram(answer, "10.0.0.54:53", kClient, true))) << "from another server";
  EXPECT_FALSE(watch.take(datagram(answer, kServer, kClient, false))) << "not on its way to the client";
  const auto told = watch.take(datagram(answer, kServer, kClient, true));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->question.name.text(), "wiki.lan");
  EXPECT_EQ(told->addresses.front().address, ip("192.0.2.1"));
  EXPECT_TRUE(watch.take(datagram(answer, kServer, kClient, true))) << "a resolver may say it twice";
}

TEST(DnsWatch, QuestionsAreForgottenInTheirOrder) {
  DnsWatch watch;
  const std::string first = message(7, false, ""), answer = message(7, true, "192.0.2.1");
  EXPECT_FALSE(watch.take(datagram(first, kClient, kServer, false)));
  for (std::size_t i = 0; i < DnsWatch::kMostAsked; ++i) {
    const Endpoint other{ip("10.1.0.1"), static_cast<std::uint16_t>(i + 1)};
    EXPECT_FALSE(watch.take({other, *Endpoint::parse(kServer), false, bytes_of(first)}));
  }
  EXPECT_FALSE(watch.take(datagram(answer, kServer, kClient, true)));
}

TEST(DnsWatch, RemembersForEachDeviceAndForAsLongAsItHolds) {
  DnsWatch watch;
  const BootTime now = BootClock::now();
  const WireName wiki = *WireName::read("wiki.lan"), blog = *WireName::read("blog.lan");
  watch.remember("laptop", wiki, {{ip("192.0.2.1"), Seconds(60)}, {ip("192.0.2.2"), Seconds(60)}}, now);
  watch.remember("laptop", blog, {{ip("192.0.2.1"), Seconds(7200)}}, now);
  EXPECT_EQ(watch.names_of("laptop", ip("192.0.2.1"), now), (std::vector{blog, wiki})) << "the latest first";
  EXPECT_EQ(watch.names_of("laptop", ip("192.0.2.2"), now), std::vector{wiki});
  EXPECT_TRUE(watch.names_of("laptop", ip("192.0.2.3"), now).empty());
  EXPECT_TRUE(watch.names_of("other", ip("192.0.2.1"), now).empty());
  EXPECT_EQ(watch.names_of("laptop", ip("192.0.2.1"), now + Millis(Seconds(3600))), std::vector{blog})
      << "an hour at least, else as long as it was said to hold";
  watch.remember("laptop", wiki, {{ip("192.0.2.1"), Seconds(60)}}, now);
  EXPECT_EQ(watch.names_of("laptop", ip("192.0.2.1"), now).size(), 2U) << "the same again is no second one";
}

TEST(DnsWatch, IsBounded) {
  DnsWatch watch;
  const BootTime now = BootClock::now();
  const WireName wiki = *WireName::read("wiki.lan");
  for (std::size_t i = 0; i <= DnsWatch::kMostOfDevice; ++i)
    watch.remember("laptop", wiki, {{IpAddress::v4(static_cast<std::uint32_t>(i)), Seconds(60)}}, now);
  EXPECT_TRUE(watch.names_of("laptop", IpAddress::v4(0), now).empty());
  EXPECT_FALSE(watch.names_of("laptop", IpAddress::v4(1), now).empty());
  for (std::size_t i = 0; i < DnsWatch::kMostDevices; ++i) {
    watch.remember("d" + std::to_string(i), wiki, {{ip("192.0.2.1"), Seconds(60)}}, now);
    watch.remember("d0", wiki, {{ip("192.0.2.1"), Seconds(60)}}, now);
  }
  EXPECT_TRUE(watch.names_of("laptop", IpAddress::v4(1), now).empty());
  EXPECT_FALSE(watch.names_of("d0", ip("192.0.2.1"), now).empty()) << "the one told least lately goes";
}

std::string v4_packet(const std::string& payload, int length = 0, int fragment = 0) {
  const int udp = length != 0 ? length : static_cast<int>(payload.size()) + 8;
  return bytes({0x46,
                0,
                0,
                0,
                0,
                0,
                fragment >> 8,
                fragment & 0xff,
                64,
                17,
                0,
                0,
                10,
                0,
                0,
                9,
                10,
                0,
                0,
                53,
                1,
                1,
                1,
                0,
                0x0f,
                0xa0,
                0,
                53,
                udp >> 8,
                udp & 0xff,
                0,
                0}) +
         payload;
}

TEST(IpDatagram, Version4WithOptions) {
  const std::string packet = v4_packet("hello") + "padding";
  const auto d = parse_ip_datagram(bytes_of(packet));
  ASSERT_TRUE(d);
  EXPECT_EQ(d->from.text(), kClient);
  EXPECT_EQ(d->to.text(), kServer);
  EXPECT_EQ(text_of(d->payload), "hello");
}

TEST(IpDatagram, Version6) {
  std::string packet = bytes({0x60, 0, 0, 0, 0, 13, 17, 64});
  for (const char* text : {"2001:db8::9", "2001:db8::53"}) {
    const auto all = ip(text).bytes();
    packet.append(all.begin(), all.end());
  }
  packet += bytes({0x0f, 0xa0, 0, 53, 0, 13, 0, 0}) + "hello";
  const auto d = parse_ip_datagram(bytes_of(packet));
  ASSERT_TRUE(d);
  EXPECT_EQ(d->from.text(), "[2001:db8::9]:4000");
  EXPECT_EQ(text_of(d->payload), "hello");
  for (std::size_t n = 0; n < packet.size(); ++n)
    EXPECT_FALSE(parse_ip_datagram(bytes_of(packet.substr(0, n)))) << n;
  packet[6] = 44;
  EXPECT_FALSE(parse_ip_datagram(bytes_of(packet))) << "an extension header";
}

TEST(IpDatagram, WhatIsNone) {
  const std::string good = v4_packet("hello");
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(parse_ip_datagram(bytes_of(good.substr(0, n)))) << n;
  EXPECT_FALSE(parse_ip_datagram(bytes_of(v4_packet("hello", 7)))) << "shorter than its own header";
  EXPECT_FALSE(parse_ip_datagram(bytes_of(v4_packet("hello", 0, 0x2000)))) << "more fragments";
  EXPECT_FALSE(parse_ip_datagram(bytes_of(v4_packet("hello", 0, 1)))) << "not the first";
  EXPECT_TRUE(parse_ip_datagram(bytes_of(v4_packet("hello", 0, 0x4000)))) << "don't fragment";
  for (const auto& [at, value] : {std::pair{0, 0x36}, std::pair{0, 0x44}, std::pair{9, 6}}) {
    std::string bad = good;
    bad[static_cast<std::size_t>(at)] = static_cast<char>(value);
    EXPECT_FALSE(parse_ip_datagram(bytes_of(bad))) << at;
  }
}

}  // namespace
}  // namespace nightlatch
