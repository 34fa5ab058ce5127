// The request parser: whole and byte by byte, what is refused and what is bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_parser.h"

namespace nightlatch {
namespace {

struct Outcome {
  std::vector<HttpRequest> requests;
  int status = 0;
};

// Feeds `bytes` in pieces of `step` bytes.
Outcome parse(std::string_view bytes, std::size_t step, const HttpLimits& limits = {}) {
  HttpParser parser(limits);
  Outcome outcome;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      std::size_t used = 0;
      const auto progress = parser.feed(piece, used);
      piece.remove_prefix(used);
      if (progress == HttpParser::Progress::failed) {
        outcome.status = parser.status();
        return outcome;
      }
      if (progress == HttpParser::Progress::complete) outcome.requests.push_back(parser.take());
    }
  }
  return outcome;
}

int status_of(std::string_view bytes, const HttpLimits& limits = {}) {
  const int whole = parse(bytes, bytes.size(), limits).status;
  EXPECT_EQ(parse(bytes, 1, limits).status, whole) << "byte by byte it must be the same";
  return whole;
}

TEST(HttpParser, ReadsTheSameHoweverTheBytesAreCut) {
  constexpr std::string_view bytes =
      "POST /sign-in?x=1&y=%20 HTTP/1.1\r\nHost: Gate.Test\r\nContent-Length: 11\r\nX-Empty:\r\nCookie: a=1; "
      "b=2\r\n\r\n"
      "hello world"
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n "
      "world\r\n0\r\nX-Trailer: t\r\n\r\n"
      "GET /last HTTP/1.0\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Outcome outcome = parse(bytes, step);
    ASSERT_EQ(outcome.status, 0) << step;
    ASSERT_EQ(outcome.requests.size(), 3U) << step;
    const HttpRequest& first = outcome.requests[0];
    EXPECT_EQ(first.method, "POST");
    EXPECT_EQ(first.path, "/sign-in");
    EXPECT_EQ(first.query, "x=1&y=%20");
    EXPECT_EQ(first.host, "gate.test");
    EXPECT_EQ(first.body, "hello world");
    EXPECT_EQ(first.cookie("b"), "2");
    EXPECT_EQ(first.header("x-empty"), "");
    EXPECT_TRUE(first.keep_alive);
    EXPECT_EQ(outcome.requests[1].body, "hello world");
    EXPECT_EQ(outcome.requests[1].header("x-trailer"), "") << "trailers are dropped";
    EXPECT_EQ(outcome.requests[2].path, "/last");
    EXPECT_FALSE(outcome.requests[2].keep_alive);
  }
}

TEST(HttpParser, RefusesWhatIsNoRequest) {
  const std::string host = "Host: h\r\n";
  EXPECT_EQ(status_of(std::string_view("\0\1\2\3\r\n\r\n", 8)), 400);
  EXPECT_EQ(status_of("GET\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400) << "two";
  EXPECT_EQ(status_of("GET / HTTP/9.9\r\n" + host + "\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), 400) << "a space before the colon";
  EXPECT_EQ(status_of("GET example HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(status_of("GET /\x80 HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(status_of("GET http://user@h/ HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(status_of("CONNECT h:443 HTTP/1.1\r\n" + host + "\r\n"), 501);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
            400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\n"), 400);
  EXPECT_EQ(
      status_of("POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"),
      400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\nabc"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
}

TEST(HttpParser, BoundsWhatItKeeps) {
  const HttpLimits limits{.head = 200, .fields = 5, .body = 10};
  const auto with = [](std::string_view rest) {
    return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(rest);
  };
  EXPECT_EQ(status_of(with("X: " + std::string(300, 'a') + "\r\n\r\n"), limits), 431);
  EXPECT_EQ(status_of(with(std::string(300, 'a') + ": x\r\n\r\n"), limits), 431);
  EXPECT_EQ(status_of("GET /" + std::string(300, 'a') + " HTTP/1.1\r\n", limits), 431);
  EXPECT_EQ(status_of(with("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n"), limits), 431);
  EXPECT_EQ(status_of(with("Content-Length: 11\r\n\r\n"), limits), 413) << "before any of it was sent";
  EXPECT_EQ(status_of(with("Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n"), limits), 413);
  EXPECT_EQ(
      status_of(with("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: " + std::string(300, 'a')), limits),
      431);
  const Outcome good = parse(with("Content-Length: 10\r\n\r\n0123456789"), 7, limits);
  ASSERT_EQ(good.requests.size(), 1U);
  EXPECT_EQ(good.requests[0].body, "0123456789");
}

TEST(HttpParser, TakesTheFormsOfATarget) {
  const auto target = [](const std::string& text, const char* method = "GET") {
    auto outcome = parse(std::string(method) + " " + text + " HTTP/1.1\r\nHost: field.test\r\n\r\n", 1000);
    return outcome.requests.empty() ? HttpRequest() : outcome.requests[0];
  };
  EXPECT_EQ(target("http://Target.test:80/a?b").host, "target.test:80")
      << "the target's host counts (RFC 9112 3.2.2)";
  EXPECT_EQ(target("http://target.test/a?b").path, "/a");
  EXPECT_EQ(target("http://target.test?b").path, "/");
  EXPECT_EQ(target("*", "OPTIONS").path, "*");
  EXPECT_EQ(target("//evil.test/").path, "//evil.test/");
  EXPECT_EQ(target("/a?b?c").query, "b?c");
}

TEST(HttpParser, AnUpgradeIsNotTakenUp) {
  const Outcome outcome = parse(
      "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /b "
      "HTTP/1.1\r\nHost: h\r\n\r\n",
      1000);
  ASSERT_EQ(outcome.requests.size(), 2U);
  EXPECT_EQ(outcome.requests[1].path, "/b");
}

TEST(HttpMessage, AValueCannotBeginAnotherField) {
  HttpResponse response;
  response.headers = {{"Location", "/a\r\nSet-Cookie: x=1"}};
  response.body = "body";
  const std::string bytes = serialize(response, true, true);
  EXPECT_EQ(bytes.find("\r\nSet-Cookie"), std::string::npos);
  EXPECT_THAT(bytes, ::testing::HasSubstr("Location: /a  Set-Cookie: x=1\r\n"));
  EXPECT_THAT(serialize(response, false, true), ::testing::EndsWith("Content-Length: 4\r\n\r\n"));
}

}  // namespace
}  // namespace nightlatch
