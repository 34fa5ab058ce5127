// What clients ask the HTTP proxy for: what is passed on, to the byte, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy_http_transcript.h"

namespace nightlatch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing_proxy::hear_requests;
using testing_proxy::pieces_of;
using testing_proxy::Requests;

// Every cut in two, and byte by byte, must come to the same.
Requests hear(std::string_view bytes) {
  const Requests whole = hear_requests({bytes});
  for (std::size_t cut = 1; cut < bytes.size() && bytes.size() < 2000; ++cut)
    EXPECT_EQ(hear_requests({bytes.substr(0, cut), bytes.substr(cut)}), whole) << "cut at " << cut;
  EXPECT_EQ(hear_requests(pieces_of(bytes, 1)), whole) << "byte by byte";
  return whole;
}

std::string one_wire(std::string_view bytes) {
  const Requests heard = hear(bytes);
  EXPECT_EQ(heard.status, 0) << heard.line;
  return heard.wires.empty() ? std::string() : heard.wires[0];
}

TEST(ProxyRequest, AConnectIsAHostAPortAndTheTunnelsFirstBytes) {
  const Requests heard = hear(
      "CONNECT Wiki.LAN.:443 HTTP/1.1\r\nHost: wiki.lan:443\r\nProxy-Authorization: Basic "
      "YTpi\r\n\r\n\x16\x03\x01");
  EXPECT_EQ(heard.connect, "wiki.lan:443");
  EXPECT_EQ(heard.authorization, "Basic YTpi");
  EXPECT_EQ(heard.left, "\x16\x03\x01");
  EXPECT_EQ(hear("CONNECT [2001:DB8:0::1]:22 HTTP/1.0\r\n\r\n").connect, "2001:db8::1:22")
      << "no Host in 1.0";
  EXPECT_EQ(hear("CONNECT [::ffff:10.0.0.1]:22 HTTP/1.0\r\n\r\n").connect, "10.0.0.1:22");
}

TEST(ProxyRequest, AConnectWithoutAPlaceToGoIsRefused) {
  for (const std::string_view target : {"wiki.lan",
                                        "wiki.lan:",
                                        "wiki.lan:0",
                                        "wiki.lan:65536",
                                        "wiki.lan:-1",
                                        "wiki.lan:443/",
                                        ":443",
                                        "/",
                                        "*",
                                        "http://wiki.lan:443",
                                        "user@wiki.lan:443",
                                        "wiki..lan:443",
                                        "wiki%2elan:443",
                                        "::1:443",
                                        "[::1]",
                                        "[::1%25eth0]:443",
                                        "[10.0.0.1]:443",
                                        "[]:443",
                                        "127.1:443",
                                        "0x7f000001:443",
                                        "2130706433:443",
                                        "10.0.0.256:443",
                                        "010.0.0.1:443",
                                        "wiki.lan:443:443",
                                        "wi\\ki.lan:443"}) {
    const Requests heard = hear("CONNECT " + std::string(target) + " HTTP/1.1\r\nHost: wiki.lan\r\n\r\n");
    EXPECT_EQ(heard.status, 400) << target;
    EXPECT_EQ(heard.connect, "") << target;
  }
}

TEST(ProxyRequest, AGetIsPassedOnInOriginForm) {
  EXPECT_EQ(one_wire("GET http://Wiki.lan:8080/a?b=c HTTP/1.1\r\nHost: other.example\r\nAccept: */*\r\n"
                     "Proxy-Connection: Keep-Alive\r\nProxy-Authorization: Bearer t\r\n\r\n"),
            "GET /a?b=c HTTP/1.1\r\nHost: wiki.lan:8080\r\nAccept: */*\r\nVia: 1.1 nightlatch\r\n\r\n");
  EXPECT_EQ(one_wire("GET http://[2001:db8::1]?q HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
            "GET /?q HTTP/1.1\r\nHost: [2001:db8::1]\r\nVia: 1.0 nightlatch\r\n\r\n");
  EXPECT_THAT(one_wire("GET HTTP://w:80 HTTP/1.1\r\nHost: w\r\n\r\n"),
              HasSubstr("GET / HTTP/1.1\r\nHost: w\r\n"));
  EXPECT_THAT(hear_requests({"GET http://w/ HTTP/1.1\r\nHost: w\r\n\r\n"}, false).wires[0],
              ::testing::EndsWith("Connection: close\r\n\r\n"));
}

TEST(ProxyRequest, WhatIsOfThisHopDoesNotTravelOn) {
  const std::string wire = one_wire(
      "POST http://w/ HTTP/1.1\r\nHost: w\r\nConnection: close, X-Mine ,, content-length\r\nconnection: "
      "X-Too\r\n"
      "X-Mine: 1\r\nx-too: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\nProxy-Authenticate: Basic\r\n"
      "Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authentication-Info: x\r\nX-Kept: \t a b \t\r\nX-Empty:\r\n"
      "Via: 1.0 fred\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(
      wire,
      "POST / HTTP/1.1\r\nHost: w\r\nX-Kept: a b\r\nX-Empty: \r\nVia: 1.0 fred\r\nExpect: 100-continue\r\n"
      "Content-Length: 3\r\nVia: 1.1 nightlatch\r\n\r\nabc");
}

TEST(ProxyRequest, AnUpgradeIsPassedOnOnlyAsAHandshake) {
  const std::string get = "GET http://w/ HTTP/1.1\r\nHost: w\r\n";
  const std::string wire =
      one_wire(get + "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
  EXPECT_THAT(wire, HasSubstr("\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(wire, HasSubstr("\r\nSec-WebSocket-Key: k\r\n"));
  for (const std::string_view rest :
       {"Upgrade: websocket\r\n", "Connection: upgrade\r\n",
        "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
        "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n",
        "Connection: upgrade\r\nUpgrade: web socket\r\n", "Connection: upgrade\r\nUpgrade: h2c/1\r\n",
        "Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n"}) {
    EXPECT_THAT(one_wire(get + std::string(rest) + "\r\n"), Not(HasSubstr("pgrade"))) << rest;
  }
  EXPECT_THAT(one_wire("GET http://w/ HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
              Not(HasSubstr("pgrade")));
}

TEST(ProxyRequest, PipelinedRequestsComeOneByOne) {
  const std::string bytes =
      "POST http://w/1 HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhello"
      "GET http://w/2 HTTP/1.1\r\nHost: w\r\n\r\n"
      "POST http://w/3 HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "005;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n000\r\nX-Trailer: t\r\nContent-Length: 7\r\n\r\n"
      "GET http://w/4 HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\nGET http://w/5";
  const Requests heard = hear(bytes);
  ASSERT_EQ(heard.wires.size(), 4U);
  EXPECT_EQ(heard.ended, 4);
  EXPECT_THAT(heard.wires[0], ::testing::EndsWith("Content-Length: 5\r\nVia: 1.1 nightlatch\r\n\r\nhello"));
  EXPECT_THAT(heard.wires[1], HasSubstr("GET /2 "));
  EXPECT_EQ(heard.wires[2],
            "POST /3 HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nVia: 1.1 nightlatch\r\n\r\n"
            "5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n");
  EXPECT_EQ(heard.left, "GET http://w/5") << "the client has said that there is no other";
}

TEST(ProxyRequest, TheNextOneWaitsUntilItIsAskedFor) {
  ProxyRequestReader reader;
  std::string_view bytes =
      "GET http://w/1 HTTP/1.1\r\nHost: w\r\n\r\nGET http://w/2 HTTP/1.1\r\nHost: w\r\n\r\n";
  EXPECT_FALSE(reader.started());
  ASSERT_EQ(reader.next(bytes), ProxyRequestReader::Step::forward);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(reader.next(bytes), ProxyRequestReader::Step::end);
  EXPECT_TRUE(bytes.starts_with("GET http://w/2 "));
  reader.next_request();
  EXPECT_FALSE(reader.started());
  ASSERT_EQ(reader.next(bytes), ProxyRequestReader::Step::forward);
  EXPECT_EQ(reader.request().target, "/2");
}

TEST(ProxyRequest, OptionsCountsItsHops) {
  const auto options = [](std::string_view target, std::string_view hops) {
    return "OPTIONS " + std::string(target) + " HTTP/1.1\r\nHost: w\r\n" + std::string(hops) + "\r\n";
  };
  EXPECT_THAT(one_wire(options("http://w", "Max-Forwards: 10\r\n")),
              HasSubstr("OPTIONS * HTTP/1.1\r\nHost: w\r\nMax-Forwards: 9\r\n"));
  EXPECT_THAT(one_wire(options("http://w/", "")), HasSubstr("OPTIONS / "));
  EXPECT_EQ(hear(options("http://w/", "Max-Forwards: 0\r\n")).status, 200)
      << "the gate is the last that is asked";
  for (const std::string_view hops :
       {"Max-Forwards: x\r\n", "Max-Forwards:\r\n", "Max-Forwards: 1\r\nMax-Forwards: 2\r\n",
        "Max-Forwards: -1\r\n", "Max-Forwards: 99999999999\r\n"})
    EXPECT_EQ(hear(options("http://w/", hops)).status, 400) << hops;
}

TEST(ProxyRequest, WhoAsksForSomethingElseIsToldWhatThisIs) {
  const Requests origin = hear("GET / HTTP/1.1\r\nHost: w\r\n\r\n");
  EXPECT_EQ(origin.status, 400);
  EXPECT_THAT(origin.line, HasSubstr("this is a proxy"));
  for (const std::string_view target : {"https://w/", "ftp://w/", "ws://w/"}) {
    const Requests other = hear("GET " + std::string(target) + " HTTP/1.1\r\nHost: w\r\n\r\n");
    EXPECT_EQ(other.status, 501) << target;
    EXPECT_THAT(other.line, HasSubstr("CONNECT"));
  }
  EXPECT_EQ(hear("TRACE http://w/ HTTP/1.1\r\nHost: w\r\n\r\n").status, 405);
  EXPECT_EQ(hear("BREW http://w/ HTTP/1.1\r\nHost: w\r\n\r\n").status, 501);
  EXPECT_EQ(hear("GET http://w/ HTTP/2.0\r\nHost: w\r\n\r\n").status, 505);
  EXPECT_EQ(hear("SSH-2.0-OpenSSH_9.2\r\n").status, 400) << "at its first line";
  EXPECT_EQ(hear("\x16\x03\x01").status, 400) << "at its first byte";
  EXPECT_EQ(hear("\x05\x01").status, 400);
}

TEST(ProxyRequest, WhatTwoReadersCouldReadInTwoWaysIsRefused) {
  const std::string line = "POST http://w/ HTTP/1.1\r\n";
  const std::string post = line + "Host: w\r\n";
  const std::string chunks = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string zero("\0", 1);
  const std::vector<std::string> shapes{
      // Two lengths, or one that is none.
      post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
      post + "Content-Length: 3, 3\r\n\r\nabc",
      post + "Content-Length: +3\r\n\r\nabc",
      post + "Content-Length: -3\r\n\r\nabc",
      post + "Content-Length: 0x3\r\n\r\nabc",
      post + "Content-Length: 3 3\r\n\r\nabc",
      post + "Content-Length:\r\n\r\nabc",
      post + "Content-Length: 99999999999999999999\r\n\r\nabc",
      post + "Content-Length: \"3\"\r\n\r\nabc",
      // Codings other than chunked alone.
      post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: identity\r\n\r\nabc",
      post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n",
      post +
          "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n",
      "POST http://w/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // Lines that end in two ways.
      post + "X: a\nContent-Length: 3\r\n\r\nabc",
      post + "X: a\rContent-Length: 3\r\n\r\nabc",
      post + "X: a\r\rb\r\n\r\n",
      post + "X: a\n\n",
      "POST http://w/ HTTP/1.1\nHost: w\r\n\r\n",
      post + "\n",
      post + "\rX: a\r\n\r\n",
      post + "X: a\r\n Content-Length: 3\r\n\r\nabc",
      post + "X: a\r\n\tb\r\n\r\n",
      line + " Host: w\r\n\r\n",
      post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
      "\r\n" + post + "\r\n",
      // Names that are none.
      post + ": a\r\n\r\n",
      post + "Content-Length : 3\r\n\r\nabc",
      post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
      post + "X Y: a\r\n\r\n",
      post + "X\r\n\r\n",
      post + "X(: a\r\n\r\n",
      post + "\x80: a\r\n\r\n",
      // Bytes that have no place in a field.
      post + "X: a" + zero + "b\r\n\r\n",
      post + "X" + zero + ": b\r\n\r\n",
      post + "X: a\x01\r\n\r\n",
      post + "X: a\x7f\r\n\r\n",
      post + "Connection: \"close\"\r\n\r\n",
      // Whose request it is.
      line + "Host: w\r\nHost: w\r\n\r\n",
      line + "Host: w\r\nhOST: v\r\n\r\n",
      line + "\r\n",
      line + "Host:\r\n\r\n",
      line + "Host: a@w\r\n\r\n",
      line + "Host: w, v\r\n\r\n",
      line + "Host: w/\r\n\r\n",
      line + "Host: w:\r\n\r\n",
      line + "Host: w:99999\r\n\r\n",
      "POST http://a@w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://a:b@w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http:///x HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http:/w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w\\@v/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w#v/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w:/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w:80:80/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://127.1/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w/\x80 HTTP/1.1\r\nHost: w\r\n\r\n",
      "POST http://w/\x01 HTTP/1.1\r\nHost: w\r\n\r\n",
      post + "Proxy-Authorization: Basic YTpi\r\nProxy-Authorization: Basic YTpj\r\n\r\n",
      // Request lines of other readers.
      "GET http://w/\r\n",
      "GET http://w/ HTTP/0.9\r\n\r\n",
      "GET http://w/ HTTP/1.2\r\nHost: w\r\n\r\n",
      "GET http://w/ HTTP/1.10\r\nHost: w\r\n\r\n",
      "GET http://w/ http/1.1\r\nHost: w\r\n\r\n",
      "GET  http://w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "GET http://w/  HTTP/1.1\r\nHost: w\r\n\r\n",
      "GET\thttp://w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "GET http://w/ a HTTP/1.1\r\nHost: w\r\n\r\n",
      "GET http://w/ HTTP/1.1 \r\nHost: w\r\n\r\n",
      " GET http://w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "get http://w/ HTTP/1.1\r\nHost: w\r\n\r\n",
      "GET http://w/ RTSP/1.0\r\nHost: w\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "CONNECT w:443 HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc",
      "CONNECT w:443 HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // Chunks.
      chunks + "5\nhello\r\n0\r\n\r\n",
      chunks + "5\rXhello\r\n0\r\n\r\n",
      chunks + "5\r\nhelloXX0\r\n\r\n",
      chunks + "5\r\nhelloX\r\n0\r\n\r\n",
      chunks + "5\r\nhelloXX\r\n0\r\n\r\n",
      chunks + "5\r\nhello\n0\r\n\r\n",
      chunks + "5\r\nhello0\r\n\r\n",
      chunks + "5\r\nhello\r\n\r\n0\r\n\r\n",
      chunks + "5;a\nb\r\nhello\r\n0\r\n\r\n",
      chunks + "5;a\rb\r\nhello\r\n0\r\n\r\n",
      chunks + "5 \r\nhello\r\n0\r\n\r\n",
      chunks + " 5\r\nhello\r\n0\r\n\r\n",
      chunks + "0x5\r\nhello\r\n0\r\n\r\n",
      chunks + "+5\r\nhello\r\n0\r\n\r\n",
      chunks + "-5\r\nhello\r\n0\r\n\r\n",
      chunks + "\r\nhello\r\n0\r\n\r\n",
      chunks + ";a\r\nhello\r\n0\r\n\r\n",
      chunks + "10000000000000005\r\nhello\r\n0\r\n\r\n",
      chunks + "00000000000000005\r\nhello\r\n0\r\n\r\n",
      chunks + "5;" + std::string(300, 'a') + "\r\nhello\r\n0\r\n\r\n",
      chunks + "0\r\nX: a\n\r\n",
      chunks + "0\r\nX : a\r\n\r\n",
      chunks + "0\r\n folded\r\n\r\n",
      chunks + "0\r\nGET http://w/ HTTP/1.1\r\n\r\n",
      chunks + "0\r\nX: " + std::string(20000, 'a') + "\r\n\r\n",
  };
  for (const std::string& shape : shapes) {
    const Requests heard = hear(shape);
    EXPECT_GE(heard.status, 400) << shape;
    EXPECT_EQ(heard.ended, 0) << shape;
    EXPECT_NE(heard.line, "") << shape;
    EXPECT_TRUE(heard.wires.empty() || shape.starts_with(chunks)) << shape;
  }
  EXPECT_GE(shapes.size(), 40U);
}

// llhttp refuses these too: neither must rely on the other.
TEST(ProxyRequest, OneFramingIsAsked) {
  const auto framing = [](HttpFields fields, int minor = 1) {
    HttpHead head;
    head.minor = minor;
    head.fields = std::move(fields);
    return declared_framing(head);
  };
  const HttpField length{"content-length", "3"}, chunked{"TRANSFER-ENCODING", "chunked"};
  EXPECT_EQ(framing({}), (HttpFraming{HttpFraming::Kind::none, 0}));
  EXPECT_EQ(framing({length}), (HttpFraming{HttpFraming::Kind::length, 3}));
  EXPECT_EQ(framing({chunked}), (HttpFraming{HttpFraming::Kind::chunked, 0}));
  EXPECT_FALSE(framing({length, chunked}));
  EXPECT_FALSE(framing({length, length}));
  EXPECT_FALSE(framing({chunked, chunked}));
  EXPECT_FALSE(framing({chunked}, 0));
  for (const std::string_view value : {"", "+3", "-3", "3 ", "0x3", "3,3", "18446744073709551616"})
    EXPECT_FALSE(framing({{"Content-Length", std::string(value)}})) << value;
  EXPECT_FALSE(framing({{"Transfer-Encoding", "gzip, chunked"}}));
  EXPECT_THAT(hear("GET http://w/ HTTP/1.1\r\nHost: w\r\nX: a\r\n b\r\n\r\n").line, HasSubstr("folded"));
}

TEST(ProxyRequest, AHeadIsBounded) {
  const std::string get = "GET http://w/ HTTP/1.1\r\nHost: w\r\n";
  const auto of_size = [&](std::size_t size) {
    return get + "X: " + std::string(size - get.size() - 7, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(hear(of_size(16 * 1024)).ended, 1);
  EXPECT_EQ(hear(of_size(16 * 1024 + 1)).status, 431);
  std::string many = get;
  for (int i = 1; i < 100; ++i) many += "X: a\r\n";
  EXPECT_EQ(hear(many + "\r\n").ended, 1);
  EXPECT_EQ(hear(many + "X: a\r\n\r\n").status, 431);
  std::string options = get + "Connection: ";
  for (int i = 0; i < 40; ++i) options += "x,";
  EXPECT_EQ(hear(options + "\r\n\r\n").status, 400);
}

}  // namespace
}  // namespace nightlatch
