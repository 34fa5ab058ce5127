// The text of the proxy auto-configuration file. What engines make of it, tests/web/proxy_auto_config.mjs
// tries, with the same tables: tests/web/office.pac.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

#include "policy/parse.h"
#include "store/access.h"
#include "web/assets.h"
#include "web/proxy_auto_config.h"
#include "web_fixture.h"

namespace nightlatch {
namespace {

Target target(std::string_view text) { return *parse_target(text, "--to", HostTargets::written); }

Resource resource(std::string name, std::initializer_list<std::string_view> targets) {
  Resource made;
  made.name = std::move(name);
  for (const std::string_view text : targets) made.targets.push_back(target(text));
  return made;
}

std::vector<Resource> office() {
  return {resource("wiki", {"wiki.lan:443", "wiki.lan:80/tcp", "WIKI.lan:443"}),
          resource("corp", {"*.corp.example:8000-8010", "*.corp.example:443", "voice.lan:4000/udp"}),
          resource("again", {"wiki.lan:443/tcp", "10.88.0.0/24:80", "*.corp.example:443/udp"}),
          resource("words", {"constructor:80", "bücher.example:443", "10.90.0.7:5000-5999", "any.lan:*",
                             "10.88.0.0/24:80"}),
          resource("six", {"[fd88::/64]:80", "[2001:db8:0:8000::/49]:443", "[fd88::2]:443"}),
          resource("wide", {"10.96.0.0/11:8443", "10.88.0.2:53/udp", "0.0.0.0/0:8888", "[::/0]:8889"})};
}

std::string place_in(const ProxyPlaces& places) {
  const std::string text = proxy_auto_config(office(), places);
  const std::string_view name = "var nightlatchProxies = \"";
  const auto at = text.find(name);
  if (at == std::string::npos) return {};
  return text.substr(at + name.size(), text.find('"', at + name.size()) - at - name.size());
}

TEST(ProxyAutoConfig, IsTheTablesAndTheScript) {
  std::ifstream file(SOURCE_DIR "/tests/web/office.pac");
  const std::string tables((std::istreambuf_iterator<char>(file)), {});
  const std::string text = proxy_auto_config(office(), {"lan", "lan", "gate.office.example"});
  EXPECT_EQ(text.substr(0, text.find("\n\n") + 1), tables);
  EXPECT_EQ(text, tables + "\n" + std::string(assets::proxy_auto_config_js));
}

TEST(ProxyAutoConfig, TheOrderOfTheStoreDoesNotShow) {
  std::vector<Resource> other = office();
  std::reverse(other.begin(), other.end());
  for (Resource& r : other) std::reverse(r.targets.begin(), r.targets.end());
  const ProxyPlaces places{"lan", "", "gate.office.example"};
  EXPECT_EQ(proxy_auto_config(other, places), proxy_auto_config(office(), places));
}

TEST(ProxyAutoConfig, NamesTheProxiesThatListen) {
  EXPECT_EQ(place_in({"lan", "", "gate.lan"}), "PROXY gate.lan:3128");
  EXPECT_EQ(place_in({"", "lan", "gate.lan"}), "SOCKS5 gate.lan:1080; SOCKS gate.lan:1080");
  EXPECT_EQ(place_in({"lan", "lan", "gate.lan"}),
            "PROXY gate.lan:3128; SOCKS5 gate.lan:1080; SOCKS gate.lan:1080");
  EXPECT_EQ(place_in({" 10.0.0.1:8080 , [fd00::1]:3128", "", "gate.lan"}), "PROXY 10.0.0.1:8080");
  EXPECT_EQ(place_in({"[fd00::1]:3128", "10.0.0.1:9", "gate.lan"}),
            "PROXY [fd00::1]:3128; SOCKS5 10.0.0.1:9; SOCKS 10.0.0.1:9");
  EXPECT_EQ(place_in({"0.0.0.0:8080", "[::]:1081", "gate.lan"}),
            "PROXY gate.lan:8080; SOCKS5 gate.lan:1081; SOCKS gate.lan:1081")
      << "every address is none to connect to";
  EXPECT_EQ(place_in({"lan", "", "10.0.0.1"}), "PROXY 10.0.0.1:3128");
  EXPECT_EQ(place_in({"lan", "", "fd00:0::1"}), "PROXY [fd00::1]:3128");
  EXPECT_EQ(place_in({"lan", "", "tür.example"}), "PROXY xn--tr-xka.example:3128");
}

TEST(ProxyAutoConfig, WithoutAProxyItTellsNothing) {
  for (const char* nowhere : {"", " ", "everywhere", "10.0.0.1"}) {
    const std::string text = proxy_auto_config(office(), {nowhere, nowhere, "gate.lan"});
    EXPECT_NE(text.find("return \"DIRECT\""), std::string::npos);
    EXPECT_EQ(text.find("wiki"), std::string::npos) << text;
    EXPECT_LT(text.size(), 200U);
  }
}

// What stands in portal.url was never held to be a name.
TEST(ProxyAutoConfig, AHostCannotAddAProxyOfItsOwn) {
  for (const char* host :
       {"gate;DIRECT", "gate\";alert(1)//", "gate; PROXY evil.example", "gate\nx", "a b", ""}) {
    EXPECT_EQ(place_in({"lan", "lan", host}), "") << host;
    EXPECT_EQ(place_in({"10.0.0.1:3128", "", host}), "PROXY 10.0.0.1:3128") << "an address will do";
  }
}

TEST(ProxyAutoConfig, StringsAreAsciiAndStayStrings) {
  EXPECT_EQ(script_string("wiki.lan"), "\"wiki.lan\"");
  EXPECT_EQ(script_string(R"(a"+alert(1)+"\)"), R"("a\u0022+alert(1)+\u0022\u005c")");
  EXPECT_EQ(script_string(std::string_view("\n\r\0\x7f", 4)), R"("\u000a\u000d\u0000\u007f")");
  EXPECT_EQ(script_string("\xe2\x80\xa8"), R"("\u00e2\u0080\u00a8")") << "a line separator to some engines";
}

TEST(ProxyAutoConfig, TenThousandTargetsAreNoTrouble) {
  std::vector<Resource> many(100);
  for (unsigned i = 0; i < 100; ++i) {
    for (unsigned k = 0; k < 50; ++k) {
      many[i].targets.push_back(target(fmt::format("h{}.s{}.corp.example:443", k, i)));
      many[i].targets.push_back(target(fmt::format("10.{}.{}.0/24:443", i, k)));
    }
  }
  const auto began = BootClock::now();
  const std::string text = proxy_auto_config(many, {"lan", "lan", "gate.office.example"});
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(BootClock::now() - began);
  RecordProperty("microseconds", static_cast<int>(took.count()));
  RecordProperty("bytes", static_cast<int>(text.size()));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n') -
                std::count(assets::proxy_auto_config_js.begin(), assets::proxy_auto_config_js.end(), '\n'),
            10'000 + 8);
  EXPECT_LT(text.size(), 500'000U);
  EXPECT_LT(took, Seconds(1));
}

TEST_F(SiteTest, TheProxyFileFollowsTheStoreAndAsksForNoSignIn) {
  start();
  BrowserStandIn plain(plain_port, kFarAway);
  plain.host = "gate.test";
  plain.accept = "*/*";
  const Reply none = plain.get("/proxy.pac");
  EXPECT_EQ(none.status, 200);
  EXPECT_EQ(none.header("content-type"), "application/x-ns-proxy-autoconfig");
  EXPECT_EQ(none.header("cache-control"), "no-store");
  EXPECT_TRUE(none.header("content-security-policy").starts_with("default-src 'none'"));
  EXPECT_EQ(none.header("cross-origin-resource-policy"), "same-origin") << "no page of others may read it";
  EXPECT_FALSE(none.has("10.88.0.2")) << none.body;
  ASSERT_TRUE(set_setting(db(), "http.listen", "lan").ok());
  const Reply some = plain.get("/proxy.pac");
  EXPECT_TRUE(some.has("\"PROXY gate.test:3128\"") && some.has("[\"10.88.0.2\", 32, 80, 80]")) << some.body;
  EXPECT_FALSE(some.has("alice") || some.has("payroll")) << "nor whose they are";
  ASSERT_TRUE(set_setting(db(), "socks.listen", "10.0.0.1:1081").ok());
  ASSERT_TRUE(add_resource(db(), "news", {target("10.99.0.0/16:8080")}).ok());
  const Reply more = browser(kFarAway).get("/proxy.pac");
  EXPECT_TRUE(more.has("; SOCKS5 10.0.0.1:1081;") && more.has("[\"10.99.0.0\", 16, 8080, 8080]"))
      << more.body;
  EXPECT_EQ(plain.ask("HEAD", "/proxy.pac").status, 200);
  EXPECT_EQ(plain.post("/proxy.pac", {}).status, 405);
}

TEST_F(SiteTest, TheProxyFileIsNotForAStrangersPage) {
  ASSERT_TRUE(set_setting(db(), "http.listen", "lan").ok());
  start();
  auto over_tls = browser(kFarAway);
  BrowserStandIn plain(plain_port, kFarAway);
  for (const char* host :
       {"evil.test", "gate.test.evil.test", "evil.test:80", "gate.test@evil.test", "[fd00::1"}) {
    plain.host = over_tls.host = host;
    for (const Reply& reply : {plain.get("/proxy.pac"), over_tls.get("/proxy.pac")}) {
      EXPECT_TRUE(reply.status == 308 || reply.status == 421 || reply.status == 400) << host << reply.status;
      EXPECT_FALSE(reply.has("10.88.0.2")) << host;
    }
  }
  for (const char* host : {"gate.test", "GATE.test.", "gate.test:80", "gate.test:8080", "10.0.0.1",
                           "10.0.0.1:80", "[fd00::1]", "[fd00::1]:80"}) {
    plain.host = host;
    EXPECT_EQ(plain.get("/proxy.pac").status, 200) << host;
  }
  Wire old(plain_port);
  old.send("GET /proxy.pac HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read().status, 200) << "a program that says no host";
}

}  // namespace
}  // namespace nightlatch
