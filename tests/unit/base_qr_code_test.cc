#include <gtest/gtest.h>

#include <algorithm>

#include "base/qr_code.h"
#include "qr_reader.h"

namespace nightlatch {
namespace {

TEST(QrCode, ATerminalGetsASquareWithItsQuietZone) {
  const auto lit = qr_text("https://gate.office.example/l/7K4T-9Q2M", false);
  ASSERT_TRUE(lit.ok());
  EXPECT_EQ(lit->find('\x1b'), std::string::npos);
  const auto lines = std::count(lit->begin(), lit->end(), '\n');
  EXPECT_EQ(lines, (29 + 8 + 1) / 2) << "version 3 has 29 modules; two rows a line, four around";
  const auto coloured = qr_text("https://gate.office.example/l/7K4T-9Q2M", true);
  EXPECT_EQ(std::count(coloured->begin(), coloured->end(), '\n'), lines);
  EXPECT_NE(coloured->find("\x1b[30;107m"), std::string::npos);
}

TEST(QrCode, AnSvgStandsAlone) {
  const auto svg = qr_svg("otpauth://totp/x?secret=AAAA");
  ASSERT_TRUE(svg.ok());
  EXPECT_TRUE(svg->starts_with("<svg ") && svg->ends_with("</svg>"));
  EXPECT_EQ(svg->find("otpauth"), std::string::npos);
}

// As long as what is drawn here can be: a link, and an authenticator's address.
TEST(QrCode, ACameraReadsWhatWasDrawn) {
  const std::string texts[] = {
      "https://gate.office.example/l/7K4T9Q2M", "https://[fd00::1]:8443/l/7K4T9Q2M",
      "otpauth://totp/gate.office.example:ann%2Bx%40y?secret=MZXW6YTBOIMZXW6YTBOIMZXW6YTBOIMZ&issuer=gate"};
  for (const std::string& text : texts) {
    EXPECT_EQ(read_terminal_qr(*qr_text(text, true)), text) << "dark on white";
    EXPECT_EQ(read_terminal_qr(*qr_text(text, false)), text) << "light on a dark terminal";
    EXPECT_EQ(read_svg_qr(*qr_svg(text)), text);
  }
}

TEST(QrCode, WhatIsTooLongIsRefused) { EXPECT_FALSE(qr_svg(std::string(5000, 'x')).ok()); }

}  // namespace
}  // namespace nightlatch
