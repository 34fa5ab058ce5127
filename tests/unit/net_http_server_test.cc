// The server over real sockets: keep-alive, answers that come later, deadlines, limits, and clients that
// leave.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "http_client.h"
#include "loopback.h"
#include "net/http_server.h"
#include "net/stream.h"

namespace nightlatch {
namespace {

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerLimits limits = {}) {
    std::atomic<bool> up{false};
    thread_ = std::thread([&, limits] {
      Loop loop;
      {
        HttpServer server(loop, limits);
        if (holder_of_) server.count_by(holder_of_);
        std::vector<std::unique_ptr<Timer>> timers;
        auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
        port_ = port_of(fd->get());
        server.serve(
            std::move(*fd), nullptr, [&](const HttpRequest& request, const HttpResponder& responder) {
              ++handled_;
              HttpResponse response;
              response.body = request.method + " " + request.path + " " + request.body;
              if (request.path == "/drop") return;  // never answers
              if (request.path == "/big") response.body.assign(8 << 20, 'x');
              if (request.path == "/begin") {
                HttpResponse first = response;
                first.headers = {{"X-Head", "the first one's"}};
                responder.begin(first);
                response.body = " and the end";
              }
              if (request.path == "/later" || request.path == "/begin") {
                timers.push_back(
                    std::make_unique<Timer>(loop, [response, responder] { responder.respond(response); }));
                timers.back()->once(Millis(100));
                return;
              }
              responder.respond(response);
            });
        Wakeup stop(loop, [&] { loop.stop(); });
        Wakeup drain(loop, [&] { server.drain([&] { loop.stop(); }); });
        Timer count(loop, [&] { connections_ = server.connections(); });
        count.every(Millis(5));
        const auto wake = [this](const Wakeup& what) {
          const std::lock_guard lock(waking_);
          if (!stopped_) what.wake();
        };
        stop_ = [&, wake] { wake(stop); };
        drain_ = [&, wake] { wake(drain); };
        up = true;
        loop.run();
        const std::lock_guard lock(waking_);  // whoever wakes it has done so
        stopped_ = true;
      }
      EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    });
    while (!up) std::this_thread::yield();
  }
  void TearDown() override {
    stop_();
    thread_.join();
  }
  void until(const std::function<bool()>& condition) const {
    const auto end = BootClock::now() + Millis(10'000);
    while (!condition()) {
      ASSERT_LT(BootClock::now(), end);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::uint16_t port_ = 0;
  std::atomic<int> handled_{0};
  std::atomic<std::size_t> connections_{0};
  std::mutex waking_;
  std::atomic<bool> stopped_{false};
  std::function<void()> stop_, drain_;

  std::function<std::string(const IpAddress&)> holder_of_;

 private:
  std::thread thread_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(HttpServerTest, AnAnswerMayBeginAndEndLater) {
  start();
  Wire wire(port_);
  // A second request on the connection is not read: the end of the connection is the end of the answer.
  wire.send("GET /begin HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n");
  const Reply reply = wire.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("x-head"), "the first one's");
  EXPECT_EQ(reply.header("content-length"), "");
  EXPECT_EQ(reply.header("connection"), "close");
  std::string body;
  char buffer[256];
  for (ssize_t n = 1; n > 0;) {
    n = recv(wire.fd(), buffer, sizeof buffer, 0);
    if (n > 0) body.append(buffer, static_cast<std::size_t>(n));
  }
  EXPECT_TRUE(body.ends_with(" and the end")) << body;
  EXPECT_EQ(handled_, 1);
  Wire head(port_);
  head.send("HEAD /begin HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head.read(true).header("content-length"), "12") << "there is nothing to watch";
}

TEST_F(HttpServerTest, AClientThatLeavesAnAnswerThatBeganIsGone) {
  start();
  {
    Wire wire(port_);
    wire.send("GET /begin HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(wire.more());
  }
  for (int i = 0; i < 500 && connections_ != 0; ++i) usleep(5000);
  EXPECT_EQ(connections_, 0U);
}

TEST_F(HttpServerTest, KeepsAConnectionAndAnswersInOrder) {
  start();
  Wire wire(port_);
  wire.send(
      "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\nHEAD /c HTTP/1.1\r\nHost: "
      "h\r\n\r\n");
  EXPECT_EQ(wire.read().body, "GET /later ");
  EXPECT_EQ(wire.read().body, "GET /b ");
  EXPECT_EQ(wire.read(true).header("content-length"), "8");
  wire.send(
      "POST /d HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_EQ(wire.read().status, 100);
  wire.send("hi");
  const Reply last = wire.read();
  EXPECT_EQ(last.body, "POST /d hi");
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(wire.at_end());
}

TEST_F(HttpServerTest, AClientThatEndedItsSideStillGetsItsAnswer) {
  start();
  for (const char* path : {"/later", "/a"}) {
    Wire wire(port_);
    wire.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    wire.end();
    EXPECT_EQ(wire.read().status, 200) << path;
    EXPECT_TRUE(wire.at_end());
  }
}

TEST_F(HttpServerTest, AnAnswerThatNeverComesIs500) {
  start();
  Wire wire(port_);
  wire.send("GET /drop HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(wire.read().status, 500);
}

TEST_F(HttpServerTest, AClientThatLeftIsNoTrouble) {
  start();
  for (int i = 0; i < 20; ++i) {
    Wire wire(port_);
    wire.send(i % 2 == 0 ? "GET /later HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    const linger reset{1, 0};
    if (i % 3 == 0) setsockopt(wire.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  until([&] { return handled_ == 20 && connections_ == 0; });
  Wire wire(port_);
  wire.send(kGet);
  EXPECT_EQ(wire.read().status, 200);
}

TEST_F(HttpServerTest, RefusesCleanlyAndIsReadToTheEnd) {
  start();
  Wire wire(port_);
  wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'a'));
  EXPECT_EQ(wire.read().status, 413) << "not lost to a reset";
  EXPECT_TRUE(wire.at_end());
  Wire header(port_);
  header.send("GET / HTTP/1.1\r\nX: " + std::string(200'000, 'a'));
  EXPECT_EQ(header.read().status, 431);
  Wire none(port_);
  none.send("\x16\x03\x01hello\r\n\r\n");
  EXPECT_EQ(none.read().status, 400);
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, HalfRequestsAreGivenUp) {
  start({.head = Millis(300),
         .body = Millis(300),
         .idle = Millis(300),
         .write = Millis(300),
         .linger = Millis(300)});
  Wire silent(port_);
  Wire half(port_);
  Wire body(port_);
  Wire slow(port_);
  half.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  // A byte now and then does not renew the deadline.
  slow.send("GET / HTTP/1.1\r\nHost: h\r\nX: ");
  std::thread drip([&] {
    for (int i = 0; i < 40; ++i) {
      slow.send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  const auto began = BootClock::now();
  EXPECT_EQ(slow.read().status, 408);
  EXPECT_LT(BootClock::now() - began, Millis(1500));
  drip.join();
  EXPECT_TRUE(silent.at_end());
  EXPECT_EQ(half.read().status, 408);
  EXPECT_EQ(body.read().status, 408);
  Wire unread(port_);
  unread.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");  // never reads its 8 MB
  until([&] { return handled_ == 1 && connections_ == 0; });
  Wire idle(port_);
  idle.send(kGet);
  EXPECT_EQ(idle.read().status, 200);
  EXPECT_TRUE(idle.at_end()) << "and idle ones go";
}

TEST_F(HttpServerTest, PlacesAreLimitedAndIdleOnesGiveWay) {
  start({.connections = 4, .per_holder = 2});
  Wire first(port_, "127.0.0.2");
  first.send(kGet);
  EXPECT_EQ(first.read().status, 200);
  Wire busy(port_, "127.0.0.2");
  busy.send("GET / HTTP/1.1\r\nHo");
  until([&] { return connections_ == 2; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Wire third(port_, "127.0.0.2");
  third.send(kGet);
  EXPECT_EQ(third.read().status, 200);
  EXPECT_TRUE(first.at_end()) << "it waited for nothing";
  third.send("GET / HTTP/1.1\r\nHo");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Wire fourth(port_, "127.0.0.2");
  fourth.send(kGet);
  EXPECT_EQ(fourth.read().status, 0) << "all places of this address are in use";
  Wire other(port_, "127.0.0.3");
  other.send(kGet);
  EXPECT_EQ(other.read().status, 200) << "and other addresses have theirs";
}

TEST_F(HttpServerTest, WhoeverHoldsMostGivesWayBusyOrNot) {
  start({.connections = 6, .per_holder = 4});
  std::vector<std::unique_ptr<Wire>> busy;
  const auto hold = [&](const char* from) {
    busy.push_back(std::make_unique<Wire>(port_, from));
    busy.back()->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
  };
  for (int i = 0; i < 4; ++i) hold("127.0.0.2");
  for (int i = 0; i < 2; ++i) hold("127.0.0.3");
  until([&] { return connections_ == 6; });
  Wire more(port_, "127.0.0.2");
  more.send(kGet);
  EXPECT_EQ(more.read().status, 0) << "who holds most gets no more";
  for (const char* from : {"127.0.0.4", "127.0.0.5"}) {
    Wire other(port_, from);
    other.send(kGet);
    EXPECT_EQ(other.read().status, 200) << from;
    hold(from);
  }
  EXPECT_LE(connections_, 6);
  // What 127.0.0.3 has begun it may end.
  for (std::size_t i = 4; i < 6; ++i) {
    busy[i]->send("name=abcd");
    EXPECT_EQ(busy[i]->read().status, 200);
  }
}

TEST_F(HttpServerTest, ConnectionsCountByWhatTheOwnerSays) {
  holder_of_ = [](const IpAddress&) { return std::string("one machine"); };
  start({.connections = 4, .per_holder = 2});
  Wire first(port_, "127.0.0.2"), second(port_, "127.0.0.3");
  for (Wire* wire : {&first, &second}) wire->send("GET / HTTP/1.1\r\nHo");
  until([&] { return connections_ == 2; });
  Wire third(port_, "127.0.0.4");
  third.send(kGet);
  EXPECT_EQ(third.read().status, 0) << "as many addresses as it likes";
}

TEST_F(HttpServerTest, DrainsWhatIsUnderWay) {
  start();
  Wire idle(port_);
  idle.send(kGet);
  EXPECT_EQ(idle.read().status, 200);
  Wire busy(port_);
  busy.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  until([&] { return handled_ == 2; });
  drain_();
  EXPECT_TRUE(idle.at_end());
  const Reply reply = busy.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_TRUE(busy.at_end());
  busy.end();
  until([&] { return stopped_.load(); });
}

}  // namespace
}  // namespace nightlatch
