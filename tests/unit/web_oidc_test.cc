// Sign-ins with providers while the store cannot be read: what anybody can have the portal say of that fills
// no log.
#include <gtest/gtest.h>

#include "web_fixture.h"

namespace nightlatch {
namespace {

class OidcSiteTest : public SiteTest {
 protected:
  void SetUp() override {
    SiteTest::SetUp();
    start();
  }
  // Lines of stderr that hold the path, while it is asked for fifty times.
  std::size_t lines(const std::string& path, int status) {
    testing::internal::CaptureStderr();
    BrowserStandIn stranger = browser(kFarAway);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(stranger.get(path).status, status) << path;
    const std::string out = testing::internal::GetCapturedStderr();
    std::size_t n = 0;
    for (auto at = out.find(path); at != std::string::npos; at = out.find(path, at + 1)) ++n;
    return n;
  }
};

TEST_F(OidcSiteTest, StrangersFillNoLog) {
  ASSERT_TRUE(db().run("ALTER TABLE provider RENAME TO gone").ok());
  const std::size_t unreadable = lines("/oidc/corp/sign-out", 503);
  EXPECT_GE(unreadable, 1U);
  EXPECT_LE(unreadable, 5U);
}

}  // namespace
}  // namespace nightlatch
