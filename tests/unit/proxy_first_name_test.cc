// Whom a client's first bytes name: TLS, HTTP, other protocols, and what cannot be read as one name.
#include <gtest/gtest.h>

#include <string>

#include "proxy/first_name.h"
#include "tests/unit/hello_maker.h"

namespace nightlatch {
namespace {

using State = FirstName::State;

// "named wiki.lan", "none", ...
std::string in_words(const FirstName& f) {
  const char* const words[] = {"silent", "more", "none", "named", "encrypted", "unreadable"};
  std::string text = words[static_cast<std::size_t>(f.state())];
  for (const WireName& n : f.names()) text += " " + std::string(n.text());
  return text;
}

std::string heard(const std::string& bytes) {
  FirstName whole;
  whole.feed(bytes);
  FirstName cut;
  for (const char c : bytes) {
    if (cut.feed(std::string_view(&c, 1)) != State::more) break;
  }
  EXPECT_EQ(in_words(whole), in_words(cut)) << "however it was cut";
  return in_words(whole);
}

std::string request(const std::string& line, const std::string& fields) {
  return line + "\r\n" + fields + "\r\n";
}

TEST(FirstName, NothingWasSaid) {
  FirstName f;
  EXPECT_EQ(f.feed(""), State::silent);
  EXPECT_EQ(f.state(), State::silent);
}

TEST(FirstName, Tls) {
  EXPECT_EQ(heard(maker::records(maker::hello_for("Wiki.LAN."))), "named wiki.lan");
  EXPECT_EQ(heard(maker::records(maker::hello_for("a b"))), "unreadable");
  EXPECT_EQ(heard(maker::records(maker::hello_for("10.0.0.1"))), "none");
  EXPECT_EQ(heard(std::string("\x16\x03\x01", 3)), "more");
  EXPECT_EQ(heard("\x16GET / HTTP/1.1"), "none") << "not TLS after all";
}

TEST(FirstName, Http) {
  EXPECT_EQ(heard(request("GET / HTTP/1.1", "Host: Wiki.lan:8080\r\n")), "named wiki.lan");
  EXPECT_EQ(heard(request("GET / HTTP/1.1", "Accept: x\r\nhOsT:wiki.lan\r\n")), "named wiki.lan");
  EXPECT_EQ(heard(request("GET / HTTP/1.0", "")), "none");
  EXPECT_EQ(heard(request("GET / HTTP/1.1", "Host: 10.0.0.1\r\n")), "none");
  EXPECT_EQ(heard(request("GET / HTTP/1.1", "Host: [2001:db8::1]:80\r\n")), "none");
  EXPECT_EQ(heard(request("OPTIONS * HTTP/1.1", "Host: wiki.lan\r\n")), "named wiki.lan");
  EXPECT_EQ(heard(request("GET http://wiki.lan/ HTTP/1.1", "Host: wiki.lan\r\n")), "named wiki.lan");
  EXPECT_EQ(heard(request("GET http://wiki.lan/ HTTP/1.1", "Host: free.lan\r\n")), "named wiki.lan free.lan");
  EXPECT_EQ(heard(request("CONNECT wiki.lan:443 HTTP/1.1", "Host: wiki.lan:443\r\n")), "none")
      << "it means a proxy";
  EXPECT_EQ(heard("GET / HTTP/1.1\r\nHost: wiki.lan\r\n"), "more");
}

TEST(FirstName, HttpThatServersTakeAndFewKnow) {
  EXPECT_EQ(heard(request("\r\n\r\nGET / HTTP/1.1", "Host: wiki.lan\r\n")), "named wiki.lan")
      << "RFC 9112 section 2.2";
  EXPECT_EQ(heard(request("CCM_POST /x HTTP/1.1", "Host: wiki.lan\r\n")), "named wiki.lan");
  EXPECT_EQ(heard(request("VERSION-CONTROL /x HTTP/1.1", "Host: wiki.lan\r\n")), "named wiki.lan");
  const std::string ticket = "Authorization: Negotiate " + std::string(20'000, 'Y') + "\r\n";
  EXPECT_EQ(heard(request("GET / HTTP/1.1", ticket + "Host: wiki.lan\r\n")), "named wiki.lan");
}

TEST(FirstName, HttpThatTwoServersReadInTwoWays) {
  for (const char* fields :
       {"Host: wiki.lan\r\nHost: free.lan\r\n", "Host: wiki.lan\r\nhost: wiki.lan\r\n", "Host : wiki.lan\r\n",
        " Host: wiki.lan\r\n", "Host: wiki lan\r\n", "Host: wiki.lan/\r\n", "Host: a@wiki.lan\r\n",
        "Host: 0x7f.1\r\n", "Host: b\xc3\xbc.lan\r\n", "Host: wiki.lan\n", "X: y\r\n z\r\n"}) {
    EXPECT_EQ(heard(request("GET / HTTP/1.1", fields)), "unreadable") << fields;
  }
  EXPECT_EQ(heard("GET / HTTP/1.1\nHost: wiki.lan\n\n"), "unreadable");
  EXPECT_EQ(heard(request("GET http://a@wiki.lan/ HTTP/1.1", "Host: wiki.lan\r\n")), "unreadable");
}

TEST(FirstName, ARequestThatOnlyALenientServerReads) {
  EXPECT_EQ(heard(std::string("GET /\0 HTTP/1.1\r\nHost: wiki.lan\r\n\r\n", 35)), "unreadable");
  EXPECT_EQ(heard("GET /\r\nHost: wiki.lan\r\n\r\n"), "unreadable") << "HTTP/0.9";
  EXPECT_EQ(heard("GET / HTTP/2.0\r\nHost: wiki.lan\r\n\r\n"), "unreadable");
  EXPECT_EQ(heard(std::string("G\0\0 http://wiki.lan/ HTTP/1.1\r\n", 31)), "none")
      << "no method, so no server reads it";
}

TEST(FirstName, OtherProtocols) {
  for (const char* said : {"SSH-2.0-OpenSSH\r\n", "EHLO me\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                           "USER x\r\n", "\0\0\0\10", "x"})
    EXPECT_EQ(heard(said), said[0] == '\0' ? "silent" : "none") << said;
  EXPECT_EQ(heard(std::string("\0\0\0\10\4\322\26/", 8)), "none") << "PostgreSQL";
}

TEST(FirstName, IsBounded) {
  FirstName line;
  EXPECT_EQ(line.feed("A" + std::string(100'000, 'A')), State::none);
  FirstName fields;
  EXPECT_EQ(fields.feed("GET / HTTP/1.1\r\n" + std::string(100'000, 'x')), State::unreadable);
}

}  // namespace
}  // namespace nightlatch
