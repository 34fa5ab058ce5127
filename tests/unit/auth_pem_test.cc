// Certificates as they come in PEM files, and what is not taken for one.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "auth/pem.h"

namespace nightlatch {
namespace {

std::string corpus(const char* name) {
  std::ifstream in(std::string(SOURCE_DIR "/tests/fuzz/corpus/pem/") + name);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(Pem, OneCertificateAndItsFingerprint) {
  const auto found = read_certificates(corpus("one.pem"));
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().pem, corpus("one.pem"));
  EXPECT_EQ(
      found->front().fingerprint,
      "74:50:2E:CB:48:DB:61:14:CA:58:E9:C1:95:21:A0:0A:12:23:2F:67:02:51:CE:12:04:E5:0D:F3:8D:1B:B7:39");
}

TEST(Pem, EachOfSeveral) {
  const auto found = read_certificates("a comment\n" + corpus("two.pem"));
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2U) << "whoever compares one must see that there is another";
  EXPECT_EQ((*found)[0].fingerprint, (*found)[1].fingerprint);
}

TEST(Pem, WhatIsNoCertificate) {
  const std::string one = corpus("one.pem");
  for (const std::string& bad :
       {std::string(), std::string("x"), corpus("cut.pem"), corpus("short.pem"), corpus("other.pem"),
        one + corpus("other.pem"), one + corpus("short.pem"), std::string(70'000, 'a')}) {
    EXPECT_FALSE(read_certificates(bad).ok()) << bad.substr(0, 100);
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += one;
  EXPECT_FALSE(read_certificates(many).ok());
}

}  // namespace
}  // namespace nightlatch
