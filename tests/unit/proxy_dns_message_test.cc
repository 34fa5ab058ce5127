// DNS messages, built byte by byte: what an answer leads to, and everything that is refused of a bad one.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/dns_message.h"

namespace nightlatch {
namespace {

// A message in the making. Names are written in full unless a pointer is asked for.
class Message {
 public:
  Message(std::uint16_t flags, std::uint16_t answers, std::uint16_t additional = 0) {
    for (const unsigned n : {0x1234U, unsigned{flags}, 1U, unsigned{answers}, 0U, unsigned{additional}})
      u16(n);
  }
  Message& u8(unsigned n) {
    bytes_.push_back(static_cast<std::uint8_t>(n));
    return *this;
  }
  Message& u16(unsigned n) { return u8(n >> 8).u8(n & 0xff); }
  Message& u32(std::uint32_t n) { return u16(n >> 16).u16(n & 0xffff); }
  Message& labels(std::string_view dotted) {
    while (!dotted.empty()) {
      const auto dot = std::min(dotted.find('.'), dotted.size());
      u8(static_cast<unsigned>(dot));
      for (const char c : dotted.substr(0, dot)) u8(static_cast<unsigned char>(c));
      dotted.remove_prefix(std::min(dot + 1, dotted.size()));
    }
    return *this;
  }
  Message& name(std::string_view dotted) { return labels(dotted).u8(0); }
  Message& pointer(std::size_t to) { return u16(0xc000U | static_cast<unsigned>(to)); }
  Message& question(std::string_view dotted, unsigned type = kDnsTypeA) {
    return name(dotted).u16(type).u16(1);
  }
  Message& head(unsigned type, std::uint32_t ttl, unsigned length) {
    return u16(type).u16(1).u32(ttl).u16(length);
  }
  Message& a(std::string_view owner, std::uint32_t address, std::uint32_t ttl = 60) {
    return name(owner).head(1, ttl, 4).u32(address);
  }
  Message& cname(std::string_view owner, std::string_view alias, std::uint32_t ttl = 60) {
    return name(owner).head(5, ttl, static_cast<unsigned>(alias.size() + 2)).name(alias);
  }
  Message& edns() { return u8(0).u16(41).u16(1232).u32(0).u16(0); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

constexpr std::uint16_t kQuery = 0x0100;
constexpr std::uint16_t kReply = 0x8180;

// "wiki.lan 1: a.lan b.lan | 10.0.0.1 60, 10.0.0.2 30", or "refused".
std::string read(Message m) {
  const auto answer = read_dns_answer(m.bytes());
  if (!answer) return "refused";
  std::string s =
      std::string(answer->question.name.text()) + " " + std::to_string(answer->question.type) + ":";
  for (const WireName& alias : answer->aliases) s += " " + std::string(alias.text());
  s += " |";
  for (const DnsAddress& a : answer->addresses)
    s += " " + a.address.text() + " " + std::to_string(a.ttl.count());
  return s;
}

TEST(DnsQuestion, IsReadFromAQuery) {
  Message m = Message(kQuery, 0, 1).question("WiKi.Lan", kDnsTypeAaaa).edns();
  const auto q = dns_id_and_question(m.bytes());
  ASSERT_TRUE(q);
  EXPECT_EQ(q->id, 0x1234);
  EXPECT_EQ(q->type, kDnsTypeAaaa);
  EXPECT_EQ(q->name.text(), "wiki.lan");
}

TEST(DnsQuestion, MatchesItsAnswerWhateverTheCase) {
  Message query = Message(kQuery, 0).question("WIKI.lan");
  Message reply = Message(kReply, 1).question("wiki.LAN").a("wiki.lan", 0x0a000001);
  EXPECT_TRUE(*dns_id_and_question(query.bytes()) == read_dns_answer(reply.bytes())->question);
  reply.bytes()[1] ^= 1;
  EXPECT_FALSE(*dns_id_and_question(query.bytes()) == read_dns_answer(reply.bytes())->question);
}

TEST(DnsQuestion, IsRefusedWhenItIsNone) {
  const auto refused = [](Message m) { return !dns_id_and_question(m.bytes()); };
  EXPECT_FALSE(refused(Message(kQuery, 0).question("_ldap._tcp.corp.lan", 33)));
  EXPECT_TRUE(refused(Message(kReply, 0).question("wiki.lan"))) << "a reply";
  EXPECT_TRUE(refused(Message(0x2800, 0).question("wiki.lan"))) << "an update";
  EXPECT_TRUE(refused(Message(kQuery, 1).question("wiki.lan"))) << "a query with answers";
  EXPECT_TRUE(refused(Message(kQuery, 0).name("wiki.lan").u16(1).u16(3))) << "class CHAOS";
  EXPECT_TRUE(refused(Message(kQuery, 0).question(""))) << "the root";
  EXPECT_TRUE(refused(Message(kQuery, 0).question("a b.lan")));
  EXPECT_TRUE(refused(Message(kQuery, 0).question("10.0.0.1"))) << "an address is no name";
  EXPECT_TRUE(refused(Message(kQuery, 0).u8(8).u8('w').labels("").u16(0)));
  Message two = Message(kQuery, 0).question("wiki.lan").question("mail.lan");
  two.bytes()[5] = 2;
  EXPECT_TRUE(refused(two)) << "two questions";
  Message dot = Message(kQuery, 0).u8(8);
  for (const char c : std::string_view("wiki.lan")) dot.u8(static_cast<unsigned char>(c));
  EXPECT_TRUE(refused(dot.u8(0).u16(1).u16(1))) << "a dot within a label";
}

TEST(DnsAnswer, GivesAddressesOfBothFamilies) {
  EXPECT_EQ(read(Message(kReply, 2, 1)
                     .question("wiki.lan")
                     .a("wiki.lan", 0x0a000001, 60)
                     .a("Wiki.LAN", 0x0a000002, 30)
                     .edns()),
            "wiki.lan 1: | 10.0.0.1 60 10.0.0.2 30");
  Message six = Message(kReply, 1).question("wiki.lan", 28).name("wiki.lan").head(28, 5, 16);
  EXPECT_EQ(read(six.u32(0x20010db8).u32(0).u32(0).u32(7)), "wiki.lan 28: | 2001:db8::7 5");
  EXPECT_EQ(read(Message(kReply, 0).question("wiki.lan")), "wiki.lan 1: |");
}

TEST(DnsAnswer, SaysWhatTheHeaderSays) {
  Message none = Message(0x8183, 0).question("wiki.lan");
  EXPECT_EQ(read_dns_answer(none.bytes())->rcode, 3);
  EXPECT_FALSE(read_dns_answer(none.bytes())->truncated);
  Message cut = Message(0x8380, 0).question("wiki.lan");
  EXPECT_TRUE(read_dns_answer(cut.bytes())->truncated);
  EXPECT_EQ(read_dns_answer(cut.bytes())->rcode, 0);
}

TEST(DnsAnswer, FollowsAliasesInAnyOrder) {
  EXPECT_EQ(read(Message(kReply, 3)
                     .question("wiki.lan")
                     .cname("wiki.lan", "web.lan", 300)
                     .cname("web.lan", "host7.lan", 20)
                     .a("host7.lan", 0x0a000007, 60)),
            "wiki.lan 1: web.lan host7.lan | 10.0.0.7 20");
  EXPECT_EQ(read(Message(kReply, 3)
                     .question("wiki.lan")
                     .a("host7.lan", 0x0a000007, 10)
                     .cname("web.lan", "host7.lan", 20)
                     .cname("wiki.lan", "web.lan", 300)),
            "wiki.lan 1: web.lan host7.lan | 10.0.0.7 10");
}

TEST(DnsAnswer, ALoopOfAliasesEnds) {
  EXPECT_EQ(read(Message(kReply, 3)
                     .question("a.lan")
                     .cname("a.lan", "b.lan")
                     .cname("b.lan", "a.lan")
                     .a("b.lan", 0x0a000001)),
            "a.lan 1: b.lan | 10.0.0.1 60");
  EXPECT_EQ(read(Message(kReply, 1).question("a.lan").cname("a.lan", "a.lan")), "a.lan 1: |");
}

TEST(DnsAnswer, RecordsOfOtherNamesAreLeftOut) {
  EXPECT_EQ(read(Message(kReply, 3)
                     .question("evil.example")
                     .a("evil.example", 0x06060606)
                     .a("wiki.lan", 0x07070707)
                     .cname("mail.lan", "evil.example")),
            "evil.example 1: | 6.6.6.6 60");
}

TEST(DnsAnswer, OtherRecordsArePassedOver) {
  Message m = Message(kReply, 4).question("wiki.lan");
  m.name("wiki.lan").head(46, 60, 3).u8(1).u8(2).u8(3);             // RRSIG
  m.name("a b c").head(16, 60, 0);                                  // TXT of a name that is no host
  m.name("wiki.lan").u16(1).u16(3).u32(60).u16(4).u32(0x0a000009);  // class CHAOS
  EXPECT_EQ(read(m.a("wiki.lan", 0x0a000001)), "wiki.lan 1: | 10.0.0.1 60");
}

TEST(DnsAnswer, ATtlWithItsTopBitIsZero) {
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").a("w.lan", 1, 0x80000001)), "w.lan 1: | 0.0.0.1 0");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").a("w.lan", 1, 0x7fffffff)),
            "w.lan 1: | 0.0.0.1 2147483647");
}

TEST(DnsAnswer, PointersLeadBackwards) {
  // The question's name is at 12: 4 w i k i 3 l a n 0.
  EXPECT_EQ(read(Message(kReply, 1).question("wiki.lan").pointer(12).head(1, 60, 4).u32(0x0a000001)),
            "wiki.lan 1: | 10.0.0.1 60");
  EXPECT_EQ(read(Message(kReply, 2)
                     .question("wiki.lan")
                     .pointer(12)
                     .head(5, 60, 6)
                     .labels("web")
                     .pointer(17)
                     .labels("web")
                     .pointer(17)
                     .head(1, 60, 4)
                     .u32(0x0a000001)),
            "wiki.lan 1: web.lan | 10.0.0.1 60");
  const std::size_t at = Message(kReply, 1).question("wiki.lan").size();
  for (const std::size_t to :
       {at, at + 1, at + 2, at + 14, std::size_t{0}, std::size_t{11}, std::size_t{0x3fff}}) {
    EXPECT_EQ(read(Message(kReply, 1).question("wiki.lan").pointer(to).head(1, 60, 4).u32(0x0a000001)),
              "refused")
        << to;
  }
  // Forwards, to a good name in the record behind.
  EXPECT_EQ(
      read(Message(kReply, 2).question("wiki.lan").pointer(at + 16).head(1, 60, 4).u32(1).a("wiki.lan", 2)),
      "refused");
  // Into the header, whose counts of answers and authority records read 1 'a' 0 here.
  Message header = Message(kReply, 1).question("a").pointer(7).head(1, 60, 4).u32(1);
  header.bytes()[8] = 'a';
  EXPECT_EQ(read(header), "refused");
  // Labels and then a pointer to their own beginning.
  EXPECT_EQ(read(Message(kReply, 1).question("wiki.lan").labels("a").pointer(at).head(1, 60, 4).u32(1)),
            "refused");
  EXPECT_EQ(read(Message(kReply, 0).pointer(12).u16(1).u16(1)), "refused");
}

TEST(DnsAnswer, AChainOfPointersIsBounded) {
  const auto chain = [](unsigned pointers) {
    Message m = Message(kReply, 2).question("wiki.lan");
    m.name("x.lan").head(16, 60, pointers * 2);  // data of a record that nobody reads
    std::size_t to = 12;
    for (unsigned i = 0; i < pointers; ++i) {
      const std::size_t here = m.size();
      m.pointer(to);
      to = here;
    }
    return read(m.pointer(to).head(1, 60, 4).u32(0x0a000001));
  };
  EXPECT_EQ(chain(126), "wiki.lan 1: | 10.0.0.1 60");
  EXPECT_EQ(chain(127), "refused");
}

TEST(DnsAnswer, NamesAreBounded) {
  const std::string label(63, 'a');
  const std::string name = label + "." + label + "." + label + ".";
  const std::string longest = name + std::string(61, 'b');
  EXPECT_EQ(read(Message(kReply, 1).question(longest).a(longest, 1)), longest + " 1: | 0.0.0.1 60");
  EXPECT_EQ(read(Message(kReply, 0).question(name + std::string(62, 'b'))), "refused");
  EXPECT_EQ(read(Message(kReply, 0).question(std::string(64, 'a'))), "refused")
      << "01 in the length's top bits";
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").a(name + std::string(62, 'b'), 1)), "refused");
}

TEST(DnsAnswer, DataMustBeAsLongAsTheyAre) {
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(1, 60, 5).u32(1).u8(0)), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(1, 60, 3).u16(1).u8(0)), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(28, 60, 4).u32(1)), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(5, 60, 8).name("x.lan").u8(0)),
            "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(5, 60, 6).name("x.lan")), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").name("w.lan").head(16, 60, 9).u32(1)), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").cname("w.lan", "x y.lan")), "refused");
  EXPECT_EQ(read(Message(kReply, 1).question("w.lan").a("x y.lan", 1)), "refused");
}

TEST(DnsAnswer, CountsAreBounded) {
  const auto addresses = [](unsigned n) {
    Message m = Message(kReply, static_cast<std::uint16_t>(n)).question("w.lan");
    for (unsigned i = 0; i < n; ++i) m.a("w.lan", i);
    const auto answer = read_dns_answer(m.bytes());
    return answer ? answer->addresses.size() : 0;
  };
  EXPECT_EQ(addresses(256), 256U);
  EXPECT_EQ(addresses(257), 0U);
  const auto aliases = [](unsigned n) {
    Message m = Message(kReply, static_cast<std::uint16_t>(n)).question("n0.lan");
    for (unsigned i = 0; i < n; ++i)
      m.cname("n" + std::to_string(i) + ".lan", "n" + std::to_string(i + 1) + ".lan");
    const auto answer = read_dns_answer(m.bytes());
    return answer ? answer->aliases.size() : 0;
  };
  EXPECT_EQ(aliases(16), 16U);
  EXPECT_EQ(aliases(17), 0U);
  Message large = Message(kReply, 0).question("w.lan");
  large.bytes().resize(65536);
  EXPECT_EQ(read(large), "refused");
  large.bytes().resize(65535);
  EXPECT_EQ(read(large), "w.lan 1: |") << "what comes after the answers is not read";
}

TEST(DnsAnswer, EveryCutIsRefused) {
  Message m = Message(kReply, 2).question("wiki.lan").cname("wiki.lan", "web.lan").a("web.lan", 0x0a000001);
  const std::vector<std::uint8_t> whole = m.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    m.bytes().assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(read(m), "refused") << size;
  }
}

TEST(DnsAnswer, AQueryIsNone) {
  EXPECT_EQ(read(Message(kQuery, 0).question("wiki.lan")), "refused");
  EXPECT_EQ(read(Message(0xa800, 0).question("wiki.lan")), "refused");
  EXPECT_FALSE(read_dns_answer({}));
  EXPECT_FALSE(dns_id_and_question({}));
}

}  // namespace
}  // namespace nightlatch
