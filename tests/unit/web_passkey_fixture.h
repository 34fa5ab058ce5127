// A portal where Alice has passkeys: given to her, or made on its pages. The authenticator is
// passkey_maker.h.
#pragma once

#include "passkey_maker.h"
#include "store/passkeys.h"
#include "web_fixture.h"

namespace nightlatch {

inline constexpr const char* kAliceMac = "02:00:00:00:0a:11";

inline std::string encoded(std::string_view bytes) {
  return base64url({static_cast<const unsigned char*>(static_cast<const void*>(bytes.data())), bytes.size()});
}
// The page from its passkey's form on.
inline Reply passkey_form(const Reply& page) {
  Reply form = page;
  const auto at = page.body.find("data-passkey=");
  form.body = at == std::string::npos ? "" : page.body.substr(at);
  return form;
}
inline std::string attribute(const Reply& form, const std::string& name) {
  const auto at = form.body.find("data-" + name + "=\"");
  if (at == std::string::npos) return {};
  const auto begin = form.body.find('"', at) + 1;
  return form.body.substr(begin, form.body.find('"', begin) - begin);
}

class PasskeyTest : public SiteTest {
 protected:
  using Fields = std::map<std::string, std::string>;
  void SetUp() override {
    SiteTest::SetUp();
    struct {
      const char* name;
      Seconds session;
      std::optional<Seconds> mfa;
    } const policies[] = {{"files", Seconds(8 * 3600), std::nullopt},
                          {"vault", Seconds(12 * 3600), Seconds(3600)},
                          {"safe", Seconds(0), std::nullopt}};
    for (const auto& p : policies) {
      ASSERT_TRUE(
          add_resource(db(), p.name, {Target{*Prefix::parse("10.88.0.3/32"), PortRange{80, 80}}}).ok());
      NewPolicy policy;
      policy.name = p.name;
      policy.resources = {p.name};
      policy.groups = {"staff"};
      policy.terms.session = p.session;
      policy.terms.mfa = p.mfa;
      ASSERT_TRUE(add_policy(db(), policy).ok());
    }
    alice_ = find_user(db(), "alice")->id;
  }
  // As if it had been made on the page.
  void give_passkey(PasskeyMaker& maker, const char* user = "alice", const std::string& name = "key") {
    const UserId id = find_user(db(), user)->id;
    maker.user_handle = *make_user_handle(db(), id);
    const auto made =
        check_registration({"x", maker.origin, maker.rp_id, false}, maker.client_data("webauthn.create", "x"),
                           maker.attestation_object());
    const auto& c = std::get<NewCredential>(made);
    ASSERT_TRUE(add_passkey(db(),
                            {id, name, c.id, static_cast<std::int64_t>(c.key.algorithm), c.key.bytes,
                             c.sign_count, c.user_verified, c.backup_eligible, c.backed_up, maker.rp_id},
                            now())
                    .ok());
  }
  // What the script sends for the form of this page.
  static Fields filled_in(const Reply& page, PasskeyMaker& maker) {
    const Reply form = passkey_form(page);
    const Assertion a = maker.assertion(attribute(form, "challenge"));
    return {{"token", form.field("token")},
            {"challenge", form.field("challenge")},
            {"hold", form.field("hold")},
            {"credential", encoded(a.credential_id)},
            {"client_data", encoded(a.client_data_json)},
            {"authenticator_data", encoded(a.authenticator_data)},
            {"signature", encoded(a.signature)},
            {"user_handle", encoded(a.user_handle)}};
  }
  static Reply sign_in_with(BrowserStandIn& who, PasskeyMaker& maker, const std::string& path = "/") {
    return who.post("/sign-in/passkey", filled_in(who.get(path), maker));
  }
  static Reply step_up_with(BrowserStandIn& who, PasskeyMaker& maker, const std::string& path = "/step-up") {
    return who.post("/step-up/passkey", filled_in(who.get(path), maker));
  }
  Reply add_on_page(BrowserStandIn& who, PasskeyMaker& maker, const std::string& name) {
    const Reply factors = who.get("/me/factors");
    const auto at = factors.body.find("action=\"/me/factors/passkey\"");
    EXPECT_NE(at, std::string::npos) << factors.body;
    Reply part = factors;
    part.body = factors.body.substr(std::min(at, factors.body.size()));
    const Reply setup = who.post("/me/factors/passkey", {{"token", part.field("token")}});
    const Reply form = passkey_form(setup);
    maker.user_handle = from_base64url(attribute(form, "user")).value_or("");
    return who.post(
        "/me/factors/passkey/confirm",
        {{"token", form.field("token")},
         {"challenge", form.field("challenge")},
         {"name", name},
         {"client_data", encoded(maker.client_data("webauthn.create", attribute(form, "challenge")))},
         {"attestation", encoded(maker.attestation_object())}});
  }
  // Waits until the log, which is written in batches, has so many of these.
  bool logged(const std::string& event, const std::string& reason, std::size_t wanted = 1) {
    std::size_t count = 0;
    for (int tries = 0; tries < 200; ++tries) {
      count = 0;
      for (const AuditRow& row : log()) {
        if (row.event.event == event && (reason.empty() || row.event.reason == reason)) ++count;
      }
      if (count >= wanted) break;
      usleep(20'000);
    }
    EXPECT_EQ(count, wanted) << event << " " << reason;
    return count == wanted;
  }
  std::string last_methods() {
    auto query = db().prepare("SELECT methods FROM sign_in ORDER BY id DESC LIMIT 1");
    return *query->step() ? query->text(0) : "";
  }
  std::string verdict(BrowserStandIn& who, const std::string& resource) {
    const std::string accept = std::exchange(who.accept, "application/json");
    const std::string verdict = who.get("/k/" + hold(kAliceMac, resource.c_str())).json_field("verdict");
    who.accept = accept;
    return verdict;
  }
  UserId alice_{};
};

}  // namespace nightlatch
