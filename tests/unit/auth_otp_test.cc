#include <gtest/gtest.h>

#include "auth/otp.h"

namespace nightlatch {
namespace {

const std::string kSecret = "12345678901234567890";

WallTime at(std::int64_t seconds) { return WallTime(Seconds(seconds)); }

// RFC 6238, appendix B, the rows for SHA-1.
TEST(Otp, TheVectorsOfTheRfc) {
  const std::pair<std::int64_t, const char*> rows[] = {{59, "94287082"},         {1111111109, "07081804"},
                                                       {1111111111, "14050471"}, {1234567890, "89005924"},
                                                       {2000000000, "69279037"}, {20000000000, "65353130"}};
  for (const auto& [time, code] : rows) {
    EXPECT_EQ(*otp_code(kSecret, at(time), 8), code) << time;
    EXPECT_EQ(*otp_code(kSecret, at(time)), std::string(code).substr(2)) << "six digits are the last six";
  }
}

TEST(Otp, ACodeIsGoodInItsStepAndTheOnesBeside) {
  const std::int64_t step = 1234567890 / 30;
  const std::string code = *otp_code(kSecret, at(1234567890));
  for (const std::int64_t off : {-1, 0, 1}) {
    EXPECT_EQ(otp_step(kSecret, code, at((step + off) * 30), 0), step) << off;
    EXPECT_EQ(otp_step(kSecret, code, at((step + off) * 30 + 29), 0), step) << off;
  }
  EXPECT_EQ(otp_step(kSecret, code, at((step - 2) * 30 + 29), 0), std::nullopt) << "too early";
  EXPECT_EQ(otp_step(kSecret, code, at((step + 2) * 30), 0), std::nullopt) << "too late";
}

TEST(Otp, AStepThatWasUsedAndThoseBeforeAreNotGood) {
  const std::int64_t step = 1234567890 / 30;
  const std::string code = *otp_code(kSecret, at(1234567890));
  EXPECT_EQ(otp_step(kSecret, code, at(1234567890), step - 1), step);
  EXPECT_EQ(otp_step(kSecret, code, at(1234567890), step), std::nullopt);
  EXPECT_EQ(otp_step(kSecret, code, at(1234567890), step + 1), std::nullopt);
}

TEST(Otp, WhatIsNoCodeIsWrong) {
  const std::string code = *otp_code(kSecret, at(1234567890));  // 005924
  EXPECT_TRUE(otp_step(kSecret, " 005 924 ", at(1234567890), 0));
  for (const std::string& bad :
       {std::string(), code + "0", code.substr(1), std::string("005925"), std::string("-05924"),
        std::string(100'000, '0'), std::string("005924\0", 7)}) {
    EXPECT_FALSE(otp_step(kSecret, bad, at(1234567890), 0)) << bad.substr(0, 20);
  }
  EXPECT_FALSE(otp_step(kSecret, code, at(-5), 0)) << "a clock before 1970";
}

TEST(Otp, SecretsAreTypedInBase32) {  // RFC 4648 section 10, without padding
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "MY"},
                                                      {"fo", "MZXQ"},
                                                      {"foo", "MZXW6"},
                                                      {"foob", "MZXW6YQ"},
                                                      {"fooba", "MZXW6YTB"},
                                                      {"foobar", "MZXW6YTBOI"}};
  for (const auto& [bytes, text] : rows) {
    EXPECT_EQ(base32(bytes), text);
    EXPECT_EQ(from_base32(text), bytes);
  }
  EXPECT_EQ(from_base32("mzxw 6ytb oi"), "foobar");
  EXPECT_EQ(from_base32("MZXW1"), std::nullopt);
  EXPECT_EQ(make_otp_secret().size(), 20U);
  EXPECT_NE(make_otp_secret(), make_otp_secret());
}

TEST(Otp, TheUriNamesTheOfficeAndTheUser) {
  EXPECT_EQ(otp_uri("foobar", "gate.office.example", "ann+x@y"),
            "otpauth://totp/gate.office.example:ann%2Bx%40y?secret=MZXW6YTBOI&issuer=gate.office.example");
}

}  // namespace
}  // namespace nightlatch
