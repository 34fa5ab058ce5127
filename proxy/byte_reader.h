// ByteReader: takes numbers in network order and pieces off bytes that nobody vouches for. Asked for more
// than is there, it fails for good and gives zeros and empty pieces from then on, so that a parser reads
// straight through and asks ok() once. Owns nothing: the bytes must outlive it and what it gives. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nightlatch {

using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }  // also once it has failed: a loop ends
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return rest_; }

  Bytes take(std::uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes piece = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }
  std::uint64_t number(std::size_t size) {  // of at most 8 bytes
    std::uint64_t n = 0;
    for (const std::uint8_t byte : take(size)) n = n << 8 | byte;
    return n;
  }
  // A piece with its own length before it, in a number of so many bytes (RFC 8446 section 3.4).
  Bytes vector(std::size_t length_size) { return take(number(length_size)); }
  std::uint64_t varint() {  // RFC 9000 section 16
    if (rest_.empty()) return number(1);
    const unsigned log = rest_.front() >> 6;
    return number(std::size_t{1} << log) & (~std::uint64_t{0} >> (66 - (8U << log)));
  }

 private:
  Bytes rest_;
  bool ok_ = true;
};

}  // namespace nightlatch
