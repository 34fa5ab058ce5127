#include "net/http_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nightlatch {

namespace {
constexpr std::size_t kSizeLine = 256;                     // a chunk's size and its extensions
constexpr std::size_t kTrailers = std::size_t{16} * 1024;  // all of them together
}  // namespace

HttpBodyReader::Progress HttpBodyReader::next(std::string_view& bytes) {
  piece_ = {};
  switch (framing_.kind) {
    case HttpFraming::Kind::none:
      return Progress::end;
    case HttpFraming::Kind::length:
      if (left_ == 0) return Progress::end;
      return pass(bytes, left_);
    case HttpFraming::Kind::chunked:
      return next_of_chunks(bytes);
    case HttpFraming::Kind::until_close:
      break;
  }
  left_ = bytes.size();
  return pass(bytes, left_);
}

HttpBodyReader::Progress HttpBodyReader::pass(std::string_view& bytes, std::uint64_t most) {
  if (bytes.empty()) return Progress::more;
  piece_ = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(most, bytes.size())));
  bytes.remove_prefix(piece_.size());
  left_ -= piece_.size();
  return Progress::piece;
}

HttpBodyReader::Progress HttpBodyReader::next_of_chunks(std::string_view& bytes) {
  while (true) {
    if (state_ == State::ended) return Progress::end;
    if (state_ == State::bad) return Progress::failed;
    if (state_ == State::data) {
      if (left_ > 0) return pass(bytes, left_);
      state_ = State::data_end;
    }
    const LineGuard::At at = take_line(bytes);
    if (at == LineGuard::At::inside) return Progress::more;
    const Progress progress = at == LineGuard::At::end ? end_line() : Progress::failed;
    line_.clear();
    if (progress == Progress::failed) state_ = State::bad;
    if (progress != Progress::more) return progress;
  }
}

// `inside` while the line goes on and the bytes are all used.
LineGuard::At HttpBodyReader::take_line(std::string_view& bytes) {
  const std::size_t most = state_ == State::size       ? kSizeLine
                           : state_ == State::data_end ? 0
                                                       : kTrailers - trailer_bytes_;
  while (!bytes.empty()) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    const LineGuard::At at = guard_.take(c);
    if (at != LineGuard::At::inside) return at;
    if (c == '\r') continue;
    if (line_.size() == most) return LineGuard::At::bad;
    line_ += c;
  }
  return LineGuard::At::inside;
}

// `more` when there is nothing to send on for this line.
HttpBodyReader::Progress HttpBodyReader::end_line() {
  switch (state_) {
    case State::size:
      if (!read_size()) return Progress::failed;
      state_ = left_ == 0 ? State::trailers : State::data;
      return left_ == 0 ? Progress::more : emit(fmt::format("{:x}\r\n", left_));
    case State::data_end:
      state_ = State::size;
      return emit("\r\n");
    case State::trailers:
      if (line_.empty()) {
        state_ = State::ended;
        return emit("0\r\n\r\n");
      }
      trailer_bytes_ += line_.size();
      return is_field_line(line_) ? Progress::more : Progress::failed;
    default:
      return Progress::failed;
  }
}

// RFC 9112 section 7.1: hexadecimal digits, then nothing or extensions.
bool HttpBodyReader::read_size() {
  const std::string_view digits = std::string_view(line_).substr(0, line_.find(';'));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  return error == std::errc() && end == digits.data() + digits.size() && digits.size() <= 16;
}

HttpBodyReader::Progress HttpBodyReader::emit(std::string framing_bytes) {
  if (unwrap_) return state_ == State::ended ? Progress::end : Progress::more;
  own_ = std::move(framing_bytes);
  piece_ = own_;
  return Progress::piece;
}

}  // namespace nightlatch
