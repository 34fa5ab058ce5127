// Result, NL_TRY and Fd: the plumbing of every folder.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace nightlatch {
namespace {

Status even(int n) {
  if (n % 2 != 0) return Error::usage("odd");
  return Done{};
}

Result<int> half(int n) {
  NL_TRY(even(n));
  return n / 2;
}

TEST(Result, IsAValueOrAnError) {
  EXPECT_EQ(*half(4), 2);
  const auto bad = half(3);
  ASSERT_FALSE(bad.ok());
  EXPECT_FALSE(static_cast<bool>(bad));
  EXPECT_EQ(bad.error().kind, ErrorKind::usage);
  EXPECT_EQ(bad.error().message, "odd");
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<std::string>> r(std::make_unique<std::string>("x"));
  EXPECT_EQ(r->get()->size(), 1U);
  const std::unique_ptr<std::string> out = *std::move(r);
  EXPECT_EQ(*out, "x");
}

TEST(Error, KindsKeepTheirHints) {
  EXPECT_EQ(Error::not_found("a", "b").kind, ErrorKind::not_found);
  EXPECT_EQ(Error::conflict("a").kind, ErrorKind::conflict);
  EXPECT_EQ(Error::busy("a").kind, ErrorKind::busy);
  EXPECT_EQ(Error::invalid("a", "b").hint, "b");
  EXPECT_EQ(Error::failure("a").message, "a");
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(Fd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    Fd a(open("/dev/null", O_RDONLY | O_CLOEXEC));
    raw = a.get();
    ASSERT_TRUE(a.valid());
    Fd b(std::move(a));
    EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move): that is what is tested
    a = std::move(b);
    EXPECT_EQ(a.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(Fd, ReleaseGivesItAway) {
  Fd a(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int raw = a.release();
  a.reset();
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
}

}  // namespace
}  // namespace nightlatch
