// The name in a TLS client's first message: hellos made by hand and by OpenSSL, whole, cut and damaged.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>

#include "proxy/client_hello.h"
#include "tests/unit/hello_maker.h"

namespace nightlatch {
namespace {

using namespace maker;  // NOLINT: for tests

struct Heard {
  HelloState state = HelloState::more;
  ClientHello hello;
};

Heard hear(std::string_view bytes, std::size_t piece = 0) {
  ClientHelloStream stream;
  if (piece == 0) piece = std::max<std::size_t>(1, bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += piece) stream.feed(bytes_of(bytes.substr(at, piece)));
  return {stream.state(), stream.hello()};
}

Heard hear_body(std::string_view body) { return hear(records(handshake(body))); }
HelloState state_of(std::string_view bytes) { return hear(bytes).state; }
HelloState state_of_extensions(std::string_view extensions) {
  return hear_body(hello_body(extensions)).state;
}

// What OpenSSL's own client says first.
std::string openssl_hello(const std::function<void(SSL*)>& prepare) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  BIO* sent = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), sent);
  SSL_set_connect_state(ssl.get());
  prepare(ssl.get());
  SSL_do_handshake(ssl.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(sent, &data);
  return {data, static_cast<std::size_t>(size)};
}

// OpenSSL's macros for these hide casts that we do not allow ourselves.
void ask_for(SSL* ssl, std::string host) {
  ASSERT_EQ(SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()), 1);
}

void offer_groups(SSL* ssl, std::string list) {
  ASSERT_EQ(SSL_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, list.data()), 1);
}

void offer(SSL* ssl, int protocols) {  // ALPN, 100 bytes each
  std::string list;
  for (int i = 0; i < protocols; ++i) list += vec(std::string(99, 'p'), 1);
  ASSERT_EQ(SSL_set_alpn_protos(ssl, bytes_of(list).data(), static_cast<unsigned>(list.size())), 0);
}

std::string tls13_hello() {
  return openssl_hello([](SSL* ssl) {
    ask_for(ssl, "Wiki.Office.Example");
    SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
  });
}

TEST(ClientHello, AHelloMadeByHand) {
  const Heard heard = hear(records(hello_for("wiki.office.example")));
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_EQ(heard.hello.server_name, "wiki.office.example");
  EXPECT_TRUE(heard.hello.has_sni);
  EXPECT_FALSE(heard.hello.has_ech);
}

TEST(ClientHello, OpenSslsOwn) {
  Heard heard = hear(tls13_hello());
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_EQ(heard.hello.server_name, "wiki.office.example");

  heard = hear(openssl_hello([](SSL* ssl) {
    ask_for(ssl, "db.office.example");
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
  }));
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_EQ(heard.hello.server_name, "db.office.example");

  heard = hear(openssl_hello([](SSL*) {}));
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_EQ(heard.hello.server_name, "");
  EXPECT_FALSE(heard.hello.has_sni);

  for (const std::size_t record : {16384U, 512U}) {  // one record, and two dozen
    heard = hear(openssl_hello([&](SSL* ssl) {
      ask_for(ssl, "big.office.example");
      offer(ssl, 110);
      offer_groups(ssl, "X25519:P-256:P-384:P-521:X448:ffdhe2048:ffdhe8192");
      ASSERT_EQ(SSL_set_max_send_fragment(ssl, static_cast<long>(record)), 1);
    }));
    EXPECT_EQ(heard.state, HelloState::found);
    EXPECT_EQ(heard.hello.server_name, "big.office.example");
  }
}

TEST(ClientHello, AKeyShareOfTheSizeOfPostQuantumOnes) {
  const std::string share = vec(number(0x11ec, 2) + vec(std::string(1216, 'k'), 2), 2);
  const Heard heard =
      hear(records(handshake(hello_body(extension(51, share) + sni("pq.example"))), 700), 100);
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_EQ(heard.hello.server_name, "pq.example");
}

TEST(ClientHello, EveryCutAndEveryRecordSize) {
  const std::string message = tls13_hello().substr(5);
  // As many records as are taken, almost: newer libraries send a key share of more than a kilobyte.
  const std::size_t smallest = message.size() / 60 + 1;
  for (const std::size_t piece : {smallest, std::size_t{50}, std::size_t{100}, message.size()}) {
    const std::string stream = records(message, piece);
    for (std::size_t at = 0; at <= stream.size(); ++at) {
      ClientHelloStream reader;
      const HelloState first = reader.feed(bytes_of(stream).first(at));
      EXPECT_EQ(first, at < stream.size() ? HelloState::more : HelloState::found) << at;
      EXPECT_EQ(reader.feed(bytes_of(stream).subspan(at)), HelloState::found) << at;
      EXPECT_EQ(reader.hello().server_name, "wiki.office.example");
    }
    EXPECT_EQ(hear(stream, 1).hello.server_name, "wiki.office.example");
  }
}

TEST(ClientHello, EveryTruncatedBodyIsMalformed) {
  const std::string body = tls13_hello().substr(9);
  ASSERT_TRUE(parse_client_hello(bytes_of(body)));
  std::size_t fine = 0;
  for (std::size_t size = 0; size < body.size(); ++size) {
    if (parse_client_hello(bytes_of(body).first(size))) ++fine;
  }
  EXPECT_EQ(fine, 1U) << "only the one that ends before its extensions";
  EXPECT_FALSE(parse_client_hello(bytes_of(body + '\0')));
}

TEST(ClientHello, EveryByteFlipped) {
  const std::string stream = tls13_hello();
  for (std::size_t at = 0; at < stream.size(); ++at) {
    for (int bits = 1; bits < 256; ++bits) {
      std::string bad = stream;
      bad[at] = static_cast<char>(bad[at] ^ bits);
      const Heard heard = hear(bad);
      if (heard.state != HelloState::found) continue;
      const std::string& host = heard.hello.server_name;
      EXPECT_TRUE(host.empty() ? !heard.hello.has_sni : is_proper_host_name(host)) << at << ' ' << bits;
    }
  }
}

TEST(ClientHello, NamesThatAreNames) {
  const std::string label(63, 'a');
  for (const std::string& host :
       {std::string("a"), std::string("localhost"), std::string("xn--bcher-kva.example"),
        std::string("a_b.example"), std::string("-a.b-.example"), std::string("3com.example"),
        std::string("1.2.3.4.example"), label + ".b",
        fmt::format("{0}.{0}.{0}.{1}", label, label.substr(2))}) {
    EXPECT_EQ(hear(records(hello_for(host))).hello.server_name, host);
    EXPECT_EQ(hear(records(hello_for(host + "."))).hello.server_name, host) << "the dot at the end goes";
  }
  EXPECT_EQ(hear(records(hello_for("WWW.Example.COM"))).hello.server_name, "www.example.com");
}

TEST(ClientHello, NamesThatAreNone) {
  const std::string label(63, 'a');
  const std::string four = fmt::format("{0}.{0}.{0}.{0}", label);
  for (const std::string& host :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a.."),
        std::string("a b"), std::string("a\0.b", 4), std::string("wiki.example\n"),
        std::string("b\xc3\xbc"
                    "cher.example"),
        std::string("*.example"), std::string("wiki.example:443"), "a" + label + ".b", four.substr(1),
        std::string("10.0.1"), std::string("2130706433"), std::string("127.0.0.1."),
        std::string("1.2.3.999")}) {
    EXPECT_EQ(state_of(records(hello_for(host))), HelloState::malformed) << host;
  }
}

TEST(ClientHello, AnAddressNamesNobody) {
  for (const char* address : {"10.1.0.7", "2001:db8::1", "::ffff:10.1.0.7"}) {
    const Heard heard = hear(records(hello_for(address)));
    EXPECT_EQ(heard.state, HelloState::found) << address;
    EXPECT_TRUE(heard.hello.has_sni);
    EXPECT_EQ(heard.hello.server_name, "");
  }
}

TEST(ClientHello, TwoNamesOrNone) {
  const std::string two = vec(name_entry("a.example") + name_entry("b.example"), 2);
  EXPECT_EQ(state_of_extensions(extension(0, two)), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(sni("a.example") + sni("b.example")), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(sni("a.example") + sni("a.example")), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(sni("10.0.0.1") + sni("a.example")), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(extension(0, "")), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(extension(0, vec("", 2))), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(extension(0, vec(name_entry("a.example"), 2) + "x")), HelloState::malformed);
  EXPECT_EQ(state_of_extensions(extension(0, vec('\1' + vec("a.example", 2), 2))), HelloState::malformed);
  const std::string other_first = '\1' + vec("x", 2) + name_entry("a.example");
  EXPECT_EQ(state_of_extensions(extension(0, vec(other_first, 2))), HelloState::malformed);
}

TEST(ClientHello, EncryptedClientHello) {
  const Heard heard = hear_body(hello_body(sni("front.example") + extension(0xfe0d, "anything")));
  EXPECT_EQ(heard.state, HelloState::found);
  EXPECT_TRUE(heard.hello.has_ech);
  EXPECT_EQ(heard.hello.server_name, "front.example");
  EXPECT_EQ(state_of_extensions(extension(0xfe0d, "") + extension(0xfe0d, "")), HelloState::malformed);
}

TEST(ClientHello, NoExtensionsAtAll) {
  const std::string body = hello_body("");
  EXPECT_EQ(hear_body(body).state, HelloState::found);
  EXPECT_EQ(hear_body(body.substr(0, body.size() - 2)).state, HelloState::found);
  EXPECT_EQ(hear_body(body.substr(0, body.size() - 1)).state, HelloState::malformed);
}

TEST(ClientHello, FieldsThatNoServerTakes) {
  const std::string body = hello_body(sni("a.example"));
  const auto changed = [&](std::size_t at, std::string_view to) {
    return hear_body(std::string(body).replace(at, to.size(), to)).state;
  };
  EXPECT_EQ(changed(0, "\x02"), HelloState::malformed) << "version";
  EXPECT_EQ(changed(34, "\x21"), HelloState::malformed) << "session ID too long";
  const std::string start = "\x03\x03" + std::string(32, 'r') + vec("", 1);
  const std::string null(1, '\0');
  EXPECT_EQ(hear_body(start + vec("\x13\x01", 2) + vec(null, 1)).state, HelloState::found);
  EXPECT_EQ(hear_body(start + vec("", 2) + vec(null, 1)).state, HelloState::malformed);
  EXPECT_EQ(hear_body(start + vec("\x13\x01\x13", 2) + vec(null, 1)).state, HelloState::malformed);
  EXPECT_EQ(hear_body(start + vec("\x13\x01", 2) + vec("", 1)).state, HelloState::malformed);
}

TEST(ClientHello, OtherProtocolsAreToldByTheirFirstByte) {
  for (const std::string_view bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.1\r\n", "\x80\x2e\x01\x03\x01", "\x15\x03\x03",
        "\x17\x03\x03", "\x16\x02", "\x16\x03\x05"}) {
    EXPECT_EQ(state_of(bytes), HelloState::not_tls) << bytes;
  }
  EXPECT_EQ(state_of(std::string("\0\0\0\x08", 4)), HelloState::not_tls);
  EXPECT_EQ(state_of(""), HelloState::more);
  EXPECT_EQ(state_of("\x16"), HelloState::more);
  EXPECT_EQ(state_of("\x16\x03\x01"), HelloState::more);
}

TEST(ClientHello, RecordsThatNoServerTakes) {
  const std::string message = hello_for("a.example");
  EXPECT_EQ(state_of(std::string("\x16\x03\x01\0\0", 5)), HelloState::malformed) << "of nothing";
  EXPECT_EQ(state_of("\x16\x03\x01\x40\x01"), HelloState::malformed) << "too long";
  EXPECT_EQ(state_of(records(message + "x")), HelloState::malformed) << "more in the record of the hello";
  EXPECT_EQ(state_of(records(message + message)), HelloState::malformed) << "two hellos";
  EXPECT_EQ(hear(records(message + message), 1).state, HelloState::malformed);
  EXPECT_EQ(state_of(records(message) + "whatever"), HelloState::found) << "what follows is not ours";
  EXPECT_EQ(state_of(records(handshake("x", 2))), HelloState::malformed) << "a ServerHello";
  const std::string begun = records(message.substr(0, 20));
  EXPECT_EQ(state_of(begun + "\x14\x03\x03"), HelloState::malformed) << "another record in between";
  EXPECT_EQ(state_of(begun + "\x16\x02"), HelloState::malformed);
}

TEST(ClientHello, Limits) {
  const auto of_size = [](std::size_t size) {  // of the body
    const std::size_t bare = hello_body(extension(21, "")).size();
    return handshake(hello_body(extension(21, std::string(size - bare, '\0'))));
  };
  EXPECT_EQ(state_of(records(of_size(16384))), HelloState::found);
  EXPECT_EQ(state_of(records(of_size(16385))), HelloState::malformed);
  EXPECT_EQ(state_of(records(of_size(16385)).substr(0, 9)), HelloState::malformed) << "as soon as it is said";

  const std::string message = of_size(640 - 4);
  EXPECT_EQ(state_of(records(message, 10)), HelloState::found);
  EXPECT_EQ(state_of(records(message, 9)), HelloState::malformed) << "more than 64 records";
  const std::string largest = records(of_size(16384), (kMostClientHello + 63) / 64);
  EXPECT_EQ(state_of(largest), HelloState::found);
  EXPECT_LE(largest.size(), ClientHelloStream::kMostBytes);
}

TEST(ClientHello, WhatIsKnownStays) {
  ClientHelloStream stream;
  EXPECT_EQ(stream.feed(bytes_of("\x17")), HelloState::not_tls);
  EXPECT_EQ(stream.feed(bytes_of(records(hello_for("a.example")))), HelloState::not_tls);
  ClientHelloStream found;
  found.feed(bytes_of(records(hello_for("a.example"))));
  EXPECT_EQ(found.feed(bytes_of(records(hello_for("b.example")))), HelloState::found);
  EXPECT_EQ(found.hello().server_name, "a.example");
}

}  // namespace
}  // namespace nightlatch
