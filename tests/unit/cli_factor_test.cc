// Second factors that an administrator gives: what is printed of them, this once.
#include <gmock/gmock.h>

#include "auth/otp.h"
#include "auth/second_factor.h"
#include "cli_testing.h"
#include "qr_reader.h"
#include "store/factors.h"
#include "store/people.h"

namespace nightlatch::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class CliFactor : public CliTest {
 protected:
  CliFactor() { office(); }
  // The secret in an authenticator's address.
  static std::string secret_in(const std::string& uri) {
    const std::string name = "secret=";
    const auto at = uri.find(name) + name.size();
    return uri.substr(at, uri.find('&', at) - at);
  }
  Factors factors_of(const char* user) {
    Result<Database> db = open_store(store_, Database::Access::read);
    return *find_factors(*db, find_user(*db, user)->id);
  }
};

TEST_F(CliFactor, TheCodeThatIsScannedIsTheAddressThatIsPrinted) {
  const Ran ran = ok({"user", "factor", "alice", "--add", "otp"});
  const std::string uri = ran.out.substr(0, ran.out.find('\n'));
  EXPECT_THAT(uri, StartsWith("otpauth://totp/gate.office.example:alice?secret="));
  EXPECT_EQ(read_terminal_qr(ran.out), uri);
  EXPECT_TRUE(factors_of("alice").otp_since.has_value());
  EXPECT_FALSE(factors_of("bob").any());
  EXPECT_THAT(ran.err, Not(HasSubstr(secret_in(uri))));
}

TEST_F(CliFactor, ProgramsGetTheAddressAloneAndANewOneReplacesTheOld) {
  const std::string first = ok({"user", "factor", "alice", "--add", "otp", "--json"}).json()["otp_uri"];
  const std::string second = ok({"user", "factor", "alice", "--add", "otp", "--json"}).json()["otp_uri"];
  ASSERT_EQ(from_base32(secret_in(first)).value_or("").size(), 20U) << first;
  EXPECT_NE(secret_in(first), secret_in(second));
  Result<Database> db = open_store(store_, Database::Access::write);
  const UserId alice = find_user(*db, "alice")->id;
  const WallTime now = wall_now();
  const auto code_of = [&](const std::string& uri) { return *otp_code(*from_base32(secret_in(uri)), now); };
  if (code_of(first) != code_of(second)) {  // one time in a million they are the same
    EXPECT_EQ(*use_code(*db, alice, code_of(first), now), CodeResult::wrong);
  }
  EXPECT_EQ(*use_code(*db, alice, code_of(second), now), CodeResult::otp);
  EXPECT_THAT(dump(), Not(HasSubstr(secret_in(second)))) << "sealed";
}

}  // namespace
}  // namespace nightlatch::cli
