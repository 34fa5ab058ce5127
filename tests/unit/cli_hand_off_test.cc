// `nightlatch login` while it waits for somebody elsewhere, against a portal on loopback that answers as each
// test says: what it prints for programs, how it ends, and how often it asks. With the real portal:
// tests/lab/test_login.py.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "certificate_maker.h"
#include "cli_testing.h"
#include "loopback.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace nightlatch::cli {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

struct Said {
  int status = 200;
  Json body;
};

class CliHandOff : public CliTest {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread as yet
    write_certificate(folder_ + "/c.pem", folder_ + "/k.pem", "IP:127.0.0.1");
    std::atomic<bool> up{false};
    thread_ = std::thread([&] {
      Loop loop;
      {
        HttpServer server(loop, HttpServerLimits{});
        auto tls = TlsContext::load(folder_ + "/c.pem", folder_ + "/k.pem");
        ASSERT_TRUE(tls.ok());
        auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
        url_ = "https://127.0.0.1:" + std::to_string(port_of(fd->get()));
        server.serve(std::move(*fd), *tls, [this](const HttpRequest& request, const HttpResponder& to) {
          to.respond(response(answer_to(request)));
        });
        Wakeup stop(loop, [&] { loop.stop(); });
        stop_ = [&] { stop.wake(); };
        up = true;
        loop.run();
      }
      EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    });
    while (!up) std::this_thread::yield();
  }
  void TearDown() override {
    stop_();
    thread_.join();
    unsetenv("XDG_CONFIG_HOME");  // NOLINT(concurrency-mt-unsafe)
  }

  Ran login() { return run({"login", url_, "--ca", folder_ + "/c.pem", "--json"}); }
  // What it printed, a line for each object.
  static std::vector<Json> objects(const Ran& ran) {
    std::vector<Json> all;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line));
    return all;
  }
  static Said refused(const char* error, const char* message) {
    return {400, {{"error", error}, {"message", message}}};
  }
  // Between the poll `at` and the one after it. The program's timers count whole milliseconds.
  [[nodiscard]] std::chrono::milliseconds gap(std::size_t at) const {
    return std::chrono::ceil<std::chrono::milliseconds>(polled_.at(at + 1) - polled_.at(at)) +
           std::chrono::milliseconds(1);
  }

  // Set before login(), read after it: the program's requests are one after another.
  Said start_{200,
              {{"device_code", "the-machines-own"},
               {"user_code", "7K4T-9Q2M"},
               {"verification_uri", "https://gate.test/login"},
               {"verification_uri_complete", "https://gate.test/l/7K4T9Q2M"},
               {"expires_in", 600},
               {"interval", 1}}};
  std::vector<Said> polls_;  // the last one again and again
  std::vector<std::chrono::steady_clock::time_point> polled_;
  std::vector<std::string> asked_;  // "/login/start client=nightlatch"

  const Said pending_{400, {{"error", "authorization_pending"}}};
  const Said signed_in_{200, {{"signed_in", true}, {"user", "alice"}, {"verdict", "allow"}}};

 private:
  Said answer_to(const HttpRequest& request) {
    asked_.push_back(request.path + " " + request.body);
    if (request.path == "/login/start") return start_;
    if (request.path != "/login/poll" || polls_.empty()) return {404, Json::object()};
    polled_.push_back(std::chrono::steady_clock::now());
    return polls_[std::min(polled_.size(), polls_.size()) - 1];
  }
  static HttpResponse response(const Said& said) {
    HttpResponse out;
    out.status = said.status;
    out.headers = {{"Content-Type", "application/json"}};
    out.body = said.body.dump();
    return out;
  }
  std::string url_;
  std::thread thread_;
  std::function<void()> stop_;
};

TEST_F(CliHandOff, ProgramsGetTheCodeFirstAndTheEndOnALineOfItsOwn) {
  polls_ = {signed_in_};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 0) << ran.err;
  const auto told = objects(ran);
  ASSERT_EQ(told.size(), 2U) << ran.out;
  EXPECT_EQ(told[0], Json({{"user_code", "7K4T-9Q2M"},
                           {"verification_uri", "https://gate.test/login"},
                           {"verification_uri_complete", "https://gate.test/l/7K4T9Q2M"},
                           {"expires_in", 600}}))
      << "and not the machine's own code";
  EXPECT_EQ(told[1], signed_in_.body);
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(asked_, (std::vector<std::string>{"/login/start client=nightlatch",
                                              "/login/poll client=nightlatch&device_code=the-machines-own"}));
}

TEST_F(CliHandOff, SignedInButNotLetThroughIsFour) {
  polls_ = {{200, {{"signed_in", true}, {"verdict", "step_up"}, {"reason", "no_second_factor"}}}};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(objects(ran).back(), polls_[0].body);
}

TEST_F(CliHandOff, ARefusalIsFourAndAnObjectThatSaysSo) {
  polls_ = {refused("access_denied", "alice refused it.")};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 4);
  ASSERT_EQ(objects(ran).size(), 2U) << ran.out;
  EXPECT_EQ(objects(ran)[1],
            Json({{"signed_in", false}, {"error", "access_denied"}, {"message", "alice refused it."}}));
  EXPECT_EQ(ran.err, "");
}

TEST_F(CliHandOff, ACodeThatExpiredAtThePortalIsOne) {
  polls_ = {pending_, refused("expired_token", "The code has expired.")};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(objects(ran).size(), 1U) << "nobody answered: no end, and no signed_in\n" << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("The code has expired."));
  EXPECT_EQ(polled_.size(), 2U);
}

TEST_F(CliHandOff, ItStopsByItsOwnClockToo) {
  start_.body["expires_in"] = 3;
  polls_ = {pending_};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(objects(ran).size(), 1U) << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("nobody confirmed it in time"));
  EXPECT_THAT(ran.err, HasSubstr("nightlatch login"));
  EXPECT_GE(polled_.size(), 1U);
  EXPECT_LE(polled_.size(), 3U);
}

TEST_F(CliHandOff, WhoIsToldToSlowDownStaysSlow) {
  polls_ = {refused("slow_down", "Too often."), pending_, signed_in_};
  polls_[0].body["interval"] = 2;
  const Ran ran = login();
  EXPECT_EQ(ran.status, 0) << ran.err;
  ASSERT_EQ(polled_.size(), 3U);
  EXPECT_GE(gap(0), std::chrono::seconds(2));
  EXPECT_GE(gap(1), std::chrono::seconds(2)) << "from then on";
  EXPECT_EQ(objects(ran).size(), 2U) << "and says nothing of it\n" << ran.out;
  EXPECT_EQ(ran.err, "");
}

// RFC 8628 section 3.5.
TEST_F(CliHandOff, SlowDownAloneIsFiveSecondsMore) {
  polls_ = {refused("slow_down", ""), signed_in_};
  EXPECT_EQ(login().status, 0);
  ASSERT_EQ(polled_.size(), 2U);
  EXPECT_GE(gap(0), std::chrono::seconds(6));
}

TEST_F(CliHandOff, APortalThatIsBusyIsAskedAgain) {
  polls_ = {{503, {{"message", "busy"}}}, {503, {{"message", "busy"}}}, signed_in_};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(objects(ran).size(), 2U) << ran.out;
  const std::string told = "The portal does not answer";
  EXPECT_THAT(ran.err, HasSubstr(told));
  EXPECT_EQ(ran.err.find(told), ran.err.rfind(told)) << "said once";
}

TEST_F(CliHandOff, AnAnswerThatIsNoneEndsIt) {
  polls_ = {{200, {{"signed_in", "yes"}}}};
  const Ran ran = login();
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(objects(ran).size(), 1U) << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("the portal gave no answer that is one"));
}

TEST_F(CliHandOff, APortalThatStartsNoneIsToldApartFromOneThatRefuses) {
  start_ = refused("slow_down", "Five wait already.");
  start_.status = 429;
  Ran ran = login();
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("Five wait already."));
  start_ = refused("access_denied", "This device may not be signed in.");
  start_.status = 403;
  ran = login();
  EXPECT_EQ(ran.status, 4);
  ASSERT_EQ(objects(ran).size(), 1U) << ran.out;
  EXPECT_EQ(objects(ran)[0]["signed_in"], false);
  EXPECT_EQ(polled_.size(), 0U);
}

}  // namespace
}  // namespace nightlatch::cli
