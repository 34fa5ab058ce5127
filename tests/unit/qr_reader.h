// What a telephone's camera would read: the drawing becomes an image, which another implementation of QR
// codes (zxing-cpp) decodes. For tests only.
#pragma once

#define ZX_USE_UTF8 1  // else version 1.4 has something to say
#include <ZXing/ReadBarcode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace nightlatch {

using QrModules = std::vector<std::vector<bool>>;  // rows; true is dark

// "" when there is no code that can be read, dark on light and with the room around it that ISO/IEC 18004
// asks for: some readers need it, though this one does not.
inline std::string read_qr(const QrModules& rows) {
  constexpr std::size_t kPixels = 4;  // a module's side
  constexpr std::size_t kQuiet = 4;
  if (rows.size() < 2 * kQuiet || rows[0].size() < 2 * kQuiet) return {};
  for (std::size_t y = 0; y < rows.size(); ++y) {
    for (std::size_t x = 0; x < rows[y].size(); ++x) {
      const bool inside = std::min(x, y) >= kQuiet && x + kQuiet < rows[y].size() && y + kQuiet < rows.size();
      if (!inside && rows[y][x]) return {};
    }
  }
  const std::size_t width = rows[0].size() * kPixels, height = rows.size() * kPixels;
  std::vector<std::uint8_t> image(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    EXPECT_EQ(rows[y / kPixels].size(), rows[0].size()) << "row " << y / kPixels;
    for (std::size_t x = 0; x < width; ++x)
      image[y * width + x] = rows[y / kPixels].at(x / kPixels) ? 0 : 255;
  }
  const ZXing::ImageView picture(image.data(), static_cast<int>(width), static_cast<int>(height),
                                 ZXing::ImageFormat::Lum);
  const auto found = ZXing::ReadBarcode(picture);
  if (!found.isValid()) return {};
  const auto& bytes = found.bytes();
  return {bytes.begin(), bytes.end()};
}

// The code in what a terminal is sent, among other lines: half blocks, where the colours are set dark on
// white, or else as a dark terminal shows them.
inline std::string read_terminal_qr(std::string_view text) {
  constexpr std::string_view kBlackOnWhite = "\x1b[30;107m", kOff = "\x1b[0m";
  QrModules rows;
  for (std::string_view line : split(text, '\n')) {
    const bool coloured = line.starts_with(kBlackOnWhite);
    if (coloured) {
      line.remove_prefix(kBlackOnWhite.size());
      EXPECT_TRUE(line.ends_with(kOff)) << "the colours stay on";
      line.remove_suffix(kOff.size());
    }
    if (!coloured && line.find("\xe2\x96") == std::string_view::npos) continue;
    std::vector<bool> upper, under;
    while (!line.empty()) {
      const bool full = line.starts_with("█"), top = line.starts_with("▀"), bottom = line.starts_with("▄");
      if (!full && !top && !bottom && line[0] != ' ') return {};  // not a code's line
      upper.push_back((full || top) == coloured);
      under.push_back((full || bottom) == coloured);
      line.remove_prefix(full || top || bottom ? std::string_view("█").size() : 1);
    }
    rows.push_back(std::move(upper));
    rows.push_back(std::move(under));
  }
  // A line holds two rows, and a square's side is odd.
  if (!rows.empty() && rows.size() == rows[0].size() + 1) rows.pop_back();
  return read_qr(rows);
}

// The code of an SVG picture among other markup: one path of unit squares on a square of its own.
inline std::string read_svg_qr(std::string_view markup) {
  const auto number_at = [&](std::size_t at) {
    std::size_t value = 0;
    for (; at < markup.size() && markup[at] >= '0' && markup[at] <= '9'; ++at)
      value = value * 10 + static_cast<std::size_t>(markup[at] - '0');
    return value;
  };
  constexpr std::string_view kBox = "viewBox=\"0 0 ", kWhite = "fill=\"#fff\" d=\"M0,0h",
                             kDark = "fill=\"#000\" d=\"", kSquare = "h1v1h-1z";
  const auto box = markup.find(kBox), white = markup.find(kWhite, box), dark = markup.find(kDark, white);
  if (box == std::string_view::npos || white == std::string_view::npos || dark == std::string_view::npos)
    return {};
  const std::size_t side = number_at(box + kBox.size());
  EXPECT_EQ(number_at(white + kWhite.size()), side) << "white all over";
  QrModules rows(side, std::vector<bool>(side));
  std::size_t at = dark + kDark.size();
  while (at < markup.size() && markup[at] == 'M') {
    const std::size_t comma = markup.find(',', at), end = markup.find(kSquare, comma);
    if (end == std::string_view::npos) return {};
    rows.at(number_at(comma + 1)).at(number_at(at + 1)) = true;
    at = end + kSquare.size();
  }
  return read_qr(rows);
}

}  // namespace nightlatch
