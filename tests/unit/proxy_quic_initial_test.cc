// The name in a QUIC client's first datagrams: the examples of the RFCs, and packets made here.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "proxy/quic_initial.h"
#include "tests/unit/quic_maker.h"
#include "tests/unit/quic_vectors.h"

namespace nightlatch {
namespace {

using namespace maker;  // NOLINT: for tests

constexpr std::string_view kName = "wiki.office.example";

// Feeds one datagram after the other; "more more found wiki.office.example" is what is known after each.
std::string heard(QuicInitial& quic, const std::vector<std::string>& datagrams) {
  std::string out;
  for (const std::string& d : datagrams) {
    const QuicState state = quic.feed(bytes_of(d));
    EXPECT_EQ(state, quic.state());
    constexpr std::array<const char*, 5> names{"more", "not_quic", "other_version", "malformed", "found"};
    out += out.empty() ? "" : " ";
    out += names.at(static_cast<std::size_t>(state));
  }
  if (quic.state() == QuicState::found) out += " " + quic.hello().server_name;
  return out;
}
std::string heard(const std::vector<std::string>& datagrams) {
  QuicInitial quic;
  return heard(quic, datagrams);
}

std::string hello() { return hello_for(kName); }
ClientInitial whole_hello() { return {.frames = crypto(0, hello())}; }
std::string heard_frames(const std::string& frames) { return heard({datagram({.frames = frames})}); }
const std::string kFound = "found wiki.office.example";  // NOLINT: a constant of the test

TEST(QuicKeys, OfTheRfcs) {  // RFC 9001 and RFC 9369, both appendix A.1
  const std::string id = from_hex("8394c8f03e515708");
  const InitialKeys v1 = client_initial_keys(QuicVersion::v1, bytes_of(id));
  EXPECT_EQ(hex(v1.key), "1f369613dd76d5467730efcbe3b1a22d");
  EXPECT_EQ(hex(v1.iv), "fa044b2f42a3fd3b46fb255c");
  EXPECT_EQ(hex(v1.header), "9f50449e04a0e810283a1e9933adedd2");
  const InitialKeys v2 = client_initial_keys(QuicVersion::v2, bytes_of(id));
  EXPECT_EQ(hex(v2.key), "8b1a0bc121284290a29e0971b5cd045d");
  EXPECT_EQ(hex(v2.iv), "91f73e2351d8fa91660e909f");
  EXPECT_EQ(hex(v2.header), "45b95e15235d6f45a6b19cbcb0294ba9");
}

TEST(QuicInitial, TheExamplesOfTheRfcs) {
  EXPECT_EQ(heard({from_hex(kRfcInitialV1)}), "found example.com");
  EXPECT_EQ(heard({from_hex(kRfcInitialV2)}), "found example.com");
}

TEST(QuicInitial, NotOneBitOfThemMayChange) {
  const std::string good = from_hex(kRfcInitialV1);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bits : {1, 0x40, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ bits);
      QuicInitial quic;
      EXPECT_NE(quic.feed(bytes_of(bad)), QuicState::found) << at << ' ' << bits;
    }
  }
  for (std::size_t size = 1; size < good.size(); ++size) {
    QuicInitial quic;
    EXPECT_NE(quic.feed(bytes_of(good).first(size)), QuicState::found) << size;
  }
}

TEST(QuicInitial, OurPacketsAreThoseOfTheRfcs) {
  ClientInitial p{.frames = from_hex(kRfcFrame), .to = from_hex("8394c8f03e515708"), .from = ""};
  p.packet_number = 2;
  p.number_size = 4;
  EXPECT_EQ(hex(bytes_of(datagram(p))), kRfcInitialV1);
  p.version = QuicVersion::v2;
  EXPECT_EQ(hex(bytes_of(datagram(p))), kRfcInitialV2);
}

TEST(QuicInitial, BothVersionsAndEverySizeOfNumber) {
  for (const QuicVersion version : {QuicVersion::v1, QuicVersion::v2}) {
    for (unsigned size = 1; size <= 4; ++size) {
      ClientInitial p = whole_hello();
      p.version = version;
      p.number_size = size;
      p.packet_number = 7;
      EXPECT_EQ(heard({datagram(p)}), kFound);
      p.packet_number = QuicInitial::kMostNumber + 1;
      EXPECT_EQ(heard({datagram(p)}), "malformed") << "a server could take it for another number";
    }
  }
}

TEST(QuicInitial, CryptoInAnyOrder) {
  const std::string stream = hello();
  const std::size_t half = stream.size() / 2;
  const std::string a = crypto_of(stream, 0, half), b = crypto_of(stream, half, stream.size());
  EXPECT_EQ(heard_frames(a + b), kFound);
  EXPECT_EQ(heard_frames(b + a), kFound);
  EXPECT_EQ(heard_frames(b + crypto(3, "") + b + a + a), kFound) << "again, and of nothing";
  EXPECT_EQ(heard_frames(crypto_of(stream, 0, half + 9) + crypto_of(stream, half - 9, stream.size())),
            kFound);
  EXPECT_EQ(heard({datagram({.frames = a}), datagram({.frames = b})}), "more " + kFound);
  EXPECT_EQ(heard({datagram({.frames = b}), datagram({.frames = a})}), "more " + kFound);
  EXPECT_EQ(heard({packet({.frames = b}) + packet({.frames = a})}), kFound) << "coalesced";
  EXPECT_EQ(heard({datagram({.frames = b}), datagram({.frames = b})}), "more more");

  std::string shuffled, pieces;
  for (std::size_t i = 0; i < stream.size(); ++i) pieces.insert(0, crypto_of(stream, i, 1));
  for (std::size_t i = 0; i < stream.size(); ++i)
    shuffled += crypto_of(stream, i * 37 % stream.size(), 1) + '\1';
  ASSERT_NE(stream.size() % 37, 0U);
  EXPECT_EQ(heard_frames(pieces), kFound);
  EXPECT_EQ(heard_frames(shuffled), kFound);
}

TEST(QuicInitial, EveryCutBetweenTwoDatagrams) {
  const std::string stream = hello();
  for (std::size_t at = 1; at < stream.size(); ++at) {
    std::vector<std::string> two{datagram({.frames = crypto_of(stream, 0, at)}),
                                 datagram({.frames = crypto_of(stream, at, stream.size())})};
    EXPECT_EQ(heard(two), "more " + kFound) << at;
    std::reverse(two.begin(), two.end());
    EXPECT_EQ(heard(two), "more " + kFound) << at;
  }
}

TEST(QuicInitial, CryptoThatContradictsItself) {
  const std::string other = hello_for("evil.office.example");
  ASSERT_EQ(other.size(), hello().size());
  EXPECT_EQ(heard_frames(crypto(0, hello()) + crypto(0, other)), "malformed");
  EXPECT_EQ(heard_frames(crypto_of(hello(), 9, 99) + crypto(0, other)), "malformed");
  EXPECT_EQ(heard({datagram(whole_hello()), datagram({.frames = crypto(0, other)})}), "found malformed");
  EXPECT_EQ(heard({datagram(whole_hello()), datagram(whole_hello())}), "found " + kFound) << "sent again";
}

TEST(QuicInitial, AHelloThatIsNone) {
  EXPECT_EQ(heard_frames(crypto(0, handshake(hello_body(sni("a b"))))), "malformed");
  EXPECT_EQ(heard_frames(crypto(0, handshake("x", 2))), "malformed");
  EXPECT_EQ(heard_frames(crypto(0, from_hex("01ffffff"))), "malformed") << "too long";
  EXPECT_EQ(heard_frames(crypto(0, from_hex("01"))), "more");
}

TEST(QuicInitial, PacketsThatNoKeyOpensAreFewOrMalformed) {
  QuicInitial quic;
  EXPECT_EQ(heard(quic, {datagram(whole_hello())}), kFound);
  const std::string junk = datagram({.frames = "\1", .to = "elsewhere", .keys_from = "of another"});
  for (std::size_t n = 0; n < QuicInitial::kMostMisses; ++n)
    EXPECT_EQ(quic.feed(bytes_of(junk)), QuicState::found) << n;
  EXPECT_EQ(quic.feed(bytes_of(junk)), QuicState::malformed) << "each costs two new keys";
}

TEST(QuicInitial, Frames) {
  const std::string whole = crypto(0, hello());
  const std::string ack =
      varint(9) + varint(100) + varint(2) + varint(1) + varint(0) + varint(0) + varint(0) + varint(0);
  const std::string close = '\x1c' + varint(10) + varint(6) + vec("because", 1);
  EXPECT_EQ(heard_frames('\1' + std::string(3, '\0') + whole + '\1'), kFound);
  EXPECT_EQ(heard_frames('\2' + ack + whole), kFound);
  EXPECT_EQ(heard_frames('\3' + ack + varint(1) + varint(2) + varint(3) + whole), kFound);
  EXPECT_EQ(heard_frames(close + whole), kFound);
  for (int type = 0; type < 256; ++type) {
    if (type <= 3 || type == 6 || type == 0x1c) continue;
    EXPECT_EQ(heard_frames(whole + static_cast<char>(type)), "malformed") << type;
  }
  EXPECT_EQ(heard_frames(whole + from_hex("4000")), "malformed") << "a type that is longer than it must be";
  // Frames that do not end: here no PADDING may follow.
  const auto alone = [&](const std::string& frames) { return heard({packet({.frames = frames})}); };
  EXPECT_EQ(alone(whole + '\2' + ack), kFound);
  EXPECT_EQ(alone(whole + '\2' + ack.substr(0, ack.size() - 1)), "malformed");
  EXPECT_EQ(alone(whole + '\2' + varint(1) + varint(1) + varint(1ULL << 61)), "malformed");
  EXPECT_EQ(alone(whole.substr(0, whole.size() - 1)), "malformed");
  EXPECT_EQ(alone(whole + close.substr(0, close.size() - 1)), "malformed");
  EXPECT_EQ(heard({packet({.frames = "", .number_size = 4})}), "malformed") << "no frame at all";
}

TEST(QuicInitial, BoundsOfTheStream) {
  EXPECT_EQ(heard_frames(crypto(QuicInitial::kMostCrypto - 5, "12345")), "more");
  EXPECT_EQ(heard_frames(crypto(QuicInitial::kMostCrypto - 4, "12345")), "malformed");
  EXPECT_EQ(heard_frames(crypto(QuicInitial::kMostCrypto + 1, "")), "malformed");
  EXPECT_EQ(heard_frames(crypto((1ULL << 62) - 1, "12345")), "malformed");
  const std::string large = handshake(hello_body(extension(21, std::string(12000, '\0')) + sni(kName)));
  std::vector<std::string> datagrams;
  for (std::size_t at = 0; at < large.size(); at += 1100) {
    datagrams.push_back(datagram({.frames = crypto_of(large, at, 1100)}));
  }
  EXPECT_TRUE(heard(datagrams).ends_with("more " + kFound));
  std::reverse(datagrams.begin(), datagrams.end());
  EXPECT_TRUE(heard(datagrams).ends_with("more " + kFound));
}

TEST(QuicInitial, AfterRetryTheKeysAreNew) {
  const std::string stream = hello();
  const auto sent = [&](std::size_t at, const char* to, const char* token) {
    return datagram({.frames = crypto_of(stream, at, 40), .to = to, .token = token});
  };
  EXPECT_EQ(heard({sent(0, "first-id", ""), sent(0, "retry", "token"), sent(40, "retry", "token"),
                   sent(80, "retry", "token")}),
            "more more more " + kFound);
  ClientInitial again = whole_hello();
  again.to = "";  // the server may choose an ID of no bytes
  again.token = "token";
  EXPECT_EQ(heard({datagram(whole_hello()), datagram(again)}), "found " + kFound);
  again.frames = crypto(0, hello_for("evil.office.example"));
  EXPECT_EQ(heard({datagram(whole_hello()), datagram(again)}), "found malformed");
}

TEST(QuicInitial, TheServersIdDoesNotChangeTheKeys) {
  const std::string stream = hello();
  const std::string rest = datagram({.frames = crypto_of(stream, 50, stream.size()),
                                     .to = "servers",
                                     .keys_from = "to-server",
                                     .packet_number = 1});
  EXPECT_EQ(heard({datagram({.frames = crypto_of(stream, 0, 50)}), rest}), "more " + kFound);
  EXPECT_EQ(heard({rest}), "malformed") << "nobody knows its keys";
  // A server may answer in version 2: the keys then come from the same ID (RFC 9369 section 4.1).
  const std::string v2 = datagram({.frames = crypto_of(stream, 50, stream.size()),
                                   .to = "servers",
                                   .keys_from = "to-server",
                                   .version = QuicVersion::v2});
  EXPECT_EQ(heard({datagram({.frames = crypto_of(stream, 0, 50)}), v2}), "more " + kFound);
}

TEST(QuicInitial, NoOtherNameFollows) {
  const auto evil = [](const char* to) {
    return datagram({.frames = crypto(0, hello_for("evil.office.example")), .to = to});
  };
  EXPECT_EQ(heard({datagram(whole_hello()), evil("another1")}), "found malformed");
  // Not in pieces, nor after packets that cannot be opened; and what is malformed stays so.
  const std::string part =
      datagram({.frames = crypto_of(hello_for("evil.office.example"), 60, 99), .to = "another1"});
  EXPECT_EQ(heard({datagram(whole_hello()), part, datagram(whole_hello())}), "found malformed malformed");
  std::string damaged = datagram(whole_hello());
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(heard({datagram(whole_hello()), damaged, damaged + evil("to-server")}), "found found malformed");
  // Connection IDs without end are refused, whatever they say.
  std::vector<std::string> many;
  for (const char* to : {"origin-1", "origin-2", "origin-3", "origin-4", "origin-5"}) {
    ClientInitial p = whole_hello();
    p.to = to;
    many.push_back(datagram(p));
  }
  EXPECT_EQ(heard(many), "found found found found malformed");
}

TEST(QuicInitial, ASecondHelloMustNameTheSame) {
  const auto second = [](const std::string& more) {
    return datagram({.frames = crypto(hello().size(), more), .packet_number = 1});
  };
  EXPECT_EQ(heard({datagram(whole_hello()), second(hello())}), "found " + kFound);
  EXPECT_EQ(heard({datagram(whole_hello()), second(hello().substr(0, 60))}), "found " + kFound);
  EXPECT_EQ(heard({datagram(whole_hello()), second(hello_for("evil.office.example"))}), "found malformed");
  EXPECT_EQ(heard({datagram(whole_hello()), second(handshake(hello_body("")))}), "found malformed");
  EXPECT_EQ(heard({datagram(whole_hello()), second(handshake("x", 11))}), "found malformed");
}

TEST(QuicInitial, Coalesced) {
  const std::string early = packet({.frames = std::string(50, 'x'), .type = 1});
  const std::string late = packet({.frames = std::string(50, 'x'), .type = 2});
  const std::string initial = packet(whole_hello());
  EXPECT_EQ(heard({initial + early}), kFound);
  EXPECT_EQ(heard({early + initial}), kFound);
  EXPECT_EQ(heard({early, initial}), "more " + kFound) << "0-RTT that overtook it";
  EXPECT_EQ(heard({late + initial + late}), kFound);
  for (const char* rest : {"\x40short header", "\x01", "\xff", "\xc0"}) {
    EXPECT_EQ(heard({initial + rest}), kFound) << "passed over: " << rest;
  }
  EXPECT_EQ(heard({initial + std::string(99, '\0')}), kFound);
  EXPECT_EQ(heard({initial + packet({.frames = std::string(9, '\1'), .to = "elsewhere"})}), "malformed");
  EXPECT_EQ(heard({initial + from_hex("cdff00001d0174017300")}), "malformed") << "a version within";
  std::string many;
  const std::string small = packet({.frames = std::string(4, '\1')});
  for (std::size_t i = 1; i < QuicInitial::kMostPackets; ++i) many += small;
  EXPECT_EQ(heard({many + initial}), kFound);
  EXPECT_EQ(heard({many + small + initial}), "malformed");
}

TEST(QuicInitial, OtherVersions) {
  const std::string draft29 = from_hex("cdff00001d08746f2d7365727601740000") + std::string(1200, 'x');
  const std::string grease = from_hex("ca1a2a3a4a08746f2d7365727601740000") + std::string(1200, 'x');
  EXPECT_EQ(heard({draft29}), "other_version");
  EXPECT_EQ(heard({grease}), "other_version");
  EXPECT_EQ(heard({grease, "\x40short", datagram(whole_hello())}), "other_version other_version " + kFound)
      << "the server's answer brought the client to a version we know";
  EXPECT_EQ(heard({datagram(whole_hello()), grease}), "found malformed") << "another connection";
  EXPECT_EQ(heard({grease.substr(0, 99)}), "not_quic") << "too small to begin one";
  std::string negotiation = grease;
  negotiation.replace(1, 4, 4, '\0');
  EXPECT_EQ(heard({negotiation}), "not_quic") << "a server's";
}

TEST(QuicInitial, WhatIsNotQuic) {
  EXPECT_EQ(heard({"\x40short header"}), "not_quic");
  EXPECT_EQ(heard({from_hex("800000017a000000")}), "not_quic");  // RTP is alike
  EXPECT_EQ(heard({""}), "more");
  EXPECT_EQ(heard({"\xc0"}), "not_quic");
  EXPECT_EQ(heard({"dns or such", datagram(whole_hello())}), "not_quic " + kFound) << "it may still come";
  EXPECT_EQ(heard({"dns or such", datagram({.frames = crypto_of(hello(), 0, 9)})}), "not_quic more");
  EXPECT_EQ(heard({datagram(whole_hello()), "\x40short header", ""}), "found found " + kFound);
}

TEST(QuicInitial, HeadersThatNoServerTakes) {
  ClientInitial p = whole_hello();
  p.to = std::string(20, 'i');
  EXPECT_EQ(heard({datagram(p)}), kFound);
  p.to = std::string(21, 'i');
  EXPECT_EQ(heard({datagram(p)}), "malformed");
  p = whole_hello();
  p.type = 3;
  EXPECT_EQ(heard({datagram(p)}), "malformed") << "a Retry is the server's";
  for (const unsigned reserved : {4U, 8U, 12U}) {
    p = whole_hello();
    p.first_bits = reserved;
    EXPECT_EQ(heard({datagram(p)}), "malformed");
  }
  EXPECT_EQ(heard({packet({.frames = ""})}), "malformed") << "too short for a sample";
  p = whole_hello();
  p.token = std::string(500, 't');
  EXPECT_EQ(heard({datagram(p)}), kFound);
}

}  // namespace
}  // namespace nightlatch
