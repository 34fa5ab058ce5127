// Content in each framing, cut at every place.
#include <gtest/gtest.h>

#include "net/http_body.h"

namespace nightlatch {
namespace {

using Kind = HttpFraming::Kind;
using Progress = HttpBodyReader::Progress;

struct Outcome {
  std::string out, left;
  Progress last = Progress::more;
  bool operator==(const Outcome&) const = default;
};

Outcome read(const HttpFraming& framing, std::string_view bytes, std::size_t step, bool unwrap) {
  HttpBodyReader reader(framing, unwrap);
  Outcome outcome;
  do {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while ((outcome.last = reader.next(piece)) == Progress::piece) outcome.out += reader.piece();
    outcome.left += piece;
  } while (!bytes.empty());
  return outcome;
}

Outcome read(const HttpFraming& framing, std::string_view bytes, bool unwrap = false) {
  const Outcome whole = read(framing, bytes, bytes.size(), unwrap);
  for (std::size_t step = 1; step < bytes.size(); ++step)
    EXPECT_EQ(read(framing, bytes, step, unwrap), whole) << step;
  return whole;
}

TEST(HttpBody, EndsWhereItsFramingSays) {
  EXPECT_EQ(read({}, "next"), (Outcome{"", "next", Progress::end}));
  EXPECT_EQ(read({Kind::length, 0}, "next"), (Outcome{"", "next", Progress::end}));
  EXPECT_EQ(read({Kind::length, 5}, "hellonext"), (Outcome{"hello", "next", Progress::end}));
  EXPECT_EQ(read({Kind::length, 5}, "hell"), (Outcome{"hell", "", Progress::more}));
  EXPECT_EQ(read({Kind::until_close, 0}, "hello"), (Outcome{"hello", "", Progress::more}));
}

TEST(HttpBody, ChunksKeepTheirBordersAndLoseTheRest) {
  constexpr std::string_view bytes =
      "003;a=b\r\nabc\r\nB\r\nhello\r\n\r\n0\r\r\n00;x\r\nT: u\r\nV:\r\n\r\nnext";
  EXPECT_EQ(read({Kind::chunked, 0}, bytes),
            (Outcome{"3\r\nabc\r\nb\r\nhello\r\n\r\n0\r\r\n0\r\n\r\n", "next", Progress::end}));
  EXPECT_EQ(read({Kind::chunked, 0}, bytes, true), (Outcome{"abchello\r\n\r\n0\r", "next", Progress::end}));
}

TEST(HttpBody, TheLargestChunkIsStillOne) {
  EXPECT_EQ(read({Kind::chunked, 0}, "fFfFfFfFfFfFfFfF\r\nab"),
            (Outcome{"ffffffffffffffff\r\nab", "", Progress::more}));
  EXPECT_EQ(read({Kind::chunked, 0}, "1ffffffffffffffff\r\nab").last, Progress::failed);
}

}  // namespace
}  // namespace nightlatch
