// What providers are asked, and what becomes of it while they change their keys or are down: against a
// provider on loopback that answers as each test says.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "certificate_maker.h"
#include "jose_maker.h"
#include "loopback.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "web/provider_client.h"

namespace nightlatch {
namespace {

constexpr const char* kDiscovery = "/.well-known/openid-configuration";

struct Said {
  int status = 200;
  std::string body;
  std::string type = "application/json";
};

class ProviderClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nl-provider-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write_certificate(folder_ / "c.pem", folder_ / "k.pem", "IP:127.0.0.1");
    auto tls = TlsContext::load(folder_ / "c.pem", folder_ / "k.pem");
    ASSERT_TRUE(tls.ok());
    auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
    provider.issuer = "https://127.0.0.1:" + std::to_string(port_of(fd->get()));
    server_ = std::make_unique<HttpServer>(loop, HttpServerLimits{});
    server_->serve(std::move(*fd), *tls, [this](const HttpRequest& request, const HttpResponder& responder) {
      ++hits[request.path];
      if (request.path == held) {
        waiting = responder;
        loop.stop();
        return;
      }
      responder.respond(response(says[request.path]));
    });
    std::ifstream file(folder_ / "c.pem");
    provider.ca_pem = std::string(std::istreambuf_iterator<char>(file), {});
    provider.name = "corp";
    provider.id = ProviderId{1};
    provider.client_id = "gate";
    provider.algorithms = {"ES256"};
    const std::string& at = provider.issuer;
    says[kDiscovery].body = R"({"issuer":")" + at + R"(","authorization_endpoint":")" + at +
                            R"(/auth","token_endpoint":")" + at + R"(/token","jwks_uri":")" + at +
                            R"(/jwks","userinfo_endpoint":")" + at + R"(/userinfo"})";
    publish({"1"});
    client = *ProviderClient::open(loop, [this] { return clock; });
  }
  void TearDown() override {
    client.reset();
    waiting.reset();
    server_.reset();
    EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    std::filesystem::remove_all(folder_);
  }

  static HttpResponse response(const Said& said) {
    HttpResponse out;
    out.status = said.status;
    out.headers = {{"Content-Type", said.type}};
    out.body = said.body;
    return out;
  }
  void publish(const std::vector<std::string>& ids) {
    std::string keys;
    for (const std::string& id : ids)
      keys += (keys.empty() ? "" : ",") + key.jwk(R"("kid":")" + id + R"(",)");
    says["/jwks"] = {200, R"({"keys":[)" + keys + "]}"};
  }
  [[nodiscard]] std::string token(const std::string& id, const std::string& payload = "{}") const {
    return key.sign("ES256", R"({"alg":"ES256","kid":")" + id + R"("})", payload);
  }
  // Answers into `out` and stops the loop: "ok", or the fault's reason.
  void verify(const std::string& id, std::string& out) {
    client->verify(provider, token(id), [this, &out](const std::variant<Jws, ProviderFault>& result) {
      const auto* fault = std::get_if<ProviderFault>(&result);
      out = fault == nullptr ? "ok" : fault->reason;
      loop.stop();
    });
  }
  std::string verified(const std::string& id) {
    std::string out;
    verify(id, out);
    while (out.empty()) loop.run();
    return out;
  }
  std::string userinfo() {
    std::string out;
    client->userinfo(provider, "access-1", [&](const std::variant<std::string, ProviderFault>& result) {
      const auto* fault = std::get_if<ProviderFault>(&result);
      out = fault == nullptr ? std::get<std::string>(result) : fault->reason;
      loop.stop();
    });
    while (out.empty()) loop.run();
    return out;
  }

  Loop loop;
  BootTime clock = BootClock::now();  // the client's
  jose::SigningKey key = jose::SigningKey::ec("P-256", 32);
  Provider provider;
  std::unique_ptr<ProviderClient> client;
  std::map<std::string, Said> says;
  std::map<std::string, int> hits;
  std::string held;  // a path whose request waits
  std::optional<HttpResponder> waiting;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ProviderClientTest, SoManyAreAskedOfOneProviderAtATime) {
  ASSERT_EQ(verified("1"), "ok");  // its document is known
  int answered = 0;
  std::string last;
  for (int i = 0; i < 17; ++i) {
    EXPECT_EQ(answered, 0) << i;
    client->userinfo(provider, "access-1", [&](const std::variant<std::string, ProviderFault>& result) {
      ++answered;
      if (const auto* fault = std::get_if<ProviderFault>(&result)) last = fault->reason;
    });
  }
  EXPECT_EQ(answered, 1);
  EXPECT_EQ(last, "cannot_verify_busy");
}

TEST_F(ProviderClientTest, KeysThatChangedAreFoundAndMadeUpOnesAreNotLookedForAgain) {
  EXPECT_EQ(verified("1"), "ok");
  publish({"2"});
  EXPECT_EQ(verified("2"), "ok");
  EXPECT_EQ(hits["/jwks"], 2);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(verified("made-up"), "unknown_key");
  EXPECT_EQ(hits["/jwks"], 2);
}

TEST_F(ProviderClientTest, ALookForAMadeUpKeyIsMadeAgainAfterAWhile) {
  EXPECT_EQ(verified("1"), "ok");
  EXPECT_EQ(verified("made-up"), "unknown_key");
  EXPECT_EQ(hits["/jwks"], 2);
  publish({"1", "2"});
  clock += Millis(14'999);
  EXPECT_EQ(verified("2"), "unknown_key");
  EXPECT_EQ(hits["/jwks"], 2);
  clock += Millis(1);
  EXPECT_EQ(verified("2"), "ok") << "it was new";
  EXPECT_EQ(hits["/jwks"], 3);
  clock += Millis(14'999);
  EXPECT_EQ(verified("made-up"), "unknown_key");
  EXPECT_EQ(hits["/jwks"], 3) << "a look that found something is one too";
  clock += Millis(1);
  EXPECT_EQ(verified("made-up"), "unknown_key");
  EXPECT_EQ(hits["/jwks"], 4);
}

TEST_F(ProviderClientTest, WhatIsKnownIsAskedForAgainAfterAnHour) {
  EXPECT_EQ(verified("1"), "ok");
  clock += Millis(3'599'999);
  EXPECT_EQ(verified("1"), "ok");
  EXPECT_EQ(hits[kDiscovery] + hits["/jwks"], 2);
  publish({"2"});  // a key that was taken back
  clock += Millis(1);
  EXPECT_EQ(verified("1"), "unknown_key");
  EXPECT_EQ(hits[kDiscovery], 2);
}

TEST_F(ProviderClientTest, AProviderThatFailedIsLeftAloneForASecond) {
  const Said good = std::exchange(says[kDiscovery], Said{503, "{}"});
  EXPECT_EQ(verified("1"), "cannot_verify_failed");
  says[kDiscovery] = good;
  clock += Millis(999);
  EXPECT_EQ(verified("1"), "cannot_verify_failed");
  EXPECT_EQ(hits[kDiscovery], 1);
  clock += Millis(1);
  EXPECT_EQ(verified("1"), "ok");
}

TEST_F(ProviderClientTest, FiftyWhoWaitForItAskOnce) {
  held = kDiscovery;
  std::size_t answered = 0, documents = 0, key_sets = 0;
  const auto count = [&](std::size_t& good, bool is_good) {
    good += is_good;
    if (++answered == 100) loop.stop();
  };
  const auto ask = [&] {
    client->metadata(provider, [&](const std::variant<ProviderClient::MetadataPtr, ProviderFault>& result) {
      const auto* told = std::get_if<ProviderClient::MetadataPtr>(&result);
      count(documents, told != nullptr && (*told)->issuer == provider.issuer);
    });
    client->keys(provider, [&](const std::variant<ProviderClient::KeysPtr, ProviderFault>& result) {
      count(key_sets, std::holds_alternative<ProviderClient::KeysPtr>(result));
    });
  };
  for (int i = 0; i < 25; ++i) ask();
  while (!waiting) loop.run();
  for (int i = 0; i < 25; ++i) ask();  // while the question is with the provider
  EXPECT_EQ(answered, 0U);
  held.clear();
  waiting->respond(response(says[kDiscovery]));
  while (answered < 100) loop.run();
  EXPECT_EQ(documents, 50U);
  EXPECT_EQ(key_sets, 50U);
  says["/userinfo"].body = R"({"sub":"s-1"})";
  EXPECT_EQ(userinfo(), R"({"sub":"s-1"})") << "a conversation of its own: what went before has come";
  EXPECT_EQ(hits[kDiscovery], 1);
  EXPECT_EQ(hits["/jwks"], 1);
}

TEST_F(ProviderClientTest, AllWhoWaitForItAreToldThatItFailed) {
  held = kDiscovery;
  std::vector<std::string> told(50);
  for (std::string& one : told) verify("1", one);
  while (!waiting) loop.run();
  held.clear();
  waiting->respond(response({503, "{}"}));
  while (told.back().empty()) loop.run();
  EXPECT_EQ(told, std::vector<std::string>(50, "cannot_verify_failed"));
  EXPECT_EQ(verified("1"), "cannot_verify_failed");
  EXPECT_EQ(hits[kDiscovery], 1);
}

TEST_F(ProviderClientTest, ALookThatFailsLosesNoKeys) {
  EXPECT_EQ(verified("1"), "ok");
  says["/jwks"] = {503, "{}"};
  EXPECT_EQ(verified("made-up"), "cannot_verify_failed");
  EXPECT_EQ(verified("1"), "ok") << "the known keys are still good";
  EXPECT_EQ(hits["/jwks"], 2);
}

TEST_F(ProviderClientTest, NobodyWaitsForALookForSomebodyElsesKey) {
  EXPECT_EQ(verified("1"), "ok");
  held = "/jwks";
  publish({"1", "2"});
  std::string late;
  verify("2", late);
  while (!waiting) loop.run();
  std::string meanwhile, later, unknown;
  verify("1", meanwhile);
  EXPECT_EQ(meanwhile, "ok") << "at once";
  verify("2", later);
  verify("3", unknown);
  EXPECT_EQ(late + later + unknown, "") << "they wait for the same look";
  waiting->respond(response(says["/jwks"]));
  while (late.empty() || later.empty() || unknown.empty()) loop.run();
  EXPECT_EQ(late, "ok");
  EXPECT_EQ(later, "ok");
  EXPECT_EQ(unknown, "unknown_key");
  EXPECT_EQ(hits["/jwks"], 2) << "the first ones, and one look for all";
}

TEST_F(ProviderClientTest, SignedUserinfoIsVerified) {
  says["/userinfo"].body = R"({"sub":"s-1"})";
  EXPECT_EQ(userinfo(), R"({"sub":"s-1"})");
  const std::string claims = R"({"sub":"s-1","iss":")" + provider.issuer + R"(","aud":"gate"})";
  says["/userinfo"] = {200, token("1", claims), "application/jwt"};
  EXPECT_EQ(userinfo(), claims);
  says["/userinfo"].body.back() = says["/userinfo"].body.back() == 'A' ? 'Q' : 'A';
  EXPECT_EQ(userinfo(), "wrong_signature");
  says["/userinfo"].body = token("1", R"({"sub":"s-1","aud":"another"})");
  EXPECT_EQ(userinfo(), "wrong_audience");
}

}  // namespace
}  // namespace nightlatch
