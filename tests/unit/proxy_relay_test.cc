// The relay on real sockets: order, half-close, back-pressure, budget and reset.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include "base/fd.h"
#include "proxy/relay.h"
#include "proxy/sockets.h"

namespace nightlatch {
namespace {

struct Pair {
  Fd near, far;  // near: the relay's end
};

// A TCP connection over loopback: resets and half-closes are the kernel's own.
Pair connect_pair() {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* address = reinterpret_cast<sockaddr*>(&here);
  socklen_t length = sizeof here;
  EXPECT_EQ(bind(listener.get(), address, length), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  getsockname(listener.get(), address, &length);
  Pair p;
  p.far = Fd(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(connect(p.far.get(), address, length), 0);
  p.near = Fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
  fcntl(p.far.get(), F_SETFL, O_NONBLOCK);
  return p;
}

class RelayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    client_ = connect_pair();
    server_ = connect_pair();
    relay_.attach(client_.near.get(), server_.near.get());
  }
  Relay::Outcome pump(std::size_t budget = 1U << 20U) {
    for (const auto side : {Relay::client, Relay::upstream}) {
      relay_.readable(side);
      relay_.writable(side);
    }
    return relay_.pump(scratch_, budget);
  }
  static std::string take(const Fd& fd) {
    std::string got(1U << 20U, '\0');
    const ssize_t n = recv(fd.get(), got.data(), got.size(), 0);
    got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return got;
  }
  Pair client_, server_;
  Relay relay_;
  std::vector<char> scratch_ = std::vector<char>(16 * 1024);
};

TEST_F(RelayTest, EveryByteArrivesInOrderHoweverSlowTheReader) {
  std::mt19937 random(7);
  std::string sent(8U << 20U, '\0');
  for (char& c : sent) c = static_cast<char>(random());
  std::string got;
  std::size_t at = 0;
  while (got.size() < sent.size()) {
    if (at < sent.size()) {
      const ssize_t n =
          send(client_.far.get(), sent.data() + at, std::min<std::size_t>(sent.size() - at, 300'000), 0);
      if (n > 0) at += static_cast<std::size_t>(n);
    }
    ASSERT_NE(pump(random() % 100'000 + 1), Relay::Outcome::reset);
    std::string part(random() % 50'000 + 1, '\0');
    const ssize_t n = recv(server_.far.get(), part.data(), part.size(), 0);
    if (n > 0) got.append(part, 0, static_cast<std::size_t>(n));
  }
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(relay_.moved(Relay::client), sent.size());
  EXPECT_EQ(relay_.moved(Relay::upstream), 0U);
}

TEST_F(RelayTest, OneDirectionEndsAndTheOtherGoesOn) {
  ASSERT_EQ(send(client_.far.get(), "ask", 3, 0), 3);
  shutdown(client_.far.get(), SHUT_WR);
  EXPECT_EQ(pump(), Relay::Outcome::idle);
  EXPECT_EQ(take(server_.far), "ask");
  char c = 0;
  EXPECT_EQ(recv(server_.far.get(), &c, 1, 0), 0) << "the end of the question is passed on";
  ASSERT_EQ(send(server_.far.get(), "answer", 6, 0), 6);
  EXPECT_EQ(pump(), Relay::Outcome::idle);
  EXPECT_EQ(take(client_.far), "answer");
  shutdown(server_.far.get(), SHUT_WR);
  EXPECT_EQ(pump(), Relay::Outcome::ended);
}

TEST_F(RelayTest, AHalfCloseWaitsForTheBytesInFrontOfIt) {
  const std::string block(1U << 16U, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 400; ++i) {  // until the server's side is full
    const ssize_t n = send(client_.far.get(), block.data(), block.size(), 0);
    if (n > 0) sent += static_cast<std::size_t>(n);
    ASSERT_NE(pump(), Relay::Outcome::reset);
  }
  ASSERT_TRUE(relay_.pending());
  shutdown(client_.far.get(), SHUT_WR);
  std::size_t got = 0;
  for (;;) {
    ASSERT_NE(pump(), Relay::Outcome::reset);
    std::string part(block.size(), '\0');
    const ssize_t n = recv(server_.far.get(), part.data(), part.size(), 0);
    if (n == 0) break;
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  EXPECT_EQ(got, sent);
}

TEST_F(RelayTest, AResetIsToldFromAnEnd) {
  reset_on_close(client_.far.get());
  client_.far.reset();
  EXPECT_EQ(pump(), Relay::Outcome::reset);
}

TEST_F(RelayTest, TheBudgetBoundsOnePass) {
  const std::string block(100'000, 'x');
  std::size_t sent = 0;
  while (sent < block.size()) {
    const ssize_t n = send(client_.far.get(), block.data() + sent, block.size() - sent, 0);
    ASSERT_GT(n, 0);
    sent += static_cast<std::size_t>(n);
  }
  EXPECT_EQ(pump(40'000), Relay::Outcome::more);
  EXPECT_LE(relay_.moved(Relay::client), 40'000U);
  EXPECT_EQ(pump(), Relay::Outcome::idle);
  EXPECT_EQ(relay_.moved(Relay::client), block.size());
}

}  // namespace
}  // namespace nightlatch
