// Host names: one canonical form for each host, nothing that could be an address, and what a wildcard holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/host_name.h"
#include "policy/public_suffix.h"

namespace nightlatch {
namespace {

using testing::HasSubstr;

std::string name(std::string_view text) {
  const auto n = HostName::parse(text, "--to");
  return n ? n->text() : "refused: " + n.error().message;
}

std::string pattern(std::string_view text) {
  const auto p = HostPattern::parse(text, "--to");
  return p ? p->text() : "refused: " + p.error().message;
}

std::string wire(std::string_view bytes) {
  const auto n = WireName::read(bytes);
  return n ? std::string(n->text()) : "refused";
}

std::string label(std::size_t size) { return std::string(size, 'a'); }
std::string longest(std::size_t last) {  // 192 characters and a last label
  return label(63) + "." + label(63) + "." + label(63) + "." + label(last);
}

TEST(HostName, HasOneCanonicalForm) {
  EXPECT_EQ(name("wiki.lan"), "wiki.lan");
  EXPECT_EQ(name("Wiki.LAN"), "wiki.lan");
  EXPECT_EQ(name("wiki.lan."), "wiki.lan");
  EXPECT_EQ(name("wiki"), "wiki");
  EXPECT_EQ(name("a-b.c--d.3com.example"), "a-b.c--d.3com.example");
  EXPECT_EQ(name("build_7.lan"), "build_7.lan");
  EXPECT_EQ(name("7.lan"), "7.lan");
  EXPECT_EQ(name("cafe"), "cafe");
  EXPECT_EQ(name("0xzz"), "0xzz");
}

TEST(HostName, InternationalNamesBecomeALabels) {
  EXPECT_EQ(name("bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(name("BÜCHER.example"), "xn--bcher-kva.example");
  EXPECT_EQ(name("bu\u0308cher.example"), "xn--bcher-kva.example") << "a letter and its mark apart";
  EXPECT_EQ(name("XN--BCHER-KVA.example"), "xn--bcher-kva.example");
  EXPECT_EQ(name("straße.example"), "xn--strae-oqa.example") << "not strasse: IDNA2008, non-transitional";
  EXPECT_EQ(name("例え。テスト"), "xn--r8jz45g.xn--zckzah") << "the ideographic full stop is a dot";
  EXPECT_EQ(name("ｗｉｋｉ．ｌａｎ"), "wiki.lan") << "full width letters";
  EXPECT_THAT(name("xn--zzzzzzzz99999.example"), HasSubstr("not an international name"));
  EXPECT_THAT(name("xn--wiki-.lan"), HasSubstr("not an international name")) << "wiki, in a disguise";
  EXPECT_THAT(name("a\xff.example"), HasSubstr("not an international name"));
  EXPECT_THAT(name("♥\u202e.example"), HasSubstr("refused"));
  EXPECT_THAT(name(std::string_view("b\xc3\xbc\0.example", 12)), HasSubstr("NUL"));
}

TEST(HostName, WhatIsAnAddressIsNoName) {
  EXPECT_THAT(name("10.0.0.1"), HasSubstr("this is the address 10.0.0.1"));
  EXPECT_THAT(name("2130706433"), HasSubstr("this is the address 127.0.0.1"));
  EXPECT_THAT(name("0x7F.1"), HasSubstr("this is the address 127.0.0.1"));
  EXPECT_THAT(name("0177.0.0.1."), HasSubstr("this is the address 127.0.0.1"));
  EXPECT_THAT(name("[::1]"), HasSubstr("this is the address ::1"));
  EXPECT_THAT(name("１２７.１"), HasSubstr("this is the address 127.0.0.1")) << "full width digits";
  EXPECT_THAT(name("wiki.123"), HasSubstr("its last part is a number"));
  EXPECT_THAT(name("wiki.0x1f"), HasSubstr("its last part is a number"));
  EXPECT_THAT(name("1.2.3.4.5"), HasSubstr("its last part is a number"));
  EXPECT_THAT(name("256.0.0.1"), HasSubstr("its last part is a number"));
  EXPECT_THAT(name("08"), HasSubstr("its last part is a number"));
}

TEST(HostName, RefusesWhatIsNoName) {
  EXPECT_THAT(name(""), HasSubstr("--to: '': the host name is empty"));
  EXPECT_THAT(name("."), HasSubstr("empty"));
  EXPECT_THAT(name("a..b"), HasSubstr("between the dots is empty"));
  EXPECT_THAT(name(".a"), HasSubstr("between the dots is empty"));
  EXPECT_THAT(name("a.."), HasSubstr("between the dots is empty"));
  EXPECT_THAT(name("-a.lan"), HasSubstr("begins and ends with"));
  EXPECT_THAT(name("a-.lan"), HasSubstr("begins and ends with"));
  EXPECT_THAT(name("_sip.lan"), HasSubstr("begins and ends with"));
  EXPECT_THAT(name("a b.lan"), HasSubstr("letters, digits, hyphens and dots"));
  EXPECT_THAT(name("user@wiki.lan"), HasSubstr("letters, digits"));
  EXPECT_THAT(name("wiki.lan/x"), HasSubstr("letters, digits"));
  EXPECT_THAT(name("*.lan"), HasSubstr("wildcard"));
  EXPECT_THAT(name("a\n.lan"), HasSubstr("'a\\x0a.lan'")) << "printed safely";
  EXPECT_THAT(name(std::string(5000, 'a')), HasSubstr("(too long)"));
}

TEST(HostName, LengthsAreThoseOfTheDns) {
  EXPECT_EQ(name(label(63) + ".lan"), label(63) + ".lan");
  EXPECT_THAT(name(label(64) + ".lan"), HasSubstr("more than 63"));
  EXPECT_EQ(name(longest(61)).size(), 253U);
  EXPECT_EQ(name(longest(61) + ".").size(), 253U);
  EXPECT_THAT(name(longest(62)), HasSubstr("at most 253"));
  EXPECT_EQ(wire(longest(61)).size(), 253U);
  EXPECT_EQ(wire(longest(61) + ".").size(), 253U);
  EXPECT_EQ(wire(longest(62)), "refused");
  EXPECT_EQ(wire(label(63)), label(63));
  EXPECT_EQ(wire(label(64)), "refused");
  EXPECT_EQ(wire("a." + label(64) + ".b"), "refused");
}

TEST(HostPattern, AWildcardStandsForOneOrMoreLabels) {
  const auto p = HostPattern::parse("*.Corp.Example.", "--to");
  ASSERT_TRUE(p.ok());
  EXPECT_EQ(p->text(), "*.corp.example");
  EXPECT_EQ(p->key(), ".corp.example");
  EXPECT_TRUE(p->wildcard());
  EXPECT_TRUE(p->matches("wiki.corp.example"));
  EXPECT_TRUE(p->matches("a.b.c.corp.example"));
  EXPECT_FALSE(p->matches("corp.example"));
  EXPECT_FALSE(p->matches("xcorp.example"));
  EXPECT_FALSE(p->matches("wiki.corp.example.org"));
  EXPECT_FALSE(p->matches("example"));
  EXPECT_FALSE(p->matches(""));
}

TEST(HostPattern, ANameMatchesItselfAlone) {
  const auto p = HostPattern::parse("wiki.lan", "--to");
  ASSERT_TRUE(p.ok());
  EXPECT_FALSE(p->wildcard());
  EXPECT_EQ(p->key(), "wiki.lan");
  EXPECT_TRUE(p->matches("wiki.lan"));
  EXPECT_FALSE(p->matches("a.wiki.lan"));
  EXPECT_FALSE(p->matches("lan"));
}

TEST(HostPattern, RefusesAWildcardOverStrangers) {
  for (const char* text : {"*.com", "*.CO.UK", "*.github.io", "*.kawasaki.jp", "*.x.kawasaki.jp", "*.рф"}) {
    EXPECT_THAT(pattern(text), HasSubstr("is a public suffix")) << text;
  }
  EXPECT_EQ(pattern("*.example.co.uk"), "*.example.co.uk");
  EXPECT_EQ(pattern("*.city.kawasaki.jp"), "*.city.kawasaki.jp") << "an exception of the list";
  EXPECT_EQ(pattern("*.lan"), "*.lan") << "an office's own top level";
  EXPECT_EQ(pattern("com"), "com") << "one host is never too many";
  const auto p = HostPattern::parse("*.co.uk", "--to");
  EXPECT_EQ(p.error().message, "--to: '*.co.uk': 'co.uk' is a public suffix: strangers have names below it");
  EXPECT_EQ(p.error().hint, "name your own domain, such as *.example.co.uk");
}

TEST(HostPattern, RefusesOtherWildcards) {
  for (const char* text : {"*", "*.", "**.lan", "w*.lan", "*.*.lan", "a.*.lan", "*lan", "*.-a.lan", "*.10"}) {
    EXPECT_THAT(pattern(text), HasSubstr("refused")) << text;
  }
  EXPECT_THAT(pattern("w*.lan"), HasSubstr("a wildcard is the whole first part"));
  EXPECT_EQ(pattern("*." + longest(59)).size(), 253U);
  EXPECT_THAT(pattern("*." + longest(60)), HasSubstr("no host name below it"));
}

TEST(HostPattern, TheStoreReadsWhatWasWritten) {
  for (const char* text : {"wiki.lan", "*.corp.example", "xn--bcher-kva.example", "*.lan"}) {
    const auto stored = HostPattern::from_stored(text, "destination");
    ASSERT_TRUE(stored.ok()) << text;
    EXPECT_EQ(*stored, *HostPattern::parse(text, "x")) << text;
  }
  EXPECT_TRUE(HostPattern::from_stored("*.com", "x").ok()) << "the list may have grown since";
  for (const char* text : {"", "*.", "Wiki.lan", "wiki.lan.", "bücher.lan", "10.0.0.1", "*.*.a", "a..b"}) {
    EXPECT_FALSE(HostPattern::from_stored(text, "x").ok()) << text;
  }
}

TEST(WireName, IsCanonicalWithoutMapping) {
  EXPECT_EQ(wire("Wiki.LAN."), "wiki.lan");
  EXPECT_EQ(wire("xn--bcher-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(wire("XN--zzzzz.example"), "xn--zzzzz.example") << "no mapping, so nothing to check";
  EXPECT_EQ(wire("_sip._tcp.corp.example"), "_sip._tcp.corp.example") << "the DNS has such names";
  EXPECT_EQ(wire("-a-.corp.example"), "-a-.corp.example");
  for (const std::string_view bytes :
       {"",           ".",       "..",  "a..b",  ".a",     "a..", "bücher.example", "a b",   "a:1",
        "[::1]",      "::1",     "a/b", "a%2eb", "user@a", "*.a", "127.0.0.1",      "127.1", "0x7f.1",
        "2130706433", "0177.1.", "a.1", "a.0x",  "a\r\nb"}) {
    EXPECT_EQ(wire(bytes), "refused") << bytes;
  }
  EXPECT_EQ(wire(std::string_view("a\0b", 3)), "refused");
  EXPECT_TRUE(*WireName::read("A.lan") == *WireName::read("a.lan."));
  EXPECT_FALSE(*WireName::read("a.lan") == *WireName::read("a.la"));
}

TEST(PublicSuffix, KnowsItsList) {
  EXPECT_TRUE(is_public_suffix("com")) << "the library was built with its list";
  EXPECT_FALSE(is_public_suffix("example.com"));
}

}  // namespace
}  // namespace nightlatch
