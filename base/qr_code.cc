#include "base/qr_code.h"

#include <fmt/format.h>

#include <exception>
#include <iterator>
#include <optional>
#include <qrcodegen.hpp>

namespace nightlatch {

namespace {
using qrcodegen::QrCode;

constexpr int kQuiet = 4;  // modules around the symbol

Result<QrCode> encode(std::string_view text) {
  try {
    return QrCode::encodeText(std::string(text).c_str(), QrCode::Ecc::MEDIUM);
  } catch (const std::exception&) {
    return Error::usage("the text is too long for a QR code");
  }
}

}  // namespace

Result<std::string> qr_text(std::string_view text, bool colour) {
  auto qr = encode(text);
  if (!qr) return qr.error();
  const int end = qr->getSize() + kQuiet;
  const auto drawn = [&](int x, int y) { return y < end && qr->getModule(x, y) == colour; };
  std::string out;
  for (int y = -kQuiet; y < end; y += 2) {
    if (colour) out += "\x1b[30;107m";
    for (int x = -kQuiet; x < end; ++x) {
      const bool upper = drawn(x, y);
      const bool under = drawn(x, y + 1);
      out += upper && under ? "█" : upper ? "▀" : under ? "▄" : " ";
    }
    out += colour ? "\x1b[0m\n" : "\n";
  }
  return out;
}

Result<std::string> qr_svg(std::string_view text) {
  auto qr = encode(text);
  if (!qr) return qr.error();
  const int size = qr->getSize() + 2 * kQuiet;
  std::string path;
  for (int y = 0; y < qr->getSize(); ++y) {
    for (int x = 0; x < qr->getSize(); ++x) {
      if (qr->getModule(x, y)) {
        fmt::format_to(std::back_inserter(path), "M{},{}h1v1h-1z", x + kQuiet, y + kQuiet);
      }
    }
  }
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" shape-rendering="crispEdges">)"
      R"(<path fill="#fff" d="M0,0h{0}v{0}h-{0}z"/><path fill="#000" d="{1}"/></svg>)",
      size, path);
}

}  // namespace nightlatch
