// A machine without a browser that waits for a login, and the browser elsewhere that answers: bob's laptop
// has none and asks, alice's has one and answers (and the other way round where a test says so).
#pragma once

#include <nlohmann/json.hpp>

#include "auth/otp.h"
#include "store/factors.h"
#include "web_fixture.h"

namespace nightlatch {

using Json = nlohmann::json;
inline constexpr const char* kAliceMac = "02:00:00:00:0a:11";
inline constexpr const char* kBobMac = "02:00:00:00:0b:0b";

class LoginTest : public SiteTest {
 protected:
  struct Started {
    std::string device_code, user_code, path;
  };
  static Json json_of(const Reply& reply) { return Json::parse(reply.body, nullptr, false); }
  // The machine: it keeps no cookie, and says what curl says.
  Reply machine(const char* from, const std::string& path,
                const std::map<std::string, std::string>& fields = {},
                const std::vector<std::string>& extra = {}) {
    BrowserStandIn curl = browser(from);
    curl.accept = "*/*";
    return curl.post(path, fields, extra);
  }
  Started begin(const char* from = kBobPc, const std::map<std::string, std::string>& fields = {}) {
    const Reply reply = machine(from, "/login/start", fields);
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json json = json_of(reply);
    const std::string link = json["verification_uri_complete"];
    EXPECT_TRUE(link.starts_with("https://gate.test/l/")) << link;
    return {json["device_code"], json["user_code"], link.substr(std::string("https://gate.test").size())};
  }
  Json poll(const Started& s, const char* from = kBobPc) {
    return json_of(machine(from, "/login/poll", {{"device_code", s.device_code}}));
  }
  static Reply answer(BrowserStandIn& who, const Started& s, const Reply& page,
                      const char* what = "confirm") {
    return who.post(s.path,
                    {{"token", page.field("token")}, {"login", page.field("login")}, {"answer", what}});
  }
  // Signs in as the code's page asks, and returns the page that asks for the confirmation.
  Reply confirm_page(BrowserStandIn& who, const Started& s, const char* user = "alice") {
    Reply page = who.get(s.path);
    EXPECT_TRUE(page.has("Sign in first")) << page.body;
    const Reply done = who.post("/sign-in", {{"token", page.field("token")},
                                             {"login", page.field("login")},
                                             {"name", user},
                                             {"password", kPassword}});
    EXPECT_EQ(done.status, 303) << done.body;
    EXPECT_EQ(done.header("location"), s.path);
    return who.get(s.path);
  }
  // A resource that asks for a second factor, and alice's: the secret of her codes.
  std::string add_vault() {
    EXPECT_TRUE(
        add_resource(db(), "vault", {Target{*Prefix::parse("10.88.0.3/32"), PortRange{80, 80}}}).ok());
    NewPolicy policy;
    policy.name = "vault";
    policy.resources = {"vault"};
    policy.groups = {"staff"};
    policy.terms.mfa = Seconds(3600);
    EXPECT_TRUE(add_policy(db(), policy).ok());
    const std::string secret = make_otp_secret();
    EXPECT_TRUE(keep_otp_secret(db(), find_user(db(), "alice")->id, secret, 0, now()).ok());
    return secret;
  }
  std::optional<Presence> there(const char* device_mac = kBobMac) {
    const auto devices = list_devices(db());
    for (const DeviceRow& d : *devices) {
      if (!d.mac || d.mac->text() != device_mac) continue;
      return *presence_on(db(), d.id);
    }
    return std::nullopt;
  }
  std::size_t events(const std::string& event, const std::string& reason = "") {
    std::size_t count = 0;
    for (const AuditRow& row : log()) {
      if (row.event.event == event && (reason.empty() || row.event.reason == reason)) ++count;
    }
    return count;
  }
  // For rows that are written after the answer.
  bool logged(const std::string& event, const std::string& reason = "") {
    for (int i = 0; i < 500 && events(event, reason) == 0; ++i) usleep(10'000);
    return events(event, reason) > 0;
  }
};

}  // namespace nightlatch
