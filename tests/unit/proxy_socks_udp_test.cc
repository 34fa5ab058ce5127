// The header of SOCKS datagrams: both ways, cut short, and with every bit turned.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "proxy/socks_udp.h"

namespace nightlatch {
namespace {

using Kind = SocksDatagram::Kind;
using namespace std::string_literals;

const std::string kIpv4 = "\0\0\0\x01\x0a\x58\0\x02\0\x35"s;
const std::string kIpv6 = "\0\0\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x01\xbb"s;
const std::string kName = "\0\0\0\x03\x08wiki.lan\x01\xbb"s;
const std::string kLongName = "\0\0\0\x03\xff"s + std::string(255, 'n') + "\x01\xbb";

std::string encoded(const SocksAddress& from) {
  std::array<char, kMaxSocksUdpHeader> out{};
  return {out.data(), encode_socks_udp_header(from, out)};
}

TEST(SocksUdp, TheDestinationAndThePayloadAreRead) {
  for (const std::string& payload : {""s, "\0payload"s}) {
    const std::string four = kIpv4 + payload, six = kIpv6 + payload;
    const std::string name = kName + payload;
    const SocksDatagram a = parse_socks_datagram(four);
    EXPECT_EQ(a.kind, Kind::whole);
    EXPECT_EQ(a.to, (SocksAddress{IpAddress::v4(0x0a580002), 53, {}}));
    EXPECT_EQ(a.payload, payload);
    const SocksDatagram b = parse_socks_datagram(six);
    EXPECT_EQ(b.to, (SocksAddress{*IpAddress::parse("2001:db8::7"), 443, {}}));
    EXPECT_EQ(b.payload, payload);
    const SocksDatagram c = parse_socks_datagram(name);
    EXPECT_EQ(c.to, (SocksAddress{{}, 443, "wiki.lan"}));
    EXPECT_EQ(c.payload, payload);
    EXPECT_EQ(c.payload.data() + c.payload.size(), name.data() + name.size()) << "a view, not a copy";
  }
}

TEST(SocksUdp, WhatIsWrittenIsWhatWasRead) {
  for (const std::string& header : {kIpv4, kIpv6, kName, kLongName}) {
    EXPECT_EQ(encoded(parse_socks_datagram(header).to), header);
  }
  const std::string mapped = "\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x58\0\x02\0\x35"s;
  EXPECT_EQ(encoded(parse_socks_datagram(mapped).to), kIpv4) << "one address, one form";
}

TEST(SocksUdp, AHeaderCutShortIsMalformed) {
  for (const std::string& header : {kIpv4, kIpv6, kName, kLongName}) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      EXPECT_EQ(parse_socks_datagram(std::string_view(header).substr(0, i)).kind, Kind::malformed) << i;
    }
  }
}

TEST(SocksUdp, ATurnedBitIsReadAsWrittenOrDropped) {
  for (const std::string& header : {kIpv4, kIpv6, kName, kLongName}) {
    for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
      std::string turned = header + "payload";
      turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ 1 << bit % 8);
      const SocksDatagram d = parse_socks_datagram(turned);
      EXPECT_EQ(d.kind == Kind::fragment, bit / 8 == 2) << bit;
      EXPECT_TRUE(d.kind != Kind::whole || encoded(d.to) + std::string(d.payload) == turned) << bit;
    }
  }
}

TEST(SocksUdp, WhatCannotBeSentOnIsDropped) {
  const std::vector<std::string> bad{"\x01\0\0\x01\x0a\x58\0\x02\0\x35"s,
                                     "\0\x01\0\x01\x0a\x58\0\x02\0\x35"s,
                                     "\0\0\0\x02\x0a\x58\0\x02\0\x35"s,
                                     "\0\0\0\x01\x0a\x58\0\x02\0\0"s,
                                     "\0\0\0\x03\0\0\x35"s,
                                     "\0\0\0\x03\x03"
                                     "a\0b\0\x35"s};
  for (const std::string& datagram : bad) EXPECT_EQ(parse_socks_datagram(datagram).kind, Kind::malformed);
  EXPECT_EQ(parse_socks_datagram("\0\0\x01\x01\x0a\x58\0\x02\0\x35"s).kind, Kind::fragment);
  EXPECT_EQ(parse_socks_datagram("\0\x01\x01\x01\x0a\x58\0\x02\0\x35"s).kind, Kind::malformed);
}

TEST(SocksUdp, NothingIsWrittenPastTheBuffer) {
  for (const std::string& header : {kIpv4, kIpv6, kName, kLongName}) {
    const SocksAddress from = parse_socks_datagram(header).to;
    for (std::size_t size = 0; size <= header.size(); ++size) {
      std::vector<char> out(size);  // the address sanitizer watches its end
      EXPECT_EQ(encode_socks_udp_header(from, out), size < header.size() ? 0 : size);
    }
  }
  std::vector<char> out(1000);
  const std::string name(256, 'n');
  EXPECT_EQ(encode_socks_udp_header({{}, 53, name}, out), 0U);
}

}  // namespace
}  // namespace nightlatch
