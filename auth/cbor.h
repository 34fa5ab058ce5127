// CborReader: as much of CBOR (RFC 8949) as an authenticator's answers are made of (CTAP 2 canonical form):
// definite lengths only, nested a few levels deep. Reads from the bytes of an enemy: every length is checked
// against what is left before it is used, and nothing is allocated. Once something is wrong nothing more is
// read. Pure; the bytes must outlive the reader and what it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nightlatch {

class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : left_(bytes) {}

  // The next item, if it is one of this kind; nullopt otherwise, and then the reader is spent.
  [[nodiscard]] std::optional<std::size_t> map();  // how many pairs follow
  [[nodiscard]] std::optional<std::int64_t> integer();
  [[nodiscard]] std::optional<std::string_view> bytes();
  [[nodiscard]] std::optional<std::string_view> text();  // as it is: UTF-8 is not checked
  [[nodiscard]] bool skip();                             // any one item, with all that is in it
  [[nodiscard]] std::string_view left() const { return left_; }

 private:
  struct Head {
    int major = 0;
    std::uint64_t value = 0;
  };
  std::optional<Head> head();
  std::optional<std::string_view> string_of(int major);
  [[nodiscard]] bool skip(int depth);
  std::nullopt_t fail();

  std::string_view left_;
};

}  // namespace nightlatch
