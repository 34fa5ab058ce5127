// The credential of a proxy client, taken apart.
#include "proxy/proxy_credential.h"

#include <gtest/gtest.h>

namespace nightlatch {
namespace {

using Kind = ProxyCredential::Kind;

TEST(ProxyCredential, BasicIsANameAndAPassword) {
  const ProxyCredential c = read_credential("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617 section 2
  EXPECT_EQ(c.kind, Kind::password);
  EXPECT_EQ(c.name, "Aladdin");
  EXPECT_EQ(c.secret, "open sesame");
  EXPECT_EQ(read_credential("basic  dGVzdDoxMjPCow==").secret, "123\xc2\xa3") << "RFC 7617 section 2.1";
  EXPECT_EQ(read_credential("BASIC YTpiOmM=").secret, "b:c") << "a password may have colons";
  EXPECT_EQ(read_credential("Basic YTo=").secret, "");
  EXPECT_EQ(read_credential("Basic YTpiPj8+").secret, "b>?>") << "the last two digits";
}

TEST(ProxyCredential, BearerIsAToken) {
  const ProxyCredential c = read_credential("Bearer mF_9.B5f-4.1JqM~+/==");
  EXPECT_EQ(c.kind, Kind::token);
  EXPECT_EQ(c.secret, "mF_9.B5f-4.1JqM~+/==");
  EXPECT_EQ(c.name, "");
}

TEST(ProxyCredential, AnythingElseIsUnusable) {
  EXPECT_EQ(read_credential("").kind, Kind::none);
  for (const std::string& field : std::vector<std::string>{"Basic",
                                                           "Basic ",
                                                           "Basic YTpi YTpi",
                                                           "Basic YTpiOmM",
                                                           "Basic YTpiOm==",
                                                           "Basic YTpiOmN=",
                                                           "Basic Y===",
                                                           "Basic ====",
                                                           "Basic YT-i",
                                                           "Basic YT_i",
                                                           "Basic YT\xc3i",
                                                           "Basic OmI=",
                                                           "Basic YWI=",
                                                           "Basic YTpi\tYTpi",
                                                           "Basic gDpi",
                                                           "Basic YTqA",
                                                           "Basic YToA",
                                                           "Basic YTp/",
                                                           "BasicYTpi",
                                                           "Bearer",
                                                           "Bearer ",
                                                           "Bearer =",
                                                           "Bearer a b",
                                                           "Bearer a=b",
                                                           "Bearer a,b",
                                                           "Bearer \xc3",
                                                           "Digest username=\"a\"",
                                                           "Negotiate YTpi",
                                                           "a",
                                                           " YTpi",
                                                           "Basic " + std::string(3000, 'Y'),
                                                           "Bearer " + std::string(1025, 'a')}) {
    const ProxyCredential c = read_credential(field);
    EXPECT_EQ(c.kind, Kind::unusable) << field;
    EXPECT_EQ(c.name + c.secret, "") << field;
  }
  EXPECT_EQ(read_credential("Bearer " + std::string(1024, 'a')).kind, Kind::token);
}

}  // namespace
}  // namespace nightlatch
