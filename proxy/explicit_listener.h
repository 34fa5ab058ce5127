// ExplicitListener: a worker's sockets for one of the explicit proxies, SOCKS or HTTP, as a setting says:
// nowhere, on the LAN, or at given addresses. Follows the setting and the interfaces' addresses. Worker's
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "proxy/flow_host.h"
#include "proxy/reception.h"

namespace nightlatch {

class ExplicitListener {
 public:
  using Make = std::function<std::unique_ptr<Reception>(std::string id, Accepted accepted)>;
  ExplicitListener(FlowHost& host, std::string name, std::uint16_t port, Make make)
      : host_(host), name_(std::move(name)), port_(port), make_(std::move(make)) {}
  ~ExplicitListener() { close(); }
  ExplicitListener(const ExplicitListener&) = delete;
  ExplicitListener& operator=(const ExplicitListener&) = delete;

  // `where`: "" is nowhere, "lan" the addresses of the LAN's interfaces, else ADDRESS:PORT, ... Called again
  // when anything may have changed; what stands and is still wanted is left alone. Says what it does when
  // `loud`.
  void follow(const std::string& where, const std::vector<std::string>& lan, bool loud);
  void close();
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }

 private:
  struct Door final : Ready {
    ExplicitListener* listener = nullptr;
    Endpoint at;
    Fd fd;
    void on_ready(bool /*readable*/, bool /*writable*/) override { listener->accept_some(fd.get()); }
  };
  void accept_some(int fd);
  void pause();
  void shut(Door& door);

  FlowHost& host_;
  std::string name_;
  std::uint16_t port_;
  Make make_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<Endpoint> complained_;
  std::uint64_t accepted_ = 0;
  bool paused_ = false;
};

}  // namespace nightlatch
