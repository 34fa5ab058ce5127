// HttpBodyReader: the content of one HTTP/1.x message as it arrives, ready to be sent on in the same framing
// (RFC 9112 sections 6 and 7). Nothing is stored but the line being read. Chunks keep their borders; their
// sizes are written anew, extensions and trailers are checked and dropped (RFC 9110 section 6.5.1 allows it).
// Chunks are read here and not by llhttp: as Debian 12 builds it, it takes any two bytes for the CR LF
// behind a chunk, and so would not see where the next reader sees another message.
// Push-style and pure; owned by its connection; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_syntax.h"

namespace nightlatch {

struct HttpFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  // bytes; only with Kind::length
  bool operator==(const HttpFraming&) const = default;
};

class HttpBodyReader {
 public:
  // `unwrap`: pieces are the content alone, without the chunks' lines; for a reader that knows no chunks.
  explicit HttpBodyReader(HttpFraming framing = {}, bool unwrap = false)
      : framing_(framing), left_(framing.length), unwrap_(unwrap) {}

  enum class Progress : std::uint8_t {
    more,    // all bytes are used
    piece,   // piece() is to be sent on; call again
    end,     // the message is over; bytes behind it are left
    failed,  // malformed; stays
  };
  [[nodiscard]] Progress next(std::string_view& bytes);  // takes what it uses off the front
  // Of `bytes` or of this object: until the next call.
  [[nodiscard]] std::string_view piece() const { return piece_; }
  [[nodiscard]] bool ends_with_connection() const { return framing_.kind == HttpFraming::Kind::until_close; }

 private:
  enum class State : std::uint8_t { size, data, data_end, trailers, ended, bad };
  Progress next_of_chunks(std::string_view& bytes);
  Progress pass(std::string_view& bytes, std::uint64_t most);
  Progress emit(std::string framing_bytes);
  [[nodiscard]] LineGuard::At take_line(std::string_view& bytes);
  Progress end_line();
  bool read_size();

  HttpFraming framing_;
  std::uint64_t left_ = 0;  // of the content, or of the chunk
  bool unwrap_ = false;
  State state_ = State::size;
  LineGuard guard_;
  std::string line_;
  std::size_t trailer_bytes_ = 0;
  std::string own_;  // chunk lines that were written anew
  std::string_view piece_;
};

}  // namespace nightlatch
