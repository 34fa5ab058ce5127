#include "auth/cbor.h"

#include <limits>

namespace nightlatch {

namespace {
// Major types (section 3.1).
constexpr int kUnsigned = 0;
constexpr int kNegative = 1;
constexpr int kBytes = 2;
constexpr int kText = 3;
constexpr int kArray = 4;
constexpr int kMap = 5;
constexpr int kTag = 6;
constexpr int kDeepest = 8;
}  // namespace

std::nullopt_t CborReader::fail() {
  left_ = {};
  return std::nullopt;
}

std::optional<CborReader::Head> CborReader::head() {
  if (left_.empty()) return fail();
  const auto first = static_cast<unsigned char>(left_[0]);
  left_.remove_prefix(1);
  Head head{first >> 5, static_cast<std::uint64_t>(first & 31)};
  if (head.value < 24) return head;
  if (head.value > 27) return fail();  // reserved, or of indefinite length
  const std::size_t length = std::size_t{1} << (head.value - 24);
  if (left_.size() < length) return fail();
  head.value = 0;
  for (const char c : left_.substr(0, length)) head.value = head.value << 8 | static_cast<unsigned char>(c);
  left_.remove_prefix(length);
  return head;
}

std::optional<std::size_t> CborReader::map() {
  const auto h = head();
  // A pair takes two bytes at least.
  if (!h || h->major != kMap || h->value > left_.size() / 2) return fail();
  return static_cast<std::size_t>(h->value);
}

std::optional<std::int64_t> CborReader::integer() {
  const auto h = head();
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!h || h->value > most) return fail();
  const auto value = static_cast<std::int64_t>(h->value);
  if (h->major == kUnsigned) return value;
  if (h->major == kNegative) return -1 - value;
  return fail();
}

std::optional<std::string_view> CborReader::string_of(int major) {
  const auto h = head();
  if (!h || h->major != major || h->value > left_.size()) return fail();
  const std::string_view value = left_.substr(0, static_cast<std::size_t>(h->value));
  left_.remove_prefix(value.size());
  return value;
}

std::optional<std::string_view> CborReader::bytes() { return string_of(kBytes); }
std::optional<std::string_view> CborReader::text() { return string_of(kText); }

bool CborReader::skip() {
  if (skip(kDeepest)) return true;
  left_ = {};
  return false;
}

bool CborReader::skip(int depth) {
  const auto h = head();
  if (!h || depth == 0) return false;
  switch (h->major) {
    case kBytes:
    case kText:
      if (h->value > left_.size()) return false;
      left_.remove_prefix(static_cast<std::size_t>(h->value));
      return true;
    case kArray:
    case kMap: {
      if (h->value > left_.size()) return false;  // an item takes a byte at least
      const std::uint64_t items = h->major == kMap ? h->value * 2 : h->value;
      for (std::uint64_t i = 0; i < items; ++i) {
        if (!skip(depth - 1)) return false;
      }
      return true;
    }
    case kTag:
      return skip(depth - 1);
    default:
      return true;  // a number, or a simple value: all of it was in the head
  }
}

}  // namespace nightlatch
