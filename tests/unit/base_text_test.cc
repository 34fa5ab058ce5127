// Names, printing what came from outside, splitting, the nearest word, and encodings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace nightlatch {
namespace {

TEST(CheckName, TakesWhatTheHeaderSays) {
  for (const char* name : {"a", "Alice", "alice@office.example", "dev-01", "x_y.z+1", "0"}) {
    EXPECT_TRUE(check_name(name, "NAME").ok()) << name;
  }
  EXPECT_TRUE(check_name(std::string(64, 'a'), "NAME").ok());
}

TEST(CheckName, RefusesAndSaysWhere) {
  const auto message = [](std::string_view name) {
    const Status s = check_name(name, "--user");
    return s.ok() ? "accepted" : s.error().message;
  };
  EXPECT_EQ(message(""), "--user: the name is empty");
  EXPECT_THAT(message(std::string(300, 'a')), testing::HasSubstr("300 bytes, more than 64"));
  EXPECT_THAT(message(std::string(65, 'a')), testing::HasSubstr("65 bytes"));
  EXPECT_EQ(message("a\nb"), "--user: 'a\\x0ab' has a character at place 2 that a name cannot have");
  EXPECT_THAT(message("-rf"), testing::HasSubstr("place 1"));
  EXPECT_THAT(message(".hidden"), testing::HasSubstr("place 1"));
  EXPECT_THAT(message("a b"), testing::HasSubstr("place 2"));
  EXPECT_THAT(message("a/b"), testing::HasSubstr("place 2"));
  EXPECT_THAT(message("J\xc3\xb6rg"), testing::HasSubstr("place 2"));
  EXPECT_THAT(message(std::string_view("a\0b", 3)), testing::HasSubstr("\\x00"));
  EXPECT_EQ(check_name("", "x").error().kind, ErrorKind::usage);
}

TEST(Printable, ShowsControlsAndKeepsText) {
  EXPECT_EQ(printable("plain"), "plain");
  EXPECT_EQ(printable("J\xc3\xb6rg \xe2\x82\xac"), "J\xc3\xb6rg \xe2\x82\xac");
  EXPECT_EQ(printable("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(printable("a\r\n\t"), "a\\x0d\\x0a\\x09");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "a C1 control is a control";
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, ShowsInvalidUtf8ByteByByte) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\xf0\x9f\x94\x92"), "\xf0\x9f\x94\x92");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(split("a,b", ','), testing::ElementsAre("a", "b"));
  EXPECT_THAT(split("", ','), testing::ElementsAre(""));
  EXPECT_THAT(split(",,", ','), testing::ElementsAre("", "", ""));
}

TEST(Trim, TakesSpaceFromBothEnds) {
  EXPECT_EQ(trim("  a b\t\r\n"), "a b");
  EXPECT_EQ(trim(" "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(lower("MiX-09"), "mix-09");
}

TEST(Nearest, ProposesWhatWasProbablyMeant) {
  const std::vector<std::string> commands{"status", "serve", "session", "set"};
  EXPECT_EQ(nearest("statsu", commands), "status");
  EXPECT_EQ(nearest("sesion", commands), "session");
  EXPECT_EQ(nearest("banana", commands), "");
  EXPECT_EQ(nearest("", commands), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(100'000, 's'), commands), "") << "bounded";
}

TEST(Encodings, MatchTheirStandards) {
  const auto bytes = [](std::string_view s) { return std::vector<unsigned char>(s.begin(), s.end()); };
  EXPECT_EQ(hex(bytes(std::string_view("\x00\xff\x10", 3))), "00ff10");
  EXPECT_EQ(base64url(bytes("")), "");
  EXPECT_EQ(base64url(bytes("f")), "Zg");
  EXPECT_EQ(base64url(bytes("fo")), "Zm8");
  EXPECT_EQ(base64url(bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64url(bytes("\xfb\xff\xfe")), "-__-");
  for (const std::string_view text : {"", "f", "fo", "foo", "foobar", "\xfb\xff\xfe"}) {
    EXPECT_EQ(from_base64url(base64url(bytes(text))), text);
  }
  for (const char* bad : {"Z", "Zh", "Zm9=", "Zg==", "Zm8 ", "Zm+v", "Zm/v", "Zm9\n"}) {
    EXPECT_EQ(from_base64url(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace nightlatch
