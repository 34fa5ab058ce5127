// Requests to an HTTPS server on loopback: what is answered, and everything that must not be taken for an
// answer.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/fd.h"
#include "certificate_maker.h"
#include "loopback.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace nightlatch {
namespace {

class HttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nl-client-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    serve("IP:127.0.0.1");
  }
  void TearDown() override {
    client.reset();
    kept.clear();
    server_.reset();
    EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    std::filesystem::remove_all(folder_);
  }
  void serve(const char* names) {
    server_ = std::make_unique<HttpServer>(loop, HttpServerLimits{});
    write_certificate(folder_ / "c.pem", folder_ / "k.pem", names);
    auto tls = TlsContext::load(folder_ / "c.pem", folder_ / "k.pem");
    ASSERT_TRUE(tls.ok());
    auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
    port = port_of(fd->get());
    server_->serve(std::move(*fd), *tls, [this](const HttpRequest& request, const HttpResponder& responder) {
      seen.push_back(request);
      HttpResponse response;
      response.headers = {{"Content-Type", "Application/JSON; charset=utf-8"}};
      response.body = request.method + " " + request.path + "?" + request.query + " " + request.body;
      if (request.path == "/never") {
        kept.push_back(responder);
        return;
      }
      if (request.path == "/huge") response.body.assign(300 * 1024, 'a');
      if (request.path == "/away") {
        response.status = 302;
        response.headers.emplace_back("Location", "/elsewhere");
      }
      if (request.path == "/heads") {
        for (int i = 0; i < 100; ++i)
          response.headers.emplace_back("X-" + std::to_string(i), std::string(1000, 'a'));
      }
      responder.respond(response);
    });
    std::ifstream file(folder_ / "c.pem");
    ca = std::string(std::istreambuf_iterator<char>(file), {});
  }
  // "200 application/json BODY", or the fault.
  std::string get(HttpFetch what, const FetchLimits& limits = {}) {
    if (!client || !same(limits)) {
      client = *HttpClient::open(loop, limits);
      limits_ = limits;
    }
    std::string out;
    client->fetch(std::move(what), [&](const std::variant<HttpReply, FetchFault>& result) {
      if (const auto* fault = std::get_if<FetchFault>(&result)) {
        out = to_text(fault->kind);
        detail = fault->detail;
      } else {
        const auto& reply = std::get<HttpReply>(result);
        out = std::to_string(reply.status) + " " + reply.type + " " + reply.body;
      }
      loop.stop();
    });
    EXPECT_EQ(out, "") << "never from inside fetch()";
    loop.run();
    if (HasFailure()) ADD_FAILURE() << detail;
    return out;
  }
  [[nodiscard]] bool same(const FetchLimits& limits) const { return limits.total == limits_.total; }
  [[nodiscard]] std::string url(const std::string& path = "/") const {
    return "https://127.0.0.1:" + std::to_string(port) + path;
  }

  Loop loop;
  std::unique_ptr<HttpClient> client;
  std::vector<HttpRequest> seen;
  std::vector<HttpResponder> kept;
  std::uint16_t port = 0;
  std::string ca, detail;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<HttpServer> server_;
  FetchLimits limits_;
};

TEST_F(HttpClientTest, GetsAndPosts) {
  EXPECT_EQ(get({url("/a?b=c"), {"Accept: application/json"}, "", ca}), "200 application/json GET /a?b=c ");
  EXPECT_EQ(seen.at(0).header("accept"), "application/json");
  EXPECT_EQ(get({url("/t"), {}, "a=b&c=d", ca}), "200 application/json POST /t? a=b&c=d");
  EXPECT_EQ(seen.at(1).header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(percent_encode("a b&c=/\xc3\xa9~"), "a%20b%26c%3D%2F%C3%A9~");
}

TEST_F(HttpClientTest, FollowsNothing) {
  EXPECT_EQ(get({url("/away"), {}, "", ca}).substr(0, 4), "302 ");
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(get({"http://127.0.0.1:" + std::to_string(port) + "/", {}, "", ca}), "unreachable");
  EXPECT_EQ(get({"file:///etc/passwd", {}, "", ca}), "unreachable");
  EXPECT_EQ(get({"nonsense", {}, "", ca}), "unreachable");
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(HttpClientTest, PlainHttpOnlyWhereItIsAskedFor) {
  const std::string there = "http://127.0.0.1:" + std::to_string(port) + "/";
  EXPECT_EQ(get({there, {}, "", ""}), "unreachable");
  EXPECT_EQ(get({there, {}, "", "", true}).substr(0, 4), "400 ") << "the port speaks TLS, and says so";
  EXPECT_EQ(get({url(), {}, "", ca, true}), "unreachable") << "and then nothing else";
  EXPECT_TRUE(seen.empty());
}

TEST_F(HttpClientTest, FieldsOfTheAnswer) {
  std::vector<std::pair<std::string, std::string>> fields;
  client = *HttpClient::open(loop);
  client->fetch({url(), {}, "", ca}, [&](const std::variant<HttpReply, FetchFault>& result) {
    if (const auto* reply = std::get_if<HttpReply>(&result)) fields = reply->headers;
    loop.stop();
  });
  loop.run();
  const auto type =
      std::find_if(fields.begin(), fields.end(), [](const auto& f) { return f.first == "content-type"; });
  ASSERT_NE(type, fields.end());
  EXPECT_EQ(type->second.find("\r"), std::string::npos);
}

TEST_F(HttpClientTest, NoProxyOfTheEnvironment) {
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY"}) setenv(name, "http://127.0.0.1:1", 1);
  EXPECT_EQ(get({url(), {}, "", ca}).substr(0, 4), "200 ");
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY"}) unsetenv(name);
}

TEST_F(HttpClientTest, OnlyTheGivenCaAndTheRightName) {
  EXPECT_EQ(get({url(), {}, "", ""}), "untrusted") << "the system does not know it";
  const std::string other = ca;
  serve("IP:127.0.0.1");
  EXPECT_EQ(get({url(), {}, "", other}), "untrusted");
  EXPECT_EQ(get({url(), {}, "", ca}).substr(0, 4), "200 ");
  serve("DNS:id.example");
  EXPECT_EQ(get({url(), {}, "", ca}), "untrusted") << "another name";
  EXPECT_EQ(seen.size(), 1U) << "nothing was sent to whom is not trusted";
  EXPECT_NE(get({url(), {}, "", "no certificate"}).substr(0, 4), "200 ");
}

TEST_F(HttpClientTest, HugeAnswersAndHeadsAreCutShort) {
  EXPECT_EQ(get({url("/huge"), {}, "", ca}), "too_large");
  EXPECT_EQ(get({url("/heads"), {}, "", ca}), "too_large");
}

TEST_F(HttpClientTest, SilenceEnds) {
  FetchLimits limits;
  limits.total = Millis(300);
  EXPECT_EQ(get({url("/never"), {}, "", ca}, limits), "too_slow");
}

// The deadline begins with the request, not when the name has been looked up.
TEST_F(HttpClientTest, ASilentResolverEnds) {
  const Fd silent(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(0x7f000001);
  auto* raw = reinterpret_cast<sockaddr*>(&at);  // NOLINT: the socket API's own way
  socklen_t length = sizeof at;
  ASSERT_EQ(bind(silent.get(), raw, length), 0);
  getsockname(silent.get(), raw, &length);
  auto resolver = Resolver::open(loop, "127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
  ASSERT_TRUE(resolver.ok());
  FetchLimits limits;
  limits.total = Millis(200);
  client = *HttpClient::open(loop, limits, *std::move(resolver));
  std::string fault;
  const auto ask = [&] {
    client->fetch({"https://id.example./", {}, "", ca},
                  [&](const std::variant<HttpReply, FetchFault>& result) {
                    fault = to_text(std::get<FetchFault>(result).kind);
                    loop.stop();
                  });
  };
  ask();
  loop.run();
  EXPECT_EQ(fault, "too_slow");
  fault.clear();
  ask();
  client.reset();  // and whoever leaves while a name is looked up is not answered
  EXPECT_EQ(fault, "");
}

TEST_F(HttpClientTest, NobodyThere) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);  // bound and not listening: connections are refused
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(0x7f000001);
  auto* raw = reinterpret_cast<sockaddr*>(&at);  // NOLINT: the socket API's own way
  ASSERT_EQ(bind(fd, raw, sizeof at), 0);
  socklen_t length = sizeof at;
  getsockname(fd, raw, &length);
  EXPECT_EQ(get({"https://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/", {}, "", ca}),
            "unreachable");
  close(fd);
}

TEST_F(HttpClientTest, OnlySoManyAtOnceAndGoneRequestsAreQuiet) {
  FetchLimits limits;
  limits.at_once = 2;
  limits.total = Millis(20'000);
  client = *HttpClient::open(loop, limits);
  int answers = 0;
  for (int i = 0; i < 3; ++i) {
    client->fetch({url("/never"), {}, "", ca}, [&](const std::variant<HttpReply, FetchFault>& result) {
      ++answers;
      ASSERT_TRUE(std::holds_alternative<FetchFault>(result));
      EXPECT_EQ(to_text(std::get<FetchFault>(result).kind), "busy");
      loop.stop();
    });
  }
  loop.run();
  EXPECT_EQ(answers, 1);
  client.reset();
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace nightlatch
