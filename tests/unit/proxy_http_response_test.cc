// What origin servers answer through the HTTP proxy: what reaches the client, and what the gate says itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/http_proxy_reply.h"
#include "tests/unit/proxy_http_transcript.h"

namespace nightlatch {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_proxy::hear_response;
using testing_proxy::pieces_of;
using testing_proxy::Response;

ProxyRequest asked(std::string_view method = "GET", int minor = 1, std::string_view upgrade = {}) {
  ProxyRequest request;
  request.method = method;
  request.minor = minor;
  request.upgrade = upgrade;
  request.keep_alive = minor == 1;
  return request;
}

Response hear(std::string_view bytes, const ProxyRequest& request = asked(), bool then_closed = false) {
  const Response whole = hear_response(request, {bytes}, then_closed);
  for (std::size_t cut = 1; cut < bytes.size() && bytes.size() < 2000; ++cut) {
    EXPECT_EQ(hear_response(request, {bytes.substr(0, cut), bytes.substr(cut)}, then_closed), whole)
        << "cut at " << cut;
  }
  EXPECT_EQ(hear_response(request, pieces_of(bytes, 1), then_closed), whole) << "byte by byte";
  return whole;
}

TEST(ProxyResponse, ALengthIsPassedOn) {
  const Response r = hear(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\nKeep-Alive: 5\r\nConnection: keep-alive, "
      "x-c\r\nX-C: d\r\n\r\nhelloREST");
  EXPECT_EQ(r.wire, "HTTP/1.1 200 OK\r\nX-A: b\r\nVia: 1.1 nightlatch\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(r.ended && r.client_stays && r.server_stays);
  EXPECT_EQ(r.left, "REST");
}

TEST(ProxyResponse, ChunksArePassedOnWithoutTheirTrailers) {
  constexpr std::string_view bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;x\r\nhello\r\n0\r\nX: y\r\n\r\n";
  EXPECT_EQ(
      hear(bytes).wire,
      "HTTP/1.1 200 OK\r\nVia: 1.1 nightlatch\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_TRUE(hear(bytes).client_stays);
  const Response old = hear(bytes, asked("GET", 0));
  EXPECT_EQ(old.wire, "HTTP/1.1 200 OK\r\nVia: 1.1 nightlatch\r\nConnection: close\r\n\r\nhello")
      << "HTTP/1.0 knows no chunks";
  EXPECT_TRUE(old.ended && !old.client_stays && old.server_stays);
}

TEST(ProxyResponse, WithoutALengthTheEndIsTheConnections) {
  const Response r = hear("HTTP/1.0 200 OK\r\n\r\nhello", asked(), true);
  EXPECT_EQ(r.wire, "HTTP/1.1 200 OK\r\nVia: 1.0 nightlatch\r\nConnection: close\r\n\r\nhello");
  EXPECT_TRUE(r.ended && !r.client_stays && !r.server_stays);
  EXPECT_FALSE(hear("HTTP/1.0 200 OK\r\n\r\nhello").ended);
}

TEST(ProxyResponse, SomeAnswersHaveNoContent) {
  const Response head = hear("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", asked("HEAD"));
  EXPECT_THAT(head.wire, EndsWith("Content-Length: 500\r\n\r\n"));
  EXPECT_TRUE(head.ended && head.client_stays && head.server_stays);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\n\r\n", asked("HEAD")).client_stays);
  EXPECT_THAT(hear("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", asked("HEAD")).wire,
              Not(HasSubstr("chunked")));
  const Response not_modified = hear("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP");
  EXPECT_TRUE(not_modified.ended);
  EXPECT_EQ(not_modified.left, "HTTP");
  EXPECT_THAT(not_modified.wire, EndsWith("Content-Length: 9\r\n\r\n"));
  const Response no_content = hear("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(no_content.wire, "HTTP/1.1 204 \r\nVia: 1.1 nightlatch\r\n\r\n");
  EXPECT_TRUE(no_content.ended && no_content.client_stays);
}

TEST(ProxyResponse, InterimAnswersGoOnToWhoKnowsThem) {
  constexpr std::string_view bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const Response r = hear(bytes);
  EXPECT_EQ(r.interim, 2);
  EXPECT_EQ(r.wire,
            "HTTP/1.1 100 Continue\r\nVia: 1.1 nightlatch\r\n\r\n"
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 nightlatch\r\n\r\n"
            "HTTP/1.1 200 OK\r\nVia: 1.1 nightlatch\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(r.ended && r.client_stays);
  const Response old = hear(bytes, asked("GET", 0));
  EXPECT_TRUE(old.wire.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(old.ended);
}

TEST(ProxyResponse, AProtocolIsChangedOnlyWhenThatWasAsked) {
  constexpr std::string_view bytes =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: y\r\n\r\n\x81\x01";
  const Response r = hear(bytes, asked("GET", 1, "websocket"));
  EXPECT_TRUE(r.tunnel && r.answered);
  EXPECT_EQ(r.left, "\x81\x01");
  EXPECT_EQ(r.wire,
            "HTTP/1.1 101 Switching Protocols\r\nX: y\r\nVia: 1.1 nightlatch\r\nConnection: upgrade\r\n"
            "Upgrade: websocket\r\n\r\n");
  EXPECT_TRUE(hear(bytes).failed);
  EXPECT_TRUE(hear("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", asked("GET", 1, "websocket")).failed);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", asked("GET", 1, "websocket")).client_stays)
      << "a server may decline";
}

TEST(ProxyResponse, WhatTheServerSaysOfItsConnectionIsHeeded) {
  EXPECT_FALSE(hear("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").server_stays);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").client_stays);
  EXPECT_FALSE(hear("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n").server_stays);
  ProxyRequest leaving = asked();
  leaving.keep_alive = false;
  EXPECT_THAT(hear("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", leaving).wire,
              HasSubstr("Connection: close\r\n"));
}

TEST(ProxyResponse, BadFramingIsNotPassedOn) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const std::string& shape :
       std::vector<std::string>{"hello\r\n\r\n",
                                "HTTP/2 200 OK\r\n\r\n",
                                "HTTP/1.1 099 X\r\n\r\n",
                                "HTTP/1.1 600 X\r\n\r\n",
                                "HTTP/1.1 20 OK\r\n\r\n",
                                "HTTP/1.1 2000 OK\r\n\r\n",
                                "HTTP/1.1  200 OK\r\n\r\n",
                                "HTTP/1.1 200 OK\nX: y\r\n\r\n",
                                "HTTP/1.1 200 O\x01K\r\n\r\n",
                                "\r\nHTTP/1.1 200 OK\r\n\r\n",
                                "http/1.1 200 OK\r\n\r\n",
                                ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
                                ok + "Content-Length: 1, 1\r\n\r\na",
                                ok + "Content-Length: x\r\n\r\na",
                                ok + "Transfer-Encoding: gzip\r\n\r\na",
                                ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                                ok + "Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
                                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                ok + "X : y\r\n\r\n",
                                ok + "X: y\r\n z\r\n\r\n",
                                ok + "X: y\n\r\n",
                                ok + ": y\r\n\r\n",
                                ok + "X: \x7f\r\n\r\n",
                                ok + "Connection: ;\r\n\r\n",
                                "HTTP/1.1 204 X\r\nContent-Length: 1\r\n\r\na",
                                "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                "HTTP/1.1 100 X\r\nContent-Length: 1\r\n\r\na",
                                "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
                                ok + "X: " + std::string(65536, 'a')}) {
    const Response r = hear(shape);
    EXPECT_TRUE(r.failed && !r.answered) << shape.substr(0, 80);
    EXPECT_EQ(r.wire, "") << shape.substr(0, 80);
  }
  const Response chunk = hear(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n");
  EXPECT_TRUE(chunk.failed && chunk.answered) << "too late for a 502";
}

TEST(ProxyResponse, AServerThatLeavesEarlyHasFailed) {
  EXPECT_FALSE(hear("", asked(), true).answered);
  EXPECT_TRUE(hear("", asked(), true).failed);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nConten", asked(), true).failed);
  EXPECT_TRUE(hear("HTTP/1.1 100 Continue\r\n\r\n", asked(), true).failed);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", asked(), true).failed);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", asked(), true).failed);
  EXPECT_TRUE(hear("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", asked(), true).ended);
}

TEST(ProxyReply, EachSaysItsLineTwiceAndEndsTheConnection) {
  for (const int status : {400, 403, 405, 407, 502, 503, 504, 511}) {
    const std::string reply = proxy_reply(status, "no way");
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 " + std::to_string(status) + " no way\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno way\n"));
    const Response r = hear_response(asked(), {reply});
    EXPECT_EQ(r.ended, status != 407);
    EXPECT_TRUE(hear_response(asked("HEAD"), {proxy_reply(511, "no way", true)}).left.empty());
  }
  EXPECT_THAT(proxy_reply(407, "who are you?"),
              HasSubstr("\r\nProxy-Authenticate: Basic realm=\"nightlatch\", charset=\"UTF-8\"\r\n"
                        "Proxy-Authenticate: Bearer realm=\"nightlatch\"\r\n"));
  EXPECT_THAT(proxy_reply(405, "no"), HasSubstr("\r\nAllow: "));
}

TEST(ProxyReply, AHoldIsToldInTheClientsWay) {
  constexpr std::string_view page = "https://gate.lan/k/7QF4";
  const std::string line = "Sign-in needed for wiki: open https://gate.lan/k/7QF4";
  ProxyRequest browser = asked();
  EXPECT_THAT(proxy_refusal(browser, line, page), EndsWith("\r\n\r\n" + line + "\n"));
  browser.fields.push_back({"accept", "Text/HTML,*/*"});
  EXPECT_THAT(proxy_refusal(browser, line, page),
              HasSubstr("HTTP/1.1 302 Found\r\nLocation: https://gate.lan/k/7QF4\r\n"));
  EXPECT_TRUE(proxy_refusal(browser, line, "").starts_with("HTTP/1.1 511 ")) << "nowhere to send it to";
  browser.method = "CONNECT";
  EXPECT_TRUE(proxy_refusal(browser, line, page).starts_with("HTTP/1.1 511 Sign-in needed for wiki"));
}

}  // namespace
}  // namespace nightlatch
