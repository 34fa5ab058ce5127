// What a refused client says first, and what it is told.
#include <gtest/gtest.h>

#include "net/http_parser.h"
#include "proxy/refusal.h"

namespace nightlatch {
namespace {

constexpr std::string_view kPage = "https://gate.lan/k/7QF4XY";

Speech heard(std::string_view bytes, FirstBytes& said) {
  Speech s = Speech::unknown;
  for (const char c : bytes) {  // one byte at a time, as the slowest client would
    s = said.feed(std::string_view(&c, 1));
    if (s != Speech::unknown) break;
  }
  return s;
}

TEST(FirstBytes, ABrowserIsSentToThePage) {
  FirstBytes said;
  EXPECT_EQ(heard("GET /a?b=c HTTP/1.1\r\nHost: wiki.lan\r\nAccept: text/html,*/*\r\n\r\n", said),
            Speech::http);
  EXPECT_TRUE(said.wants_html());
  EXPECT_EQ(said.url(), "http://wiki.lan/a?b=c");
  const Refusal r = refuse(said, "Sign-in needed", kPage);
  EXPECT_TRUE(r.bytes.starts_with("HTTP/1.1 302 "));
  EXPECT_NE(r.bytes.find("\r\nLocation: https://gate.lan/k/7QF4XY\r\n"), std::string::npos);
  EXPECT_NE(r.bytes.find("no-store"), std::string::npos);
}

TEST(FirstBytes, OtherHttpClientsReadTheLine) {
  FirstBytes said;
  EXPECT_EQ(heard("GET / HTTP/1.1\r\nHost: wiki.lan\r\nAccept: */*\r\n\r\n", said), Speech::http);
  const Refusal r = refuse(said, refusal_line(VerdictKind::sign_in, "wiki", kPage), kPage);
  EXPECT_TRUE(
      r.bytes.starts_with("HTTP/1.1 511 Sign-in needed for wiki: open https://gate.lan/k/7QF4XY\r\n"));
  EXPECT_TRUE(r.bytes.ends_with("\r\n\r\nSign-in needed for wiki: open https://gate.lan/k/7QF4XY\n"));
}

TEST(FirstBytes, HeadHasNoBodyAndABodyIsNotWaitedFor) {
  FirstBytes head;
  EXPECT_EQ(heard("HEAD / HTTP/1.1\r\nHost: w\r\n\r\n", head), Speech::http);
  EXPECT_TRUE(refuse(head, "line", kPage).bytes.ends_with("\r\n\r\n"));
  FirstBytes post;
  EXPECT_EQ(heard("POST / HTTP/1.1\r\nHost: w\r\nAccept: text/html\r\nContent-Length: 9\r\n\r\n", post),
            Speech::http);
  EXPECT_FALSE(post.wants_html()) << "a form that was being sent would be lost by a redirect";
  EXPECT_EQ(post.url(), "");
}

TEST(FirstBytes, TlsGetsAlert49) {
  FirstBytes said;
  EXPECT_EQ(heard("\x16\x03\x01\x02", said), Speech::tls);
  EXPECT_EQ(refuse(said, "line", kPage).bytes, std::string("\x15\x03\x03\x00\x02\x02\x31", 7));
}

TEST(FirstBytes, EverythingElseIsReset) {
  for (const std::string_view bytes : {"SSH-2.0-OpenSSH_9.2\r\n", "\x16\x02", "\x16\x03\x09", "EHLO x\r\n",
                                       "hello", "\n", "GET /\r\n\r\n"}) {
    FirstBytes said;
    heard(bytes, said);
    EXPECT_NE(said.give_up(), Speech::tls) << bytes;
    EXPECT_TRUE(said.speech() == Speech::http || refuse(said, "line", kPage).reset) << bytes;
  }
  FirstBytes silent;
  EXPECT_EQ(silent.give_up(), Speech::other);
}

TEST(FirstBytes, AHeadThatNeverEndsIsBoundedAndStillHttp) {
  FirstBytes said;
  std::string request = "GET / HTTP/1.1\r\n";
  Speech s = said.feed(request);
  const std::string field = "X-Filler: " + std::string(1000, 'a') + "\r\n";
  for (int i = 0; i < 1000 && s == Speech::unknown; ++i) s = said.feed(field);
  EXPECT_EQ(s, Speech::http);
  FirstBytes slow;
  (void)slow.feed("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(slow.give_up(), Speech::http);
}

TEST(FirstBytes, ALinkBackIsOnlyEverAPlainHttpAddress) {
  for (const std::string_view request :
       {"GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n", "GET //evil.example/ HTTP/1.1\r\nHost: w\r\n\r\n",
        "GET /<script> HTTP/1.1\r\nHost: w\r\n\r\n", "GET / HTTP/1.1\r\nHost: user@w\r\n\r\n"}) {
    FirstBytes said;
    heard(request, said);
    EXPECT_EQ(said.url(), "") << request;
  }
}

TEST(Refusal, TheLineIsShortAsciiWhateverTheNames) {
  const std::string line =
      refusal_line(VerdictKind::deny, std::string(500, 'x') + "\r\nSet-Cookie: a", kPage);
  EXPECT_LE(line.size(), 200U);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace nightlatch
