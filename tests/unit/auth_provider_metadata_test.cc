// What providers say of themselves.
#include <gtest/gtest.h>

#include "auth/provider_metadata.h"

namespace nightlatch {
namespace {

constexpr const char* kIssuer = "https://id.example/realms/office";

std::string document(const std::string& more = "", const std::string& issuer = kIssuer) {
  return R"({"issuer":")" + issuer + R"(","authorization_endpoint":"https://id.example/auth",)" +
         R"("token_endpoint":"https://id.example/token","jwks_uri":"https://id.example/jwks")" + more + "}";
}
std::string fault(const std::string& json) {
  const auto result = read_metadata(json, kIssuer);
  const auto* f = std::get_if<MetadataFault>(&result);
  return f == nullptr ? "ok" : std::string(to_text(*f));
}
ProviderMetadata read(const std::string& more) {
  return std::get<ProviderMetadata>(read_metadata(document(more), kIssuer));
}

TEST(ProviderMetadata, IsReadWithItsDefaults) {
  const ProviderMetadata plain = read("");
  EXPECT_EQ(plain.token_endpoint, "https://id.example/token");
  EXPECT_EQ(plain.userinfo_endpoint, "");
  EXPECT_FALSE(plain.secret_by_post);
  EXPECT_FALSE(plain.says_iss);
  EXPECT_TRUE(plain.does_pkce);
  const ProviderMetadata full = read(
      R"(,"userinfo_endpoint":"https://id.example/me","end_session_endpoint":"https://id.example/bye",)"
      R"("token_endpoint_auth_methods_supported":["client_secret_post"],"code_challenge_methods_supported":["plain"],)"
      R"("authorization_response_iss_parameter_supported":true)");
  EXPECT_EQ(full.userinfo_endpoint, "https://id.example/me");
  EXPECT_EQ(full.end_session_endpoint, "https://id.example/bye");
  EXPECT_TRUE(full.secret_by_post);
  EXPECT_TRUE(full.says_iss);
  EXPECT_FALSE(full.does_pkce);
  EXPECT_FALSE(
      read(R"(,"token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"])")
          .secret_by_post);
}

TEST(ProviderMetadata, AnotherIssuerIsRefusedHoweverAlike) {
  for (const char* issuer : {"https://id.example/realms/office/", "https://id.example/realms/Office",
                             "https://ID.example/realms/office", "http://id.example/realms/office", ""}) {
    EXPECT_EQ(fault(document("", issuer)), "discovery_wrong_issuer") << issuer;
  }
}

TEST(ProviderMetadata, OnlyHttpsAddresses) {
  EXPECT_EQ(fault(document(R"(,"userinfo_endpoint":"http://id.example/me")")), "discovery_bad_endpoint");
  EXPECT_EQ(fault(document(R"(,"userinfo_endpoint":7)")), "discovery_malformed");
  EXPECT_EQ(fault(document(R"(,"response_types_supported":["id_token"])")), "discovery_no_code_flow");
  EXPECT_EQ(fault(document(R"(,"grant_types_supported":["implicit"])")), "discovery_no_code_flow");
  EXPECT_EQ(fault(document(R"(,"issuer":"https://id.example/realms/office")")), "discovery_malformed");
  EXPECT_EQ(fault("{}"), "discovery_wrong_issuer");
  EXPECT_EQ(fault("<html>"), "discovery_malformed");
  for (const char* good : {"https://a.example", "https://a.example/", "https://a.example:8443/x?y=1",
                           "https://[fd00::1]:1/x", "https://10.0.0.1/x", "https://a.example:65535/"}) {
    EXPECT_TRUE(is_provider_url(good)) << good;
  }
  for (const char* bad : {"",
                          "https://",
                          "http://a.example/",
                          "https:///x",
                          "https://user@a.example/",
                          "https://a.example#x",
                          "https://a.example/ x",
                          "https://a.example/\r\nx",
                          "https://a.example:/",
                          "https://a.example:999999/",
                          "https://a\\b/",
                          "https://[fd00::1",
                          "https://[nonsense]/",
                          "HTTPS://a.example/",
                          "https://a_b.example/",
                          "https://a.example:0/",
                          "https://a.example:65536/",
                          "https://a.example:+1/",
                          "https://a.example:443x/",
                          "https://a.example./",
                          "https://./",
                          "https://.a.example/",
                          "https://a..example/",
                          "https://:443/",
                          "https://[]/"}) {
    EXPECT_FALSE(is_provider_url(bad)) << bad;
  }
  EXPECT_FALSE(is_provider_url("https://a.example/" + std::string(kLongestUrl, 'a')));
  EXPECT_EQ(host_of_provider_url("https://Login.Example.com:8443/x"), "login.example.com");
  EXPECT_EQ(host_of_provider_url("https://[fd00::1]:8443/x"), "fd00::1");
}

TEST(ProviderMetadata, WhereItIs) {
  EXPECT_EQ(discovery_url("https://id.example"), "https://id.example/.well-known/openid-configuration");
  EXPECT_EQ(discovery_url("https://id.example/a/"), "https://id.example/a/.well-known/openid-configuration");
  EXPECT_TRUE(check_issuer("https://id.example/a", "--issuer").ok());
  EXPECT_FALSE(check_issuer("https://id.example/a?b=c", "--issuer").ok());
  EXPECT_FALSE(check_issuer("id.example", "--issuer").ok());
}

TEST(TokenAnswer, NeedsBothTokens) {
  const auto answer = read_token_answer(R"({"id_token":"a.b.c","access_token":"t","token_type":"Bearer"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id_token, "a.b.c");
  EXPECT_EQ(answer->access_token, "t");
  for (const char* bad :
       {R"({"access_token":"t","token_type":"Bearer"})", R"({"id_token":"a","token_type":"Bearer"})",
        R"({"id_token":"a","access_token":"t"})", R"({"id_token":"a","access_token":"t","token_type":"mac"})",
        R"({"id_token":"a","access_token":"t\r\nX: y","token_type":"Bearer"})", "[]", ""}) {
    EXPECT_FALSE(read_token_answer(bad)) << bad;
  }
  EXPECT_EQ(read_token_error(R"({"error":"invalid_grant"})"), "invalid_grant");
  EXPECT_EQ(read_token_error(R"({"error":"<b>\n"})"), "an error without a name");
  EXPECT_EQ(read_token_error("x"), "no JSON");
}

}  // namespace
}  // namespace nightlatch
