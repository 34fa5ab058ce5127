// Negotiation, form fields, form tokens, JSON and templates, and the portal's settings.
#include <gtest/gtest.h>

#include "store/access.h"
#include "store_fixture.h"
#include "web/form_tokens.h"
#include "web/negotiate.h"
#include "web/portal_config.h"
#include "web/value.h"

namespace nightlatch {
namespace {

Format format_of(const char* accept) {
  HttpRequest request;
  if (accept != nullptr) request.headers.emplace_back("accept", accept);
  return negotiate(request);
}

TEST(Negotiate, GivesWhatIsAskedForAndTextToWhoeverDoesNotCare) {
  EXPECT_EQ(format_of("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
            Format::html);
  EXPECT_EQ(format_of("*/*"), Format::text);
  EXPECT_EQ(format_of(nullptr), Format::text);
  EXPECT_EQ(format_of(""), Format::text);
  EXPECT_EQ(format_of("application/json"), Format::json);
  EXPECT_EQ(format_of("application/json, */*"), Format::json);
  EXPECT_EQ(format_of("Application/JSON;q=0.5, text/html;q=0.4"), Format::json);
  EXPECT_EQ(format_of("text/html;q=0, */*"), Format::text);
  EXPECT_EQ(format_of("text/plain, text/html;q=0.9"), Format::text);
  EXPECT_EQ(format_of("image/png"), Format::text);
  EXPECT_EQ(format_of("text/html;q=zero"), Format::text);
  EXPECT_EQ(format_of("text/html;level=1;q=1"), Format::html);
  EXPECT_EQ(format_of(",,;;/,q=1"), Format::text);
}

TEST(FormFields, AreDecodedOrRefused) {
  const auto form = FormFields::parse("name=al%69ce&password=a+b%2Bc%26%c3%a9&empty=&alone");
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->get("name"), "alice");
  EXPECT_EQ(form->get("password"), "a b+c&\xc3\xa9");
  EXPECT_EQ(form->get("empty"), "");
  EXPECT_EQ(form->get("absent"), "");
  for (const char* bad : {"a=%", "a=%4", "a=%zz", "a=1&a=2"})
    EXPECT_FALSE(FormFields::parse(bad).has_value()) << bad;
  std::string many;
  for (int i = 0; i < 40; ++i) many += "f" + std::to_string(i) + "=1&";
  EXPECT_FALSE(FormFields::parse(many).has_value());
}

class FormTokensTest : public ::testing::Test {
 protected:
  BootTime now_{Millis(1000)};
  FormTokens tokens_{[this] { return now_; }, 3};
};

TEST_F(FormTokensTest, AreGoodOnceForTheirCookieAndPurpose) {
  const std::string token = tokens_.issue("cookie", "sign-in");
  EXPECT_EQ(tokens_.redeem(token, "other", "sign-in"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem(token, "", "sign-in"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem(token, "cookie", "sign-out"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem(token + "A", "cookie", "sign-in"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem("f" + token, "cookie", "sign-in"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem("", "cookie", "sign-in"), FormTokens::Check::foreign);
  EXPECT_EQ(tokens_.redeem(token, "cookie", "sign-in"), FormTokens::Check::good);
  EXPECT_EQ(tokens_.redeem(token, "cookie", "sign-in"), FormTokens::Check::used);
  const std::string old = tokens_.issue("cookie", "sign-in");
  now_ += Seconds(15 * 60);
  EXPECT_EQ(tokens_.redeem(old, "cookie", "sign-in"), FormTokens::Check::stale);
  EXPECT_EQ(tokens_.redeem(token, "cookie", "sign-in"), FormTokens::Check::stale);
}

TEST_F(FormTokensTest, AreNotGoodAgainWhenThereIsNoRoomToRememberThem) {
  const std::string first = tokens_.issue("cookie", "sign-in");
  EXPECT_EQ(tokens_.redeem(first, "cookie", "sign-in"), FormTokens::Check::good);
  for (int i = 0; i < 10; ++i) {
    now_ += Millis(10);
    EXPECT_EQ(tokens_.redeem(tokens_.issue("cookie", "sign-in"), "cookie", "sign-in"),
              FormTokens::Check::good);
  }
  EXPECT_NE(tokens_.redeem(first, "cookie", "sign-in"), FormTokens::Check::good);
}

TEST(Value, IsEscapedForWhereItGoes) {
  const Value::Object object{{"name", "<b>\"&'</b>"}, {"n", std::int64_t{7}}, {"yes", true}};
  EXPECT_EQ(render("<i title=\"{{name}}\">{{n}}{{#yes}}!{{/yes}}{{absent}}</i>", object),
            "<i title=\"&lt;b&gt;&quot;&amp;&apos;&lt;/b&gt;\">7!</i>");
  EXPECT_EQ(to_json({{"a", "\"\\\n\xff"}, {"l", Value::List{"x", false}}}),
            "{\"a\":\"\\\"\\\\\\\\x0a\\\\xff\",\"l\":[\"x\",false]}\n");
}

TEST(PortalUrl, NamesItsHost) {
  EXPECT_EQ(host_of_url("https://Gate.Office.example/"), "gate.office.example");
  EXPECT_EQ(host_of_url("https://10.0.0.1:8443"), "10.0.0.1");
  EXPECT_EQ(host_of_url("https://[fd00::1]:8443"), "fd00::1");
  for (const char* bad : {"http://a", "https://", "https://a/b", "https://a?b", "https://u@a", "https://a:0",
                          "https://[fd00::1", "https://[zz]", "https://:443", "a"}) {
    EXPECT_EQ(host_of_url(bad), std::nullopt) << bad;
  }
}

using PortalConfigTest = TemporaryStore;

TEST_F(PortalConfigTest, ReadsTheSettings) {
  for (const auto& [key, value] :
       {std::pair("portal.url", "https://gate.test"),
        std::pair("portal.https", "10.0.0.1:443, [fd00::1]:443"), std::pair("portal.http", "10.0.0.1:80")}) {
    ASSERT_TRUE(set_setting(db(), key, value).ok());
  }
  const auto config = load_portal_config(db());
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->host, "gate.test");
  ASSERT_EQ(config->https.size(), 2U);
  EXPECT_EQ(config->https[1].text(), "[fd00::1]:443");
  EXPECT_TRUE(config->office_ca);
  EXPECT_TRUE(config->certificate.ends_with("/tls/portal.pem"));
  ASSERT_TRUE(set_setting(db(), "portal.certificate", "/etc/ssl/gate.pem").ok());
  EXPECT_FALSE(load_portal_config(db()).ok()) << "a certificate without a key";
  ASSERT_TRUE(set_setting(db(), "portal.key", "/etc/ssl/gate.key").ok());
  EXPECT_FALSE(load_portal_config(db())->office_ca);
}

TEST_F(PortalConfigTest, ListensOnTheLansAddressesWhenNothingElseIsSaid) {
  ASSERT_TRUE(set_setting(db(), "lan", "lo").ok());
  const auto config = load_portal_config(db());
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->https.front().text(), "127.0.0.1:443");
  EXPECT_EQ(config->url, "https://127.0.0.1");
  ASSERT_TRUE(set_setting(db(), "lan", "none0").ok());
  EXPECT_EQ(load_portal_config(db()).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace nightlatch
