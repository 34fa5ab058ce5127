// The SOCKS handshake: every conversation in every cut, cut short, and with every bit turned.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "tests/unit/socks_conversation.h"

namespace nightlatch {
namespace {

using Event = SocksHandshake::Event;
constexpr SocksMethods kNone{true, false}, kPassword{false, true}, kBoth{true, true};

std::string bytes(std::string_view hex_with_spaces) {
  std::string out;
  for (const std::string_view pair : split(hex_with_spaces, ' '))
    out += static_cast<char>(std::stoi(std::string(pair), nullptr, 16));
  return out;
}

std::string counted(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }

const std::string kHello = bytes("05 01 00"), kHelloPassword = bytes("05 02 00 02");
const std::string kAlice = bytes("01") + counted("alice") + counted("s3cret");
const std::string kLong(255, 'n');

struct Case {
  std::string_view what;
  SocksMethods accepted;
  std::string said;
  std::size_t spare;  // bytes at its end that are no longer the handshake's
  std::string understood;
};

const std::vector<Case>& valid() {
  static const std::vector<Case> cases{
      {"IPv4", kNone, kHello + bytes("05 01 00 01 0a 58 00 02 15 38"), 0,
       "request connect 10.88.0.2:5432; sent 0500 05000001c00002010438; rest "},
      {"IPv6", kNone, kHello + bytes("05 01 00 04 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07 01 bb"), 0,
       "request connect [2001:db8::7]:443; sent 0500 05000001c00002010438; rest "},
      {"IPv4-mapped is IPv4", kNone,
       kHello + bytes("05 01 00 04 00 00 00 00 00 00 00 00 00 00 ff ff 0a 58 00 02 01 bb"), 0,
       "request connect 10.88.0.2:443; sent 0500 05000001c00002010438; rest "},
      {"a name", kNone, kHello + bytes("05 01 00 03") + counted("wiki.lan") + bytes("01 bb"), 0,
       "request connect name wiki.lan:443; sent 0500 05000001c00002010438; rest "},
      {"a name that reads like an address", kNone,
       kHello + bytes("05 01 00 03") + counted("10.88.0.2") + bytes("01 bb"), 0,
       "request connect name 10.88.0.2:443; sent 0500 05000001c00002010438; rest "},
      {"the longest name", kNone, kHello + bytes("05 01 00 03") + counted(kLong) + bytes("00 01"), 0,
       "request connect name " + kLong + ":1; sent 0500 05000001c00002010438; rest "},
      {"UDP", kNone, kHello + bytes("05 03 00 01 00 00 00 00 00 00"), 0,
       "request udp 0.0.0.0:0; sent 0500 05000001c00002010438; rest "},
      {"a credential, and all in one", kPassword,
       kHelloPassword + kAlice + bytes("05 01 00 01 0a 58 00 02 15 38") + "first data", 10,
       "credential alice s3cret; request connect 10.88.0.2:5432; sent 0502 0100 05000001c00002010438; "
       "rest first data"},
      {"a credential is preferred", kBoth, kHelloPassword + kAlice + bytes("05 01 00 01 0a 58 00 02 15 38"),
       0,
       "credential alice s3cret; request connect 10.88.0.2:5432; sent 0502 0100 05000001c00002010438; rest "},
      {"but not asked of a client that has none", kBoth,
       bytes("05 03 01 00 80") + bytes("05 01 00 01 0a 58 00 02 15 38"), 0,
       "request connect 10.88.0.2:5432; sent 0500 05000001c00002010438; rest "},
      {"the longest credential", kPassword,
       kHelloPassword + bytes("01") + counted(kLong) + counted(kLong) +
           bytes("05 01 00 01 0a 58 00 02 15 38"),
       0,
       "credential " + kLong + " " + kLong +
           "; request connect 10.88.0.2:5432; sent 0502 0100 05000001c00002010438; rest "},
      {"more first data than it holds", kNone,
       kHello + bytes("05 01 00 01 0a 58 00 02 15 38") + std::string(2000, 'd'), 2000,
       "request connect 10.88.0.2:5432; sent 0500 05000001c00002010438; rest " + std::string(2000, 'd')},
      {"SOCKS 4", kNone, bytes("04 01 15 38 0a 58 00 02") + "bob" + bytes("00") + "data", 4,
       "request connect 10.88.0.2:5432; sent 005a0438c0000201; rest data"},
      {"SOCKS 4a", kBoth, bytes("04 01 01 bb 00 00 00 01 00") + "wiki.lan" + bytes("00") + "data", 4,
       "request connect name wiki.lan:443; sent 005a0438c0000201; rest data"},
      {"the longest of SOCKS 4a", kNone,
       bytes("04 01 01 bb 00 00 00 ff") + kLong + bytes("00") + kLong + bytes("00"), 0,
       "request connect name " + kLong + ":443; sent 005a0438c0000201; rest "},
  };
  return cases;
}

// Without the spaces that make the expected bytes readable.
std::string expected(std::string_view understood) {
  const auto at = understood.find("sent ");
  if (at == std::string_view::npos) return std::string(understood);
  std::string head(understood.substr(0, at + 5));
  const auto end = std::min(understood.find(';', at), understood.size());
  for (const char c : understood.substr(at + 5, end - at - 5)) {
    if (c != ' ') head += c;
  }
  return head + std::string(understood.substr(end));
}

std::string byte_by_byte(SocksMethods accepted, std::string_view said) {
  return socks_conversation(accepted, socks_pieces(said, 1));
}

TEST(Socks, EveryConversationIsUnderstood) {
  for (const Case& c : valid())
    EXPECT_EQ(socks_conversation(c.accepted, {c.said}), expected(c.understood)) << c.what;
}

TEST(Socks, TheCutDoesNotMatter) {
  for (const Case& c : valid()) {
    const std::string_view said = c.said;
    for (std::size_t i = 0; i <= said.size(); ++i) {
      ASSERT_EQ(socks_conversation(c.accepted, {said.substr(0, i), said.substr(i)}), expected(c.understood))
          << c.what << ", cut at " << i;
    }
    EXPECT_EQ(byte_by_byte(c.accepted, said), expected(c.understood)) << c.what;
  }
}

TEST(Socks, CutShortItWantsMore) {
  for (const Case& c : valid()) {
    for (std::size_t i = 0; i + c.spare < c.said.size(); ++i) {
      const std::string told = socks_conversation(c.accepted, {std::string_view(c.said).substr(0, i)});
      ASSERT_TRUE(told.find("more; ") != std::string::npos && told.find("request ") == std::string::npos)
          << c.what << ", the first " << i << ": " << told;
    }
  }
}

TEST(Socks, ATurnedBitIsReadOneWayOrRefused) {
  for (const Case& c : valid()) {
    for (std::size_t bit = 0; bit < (c.said.size() - c.spare) * 8; ++bit) {
      std::string said = c.said;
      said[bit / 8] = static_cast<char>(said[bit / 8] ^ 1 << bit % 8);
      ASSERT_EQ(socks_conversation(c.accepted, {said}), byte_by_byte(c.accepted, said))
          << c.what << ", bit " << bit;
    }
  }
}

TEST(Socks, WhatIsWrongIsRefusedAsTheRfcAllows) {
  const std::vector<Case> cases{
      {"HTTP", kNone, "GET / HTTP/1.1\r\n", 0, "failed: not SOCKS; sent "},
      {"no methods", kNone, bytes("05 00"), 0, "failed: no common method; sent 05ff"},
      {"only GSSAPI", kBoth, bytes("05 01 01"), 0, "failed: no common method; sent 05ff"},
      {"a password where none is taken", kNone, bytes("05 01 02"), 0, "failed: no common method; sent 05ff"},
      {"no password where it is needed", kPassword, kHello, 0, "failed: no common method; sent 05ff"},
      {"SOCKS 4 where a password is needed", kPassword, bytes("04 01 15 38 0a 58 00 02 00"), 0,
       "failed: SOCKS 4 has no password; sent 005b000000000000"},
      {"a wrong credential", kPassword,
       kHelloPassword + bytes("01") + counted("mallory") + counted("x") +
           bytes("05 01 00 01 0a 58 00 02 15 38"),
       0, "credential mallory x; failed: wrong credential; sent 0502 0101"},
      {"a request in place of the credential", kPassword,
       kHelloPassword + bytes("05 01 00 01 0a 58 00 02 15 38"), 0, "failed: not a credential; sent 0502"},
      {"no user name", kPassword, kHelloPassword + bytes("01 00 01 78"), 0,
       "failed: empty credential; sent 0502 0101"},
      {"no password", kPassword, kHelloPassword + bytes("01 01 78 00"), 0,
       "failed: empty credential; sent 0502 0101"},
      {"a request of another version", kNone, kHello + bytes("04"), 0,
       "failed: not a request; sent 0500 05010001000000000000"},
      {"RSV", kNone, kHello + bytes("05 01 01"), 0,
       "failed: reserved byte is not 0; sent 0500 05010001000000000000"},
      {"ATYP 2", kNone, kHello + bytes("05 01 00 02"), 0,
       "failed: unknown address type; sent 0500 05080001000000000000"},
      {"ATYP 0", kNone, kHello + bytes("05 01 00 00"), 0,
       "failed: unknown address type; sent 0500 05080001000000000000"},
      {"BIND", kNone, kHello + bytes("05 02 00 01 0a 58 00 02 15 38"), 0,
       "failed: unsupported command; sent 0500 05070001000000000000"},
      {"command 0", kNone, kHello + bytes("05 00 00 01 0a 58 00 02 15 38"), 0,
       "failed: unsupported command; sent 0500 05070001000000000000"},
      {"port 0", kNone, kHello + bytes("05 01 00 01 0a 58 00 02 00 00"), 0,
       "failed: port 0; sent 0500 05010001000000000000"},
      {"an empty name", kNone, kHello + bytes("05 01 00 03 00 01 bb"), 0,
       "failed: bad host name; sent 0500 05010001000000000000"},
      {"a NUL in a name", kNone, kHello + bytes("05 01 00 03 03 61 00 62 01 bb"), 0,
       "failed: bad host name; sent 0500 05010001000000000000"},
      {"SOCKS 4 BIND", kNone, bytes("04 02 15 38 0a 58 00 02 00"), 0,
       "failed: unsupported command; sent 005b000000000000"},
      {"SOCKS 4 port 0", kNone, bytes("04 01 00 00 0a 58 00 02 00"), 0,
       "failed: port 0; sent 005b000000000000"},
      {"SOCKS 4a without a name", kNone, bytes("04 01 15 38 00 00 00 01 00 00"), 0,
       "failed: bad host name; sent 005b000000000000"},
      {"SOCKS 4a with a space", kNone, bytes("04 01 15 38 00 00 00 01 00 61 20 00"), 0,
       "failed: bad host name; sent 005b000000000000"},
      {"a user id without end", kNone, bytes("04 01 15 38 0a 58 00 02") + std::string(256, 'u'), 0,
       "failed: user id too long; sent 005b000000000000"},
      {"a SOCKS 4a name without end", kNone, bytes("04 01 15 38 00 00 00 01 00") + std::string(256, 'n'), 0,
       "failed: bad host name; sent 005b000000000000"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(socks_conversation(c.accepted, {c.said}), expected(c.understood)) << c.what;
    EXPECT_EQ(byte_by_byte(c.accepted, c.said), expected(c.understood)) << c.what;
  }
}

Event feed(SocksHandshake& shake, std::string_view said) {
  const std::span<char> room = shake.room();
  EXPECT_LE(said.size(), room.size());
  std::copy(said.begin(), said.end(), room.begin());
  return shake.received(said.size());
}

TEST(Socks, ACredentialMayTakeItsTime) {
  SocksHandshake shake(kPassword);
  EXPECT_EQ(feed(shake, kHelloPassword + kAlice + bytes("05 01 00 01 0a 58 00 02 15 38") + "x"),
            Event::credential);
  EXPECT_EQ(socks_hex(shake.output()), "0502");
  EXPECT_TRUE(shake.room().empty()) << "nothing is read meanwhile";
  EXPECT_EQ(shake.received(100), Event::credential);
  shake.answer(SocksReply::succeeded);
  EXPECT_EQ(shake.event(), Event::credential) << "there is no request to answer yet";
  EXPECT_EQ(shake.user(), "alice");
  EXPECT_EQ(shake.password(), "s3cret");
  EXPECT_EQ(shake.credential(true), Event::request);
  EXPECT_EQ(shake.user(), "");
  EXPECT_EQ(shake.password(), "");
  EXPECT_EQ(shake.rest(), "x");
  EXPECT_EQ(shake.credential(false), Event::request) << "it is answered once";
  EXPECT_EQ(socks_hex(shake.output()), "05020100");
  shake.sent(3);
  EXPECT_EQ(socks_hex(shake.output()), "00");
}

TEST(Socks, APasswordIsNotKept) {
  SocksHandshake shake(kPassword);
  const auto holds = [&shake](std::string_view secret) {
    return memmem(&shake, sizeof shake, secret.data(), secret.size()) != nullptr;
  };
  feed(shake, kHelloPassword + kAlice + bytes("05 01 00 01"));
  EXPECT_TRUE(holds("s3cret"));
  shake.credential(true);
  EXPECT_FALSE(holds("cret"));
  SocksHandshake refused(kPassword);
  feed(refused, kHelloPassword + kAlice);
  refused.credential(false);
  EXPECT_EQ(memmem(&refused, sizeof refused, "cret", 4), nullptr);
}

TEST(Socks, AfterItsEndItTakesNothing) {
  SocksHandshake failed(kNone);
  EXPECT_EQ(feed(failed, "GET"), Event::failed);
  EXPECT_TRUE(failed.room().empty());
  EXPECT_EQ(failed.received(3), Event::failed);
  EXPECT_EQ(failed.credential(true), Event::failed);
  failed.answer(SocksReply::succeeded);
  EXPECT_EQ(failed.output(), "");

  SocksHandshake done(kNone);
  EXPECT_EQ(feed(done, kHello + bytes("05 01 00 01 0a 58 00 02 15 38")), Event::request);
  EXPECT_TRUE(done.room().empty());
  EXPECT_EQ(done.received(3), Event::request);
  EXPECT_EQ(done.rest(), "");
  done.answer(SocksReply::not_allowed);
  done.answer(SocksReply::succeeded);
  EXPECT_EQ(socks_hex(done.output()), "050005020001000000000000") << "one request has one answer";
}

TEST(Socks, TheReplyNamesTheBoundAddress) {
  const auto reply = [](std::string_view request, const Endpoint& bound) {
    SocksHandshake shake(kNone);
    feed(shake, request);
    shake.sent(shake.output().size());
    shake.answer(SocksReply::succeeded, bound);
    return socks_hex(shake.output());
  };
  const std::string five = kHello + bytes("05 03 00 01 00 00 00 00 00 00");
  const std::string four = bytes("04 01 15 38 0a 58 00 02 00");
  EXPECT_EQ(reply(five, *Endpoint::parse("10.1.2.3:4660")), "050000010a0102031234");
  EXPECT_EQ(reply(five, *Endpoint::parse("[2001:db8::1]:4660")),
            "0500000420010db80000000000000000000000011234");
  EXPECT_EQ(reply(four, *Endpoint::parse("10.1.2.3:4660")), "005a12340a010203");
  EXPECT_EQ(reply(four, *Endpoint::parse("[2001:db8::1]:4660")), "005a123400000000") << "it has no IPv6";
}

TEST(Socks, AFailedConnectIsToldByItsCause) {
  const std::map<int, SocksReply> replies{
      {ENETUNREACH, SocksReply::network_unreachable},         {EHOSTUNREACH, SocksReply::host_unreachable},
      {ECONNREFUSED, SocksReply::connection_refused},         {ETIMEDOUT, SocksReply::ttl_expired},
      {EAFNOSUPPORT, SocksReply::address_type_not_supported}, {EACCES, SocksReply::general_failure}};
  for (const auto& [error, reply] : replies) EXPECT_EQ(socks_reply_for(error), reply) << strerror(error);
  for (int error = 0; error < 200; ++error) {
    EXPECT_NE(socks_reply_for(error), SocksReply::succeeded) << error;
    EXPECT_NE(socks_reply_for(error), SocksReply::not_allowed) << error;
  }
}

}  // namespace
}  // namespace nightlatch
