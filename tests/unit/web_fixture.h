// A portal's site on a real store and real loopback sockets, in a thread of its own. Two laptops stand at
// 127.0.0.2 and 127.0.0.3; their MACs are given by a function, as the neighbour table would. The wall clock
// can be moved.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "auth/password.h"
#include "http_client.h"
#include "loopback.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "store/access.h"
#include "store/people.h"
#include "store/sessions.h"
#include "store_fixture.h"
#include "web/site.h"

namespace nightlatch {

inline constexpr const char* kAlicePc = "127.0.0.2";
inline constexpr const char* kBobPc = "127.0.0.3";
inline constexpr const char* kFarAway = "127.0.0.9";  // off-link: no MAC
inline const std::string kPassword = "correct horse battery";

class SiteTest : public TemporaryStore {
 protected:
  void SetUp() override {
    TemporaryStore::SetUp();
    static const std::string hash = *hash_password(kPassword);  // made once: it is slow by intent
    for (const char* name : {"alice", "bob"}) ASSERT_TRUE(add_user(db(), name, hash, {"staff"}).ok());
    for (const char* name : {"payroll", "wiki"}) {
      ASSERT_TRUE(add_resource(db(), name, {Target{*Prefix::parse("10.88.0.2/32"), PortRange{80, 80}}}).ok());
      NewPolicy policy;
      policy.name = name;
      policy.resources = {name};
      policy.users = {"alice"};
      if (std::string_view(name) == "wiki") policy.groups = {"staff"};
      ASSERT_TRUE(add_policy(db(), policy).ok());
    }
  }
  void TearDown() override {
    stop();
    TemporaryStore::TearDown();
  }

  // Tests change settings first, then start.
  void start() {
    std::atomic<bool> up{false};
    thread_ = std::thread([&] {
      Loop loop;
      {
        auto reader = OfficeReader::open(path());
        ASSERT_TRUE(reader.ok());
        AuditWriter audit(path());
        StoreWriter writer(loop, path(), [this] { return now(); });
        SiteOptions options;
        options.url = portal_url;
        options.ca_pem = "-----BEGIN CERTIFICATE-----\n";
        options.now = [this] { return wall_now() + Millis(ahead_ms.load()); };
        options.mac_of = [](const IpAddress& a) -> std::optional<Mac> {
          if (a.text() == kAlicePc) return Mac::parse("02:00:00:00:0a:11");
          if (a.text() == kBobPc) return Mac::parse("02:00:00:00:0b:0b");
          return std::nullopt;
        };
        options.throttle = throttle;
        options.code_throttle = code_throttle;
        Site site(loop, std::move(options), **reader, writer, audit);
        HttpServer server(loop, HttpServerLimits{});
        port = serve(server, [&](HttpRequest r, const HttpResponder& to) { site.https(std::move(r), to); });
        plain_port = serve(server, [&](const HttpRequest& r, const HttpResponder& to) { site.http(r, to); });
        Wakeup stop(loop, [&] { loop.stop(); });
        stop_ = [&] { stop.wake(); };
        up = true;
        loop.run();
      }
      EXPECT_EQ(loop.close_now(), 0) << "a handle was left";
    });
    while (!up) std::this_thread::yield();
  }
  void stop() {
    if (!thread_.joinable()) return;
    stop_();
    thread_.join();
  }

  [[nodiscard]] BrowserStandIn browser(const char* from = kAlicePc) const { return {port, from}; }
  // The code of a hold that the laptop's flow to this resource opened.
  std::string hold(const char* mac = "02:00:00:00:0a:11", const char* resource = "payroll",
                   const char* url = "") {
    const auto office = load_office(db());
    if (!office) return {};
    for (const Resource& r : office->resources) {
      if (r.name == resource) return open_hold(db(), mac, r.id, url, now())->code;
    }
    return {};
  }
  [[nodiscard]] WallTime now() const { return wall_now() + Millis(ahead_ms.load()); }
  std::vector<AuditRow> log() {
    auto audit = open_audit(path(), Database::Access::read);
    return audit ? *read_audit(*audit, {}) : std::vector<AuditRow>();
  }
  std::size_t sign_ins() { return static_cast<std::size_t>(**db().integer("SELECT count(*) FROM sign_in")); }

  std::string portal_url = "https://gate.test";
  std::uint16_t port = 0, plain_port = 0;
  std::atomic<std::int64_t> ahead_ms{0};
  ThrottleLimits throttle;  // of the site that start() makes
  ThrottleLimits code_throttle = SiteOptions().code_throttle;

 private:
  static std::uint16_t serve(HttpServer& server, HttpHandler handler) {
    auto fd = listen_tcp({IpAddress::v4(0x7f000001), 0});
    const std::uint16_t at = port_of(fd->get());
    server.serve(std::move(*fd), nullptr, std::move(handler));
    return at;
  }
  std::thread thread_;
  std::function<void()> stop_;
};

}  // namespace nightlatch
