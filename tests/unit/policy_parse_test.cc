// Text to policy values and back: what is accepted, what is refused and with which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/parse.h"

namespace nightlatch {
namespace {

using testing::HasSubstr;

std::string round_trip(std::string_view text) {
  const auto t = parse_target(text, "--to");
  return t ? to_text(*t) : "refused: " + t.error().message + " | " + t.error().hint;
}

std::string refusal(std::string_view text) {
  const auto t = parse_target(text, "--to");
  if (t) return "accepted as " + to_text(*t);
  EXPECT_EQ(t.error().kind, ErrorKind::usage);
  EXPECT_THAT(t.error().message, testing::StartsWith("--to: "));
  EXPECT_FALSE(t.error().hint.empty());
  return t.error().message + " | " + t.error().hint;
}

TEST(ParseTarget, AcceptsWhatTheHeaderShows) {
  EXPECT_EQ(round_trip("10.1.0.0/24:5432/tcp"), "10.1.0.0/24:5432/tcp");
  EXPECT_EQ(round_trip("[2001:db8::/32]:8000-8010/tcp"), "[2001:db8::/32]:8000-8010/tcp");
  EXPECT_EQ(round_trip("10.1.0.7:*/udp"), "10.1.0.7:*/udp");
}

TEST(ParseTarget, WritesOneFormForEqualTargets) {
  EXPECT_EQ(round_trip("10.88.0.2:5432"), "10.88.0.2:5432/tcp");
  EXPECT_EQ(round_trip("10.88.0.2/32:5432"), "10.88.0.2:5432/tcp");
  EXPECT_EQ(round_trip("10.88.0.2:1-65535/udp"), "10.88.0.2:*/udp");
  EXPECT_EQ(round_trip("10.88.0.2:22-22"), "10.88.0.2:22/tcp");
  EXPECT_EQ(round_trip("[2001:DB8:0::1/128]:443"), "[2001:db8::1]:443/tcp");
  EXPECT_EQ(round_trip("[::ffff:10.0.0.1]:443"), "10.0.0.1:443/tcp");
}

TEST(ParseTarget, TheWholeInternetIsAPrefix) {
  EXPECT_EQ(round_trip("0.0.0.0/0:*/tcp"), "0.0.0.0/0:*/tcp");
  EXPECT_EQ(round_trip("[::/0]:53/udp"), "[::/0]:53/udp");
}

TEST(ParseTarget, ProposesTheNormalizedPrefix) {
  EXPECT_THAT(refusal("10.1.0.7/24:5432/tcp"), HasSubstr("did you mean 10.1.0.0/24:5432/tcp?"));
  EXPECT_THAT(refusal("[2001:db8::1/32]:443"), HasSubstr("did you mean [2001:db8::/32]:443/tcp?"));
}

TEST(ParseTarget, ReadsHostNames) {
  const auto written = [](std::string_view text) {
    const auto t = parse_target(text, "--to", HostTargets::written);
    return t ? to_text(*t) : t.error().message;
  };
  EXPECT_EQ(written("wiki.lan:443/tcp"), "wiki.lan:443/tcp");
  EXPECT_EQ(written("Wiki.LAN.:443"), "wiki.lan:443/tcp");
  EXPECT_EQ(written("*.Corp.Example:8000-8010/udp"), "*.corp.example:8000-8010/udp");
  EXPECT_EQ(written("bücher.example:*"), "xn--bcher-kva.example:*/tcp");
  EXPECT_EQ(written("10.0.0.0/24:443"), "10.0.0.0/24:443/tcp");
  EXPECT_THAT(written("0x7f.1:443"), HasSubstr("--to: '0x7f.1': this is the address 127.0.0.1"));
  EXPECT_THAT(written("127.1:443"), HasSubstr("not an address"));
  EXPECT_THAT(written("*.co.uk:443"), HasSubstr("public suffix"));
  EXPECT_THAT(written("[wiki.lan]:443"), HasSubstr("brackets are for IPv6 addresses"));
  EXPECT_THAT(written("wiki.lan"), HasSubstr("no port"));
  EXPECT_THAT(written("wiki.lan/24:443"), HasSubstr("not an address or a prefix"));
  EXPECT_THAT(written("wiki.lan:443/tpc"), HasSubstr("not a protocol"));
  const std::string label(63, 'a');
  const std::string longest =
      label + "." + label + "." + label + "." + std::string(61, 'b') + ":60000-60001/tcp";
  EXPECT_EQ(written(longest), longest);
}

TEST(ParseTarget, TheStoreKeepsWhatWasAcceptedOnce) {
  EXPECT_TRUE(parse_target("*.com:443/tcp", "destination", HostTargets::stored).ok());
  EXPECT_FALSE(parse_target("Wiki.lan:443/tcp", "destination", HostTargets::stored).ok());
}

TEST(ParseTarget, RefusesBadPorts) {
  EXPECT_THAT(refusal("10.0.0.1:0/tcp"), HasSubstr("'0' is not a port"));
  EXPECT_THAT(refusal("10.0.0.1:65536/tcp"), HasSubstr("ports run from 1 to 65535"));
  EXPECT_THAT(refusal("10.0.0.1:20-10/tcp"), HasSubstr("did you mean 10-20?"));
  EXPECT_THAT(refusal("10.0.0.1:-5/tcp"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("10.0.0.1:5-/tcp"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("10.0.0.1:1-2-3/tcp"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("10.0.0.1: 443/tcp"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("10.0.0.1:/tcp"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("10.0.0.1"), HasSubstr("no port"));
  EXPECT_THAT(refusal("10.0.0.0/8"), HasSubstr("no port"));
  EXPECT_THAT(refusal("2001:db8::1"), HasSubstr("no port"));
  EXPECT_THAT(refusal("[2001:db8::1]"), HasSubstr("no port"));
}

TEST(ParseTarget, RefusesUnknownProtocolsWithTheNearest) {
  EXPECT_THAT(refusal("10.0.0.1:443/tpc"), HasSubstr("did you mean tcp?"));
  EXPECT_THAT(refusal("10.0.0.1:443/TCP"), HasSubstr("did you mean tcp?"));
  EXPECT_THAT(refusal("10.0.0.1:443/icmp"), HasSubstr("use one of: tcp, udp"));
  EXPECT_THAT(refusal("10.0.0.1:443/"), HasSubstr("not a protocol"));
}

TEST(ParseTarget, RefusesAddressesThatNoFlowHas) {
  EXPECT_THAT(refusal("224.0.0.1:443"), HasSubstr("multicast"));
  EXPECT_THAT(refusal("[ff02::1]:443"), HasSubstr("multicast"));
  EXPECT_THAT(refusal("127.0.0.0/8:443"), HasSubstr("loopback"));
  EXPECT_THAT(refusal("[::1]:443"), HasSubstr("loopback"));
  EXPECT_THAT(refusal("0.0.0.0:443"), HasSubstr("unspecified"));
  EXPECT_THAT(refusal("[::]:443"), HasSubstr("unspecified"));
}

TEST(ParseTarget, RefusesWhatCouldMeanTwoThings) {
  EXPECT_THAT(refusal("2001:db8::1:443"), HasSubstr("no port"));
  EXPECT_THAT(refusal("2001:db8::1:443/tcp"), HasSubstr("brackets"));
  EXPECT_THAT(refusal("[2001:db8::]/32:443"), HasSubstr("inside the brackets"));
  EXPECT_THAT(refusal("[::ffff:10.0.0.0/24]:443"), HasSubstr("dotted quad"));
  EXPECT_THAT(refusal("010.0.0.1:443"), HasSubstr("not an address"));
  EXPECT_THAT(refusal("10.1:443"), HasSubstr("not an address"));
  EXPECT_THAT(refusal("10.0.0.0/33:443"), HasSubstr("not an address or a prefix"));
  EXPECT_THAT(refusal("10.0.0.0/:443"), HasSubstr("not an address or a prefix"));
  EXPECT_THAT(refusal("[fe80::1%eth0]:443"), HasSubstr("not an address"));
}

TEST(ParseTarget, BoundsAndCleansWhatItPrints) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal(std::string(301, '1')), HasSubstr("301 bytes, more than 300"));
  EXPECT_THAT(refusal("10.0.0.1\n:443"), HasSubstr("\\x0a"));
  EXPECT_THAT(refusal(std::string_view("10.0.0.1:443\0/tcp", 17)), HasSubstr("\\x00"));
  EXPECT_THAT(refusal("10.0.0.1:443/\x1b[31m"), HasSubstr("\\x1b"));
}

TEST(ParseExpiry, RoundTripsAndRefuses) {
  for (const char* text : {"close", "drain=1m", "keep=12h", "keep=1d2h", "drain=45s"}) {
    const auto e = parse_expiry(text, "--on-expiry");
    ASSERT_TRUE(e.ok()) << text;
    EXPECT_EQ(to_text(*e), text);
  }
  EXPECT_EQ(to_text(*parse_expiry("drain=60s", "x")), "drain=1m");
  for (const char* text :
       {"", "keep", "drain", "keep=", "keep=8", "drain=0", "close=5s", "Close", "drain=-1h"}) {
    const auto e = parse_expiry(text, "--on-expiry");
    ASSERT_FALSE(e.ok()) << text;
    EXPECT_THAT(e.error().message, testing::StartsWith("--on-expiry: ")) << text;
    EXPECT_FALSE(e.error().hint.empty()) << text;
  }
}

TEST(ParseWords, RoundTripEveryWord) {
  for (const Binding b : {Binding::address, Binding::mac, Binding::credential, Binding::certificate}) {
    EXPECT_EQ(*parse_binding(to_text(b), "x"), b);
  }
  for (const Enrol e : {Enrol::open, Enrol::approve, Enrol::closed})
    EXPECT_EQ(*parse_enrol(to_text(e), "x"), e);
  for (const Mode m : {Mode::enforce, Mode::observe}) EXPECT_EQ(*parse_mode(to_text(m), "x"), m);
  for (const DeviceState s : {DeviceState::active, DeviceState::pending, DeviceState::revoked}) {
    EXPECT_EQ(*parse_device_state(to_text(s), "x"), s);
  }
}

TEST(ParseWords, ProposeTheNearest) {
  const auto b = parse_binding("certificat", "--min-binding");
  ASSERT_FALSE(b.ok());
  EXPECT_EQ(b.error().message, "--min-binding: 'certificat' is not a binding");
  EXPECT_EQ(b.error().hint, "did you mean certificate? use one of: address, mac, credential, certificate");
  EXPECT_THAT(parse_enrol("opn", "enrol").error().hint, HasSubstr("did you mean open?"));
  EXPECT_EQ(parse_mode("banana", "mode").error().hint, "use one of: enforce, observe");
  EXPECT_THAT(parse_device_state(std::string(5000, 'x'), "s").error().message, HasSubstr("too long"));
}

}  // namespace
}  // namespace nightlatch
