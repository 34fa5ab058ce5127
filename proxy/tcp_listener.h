// TcpListener: a worker's transparent TCP listeners. It accepts, and makes the flows. When there is no room
// for one more (flows.max, descriptors) the client is reset at once rather than left hanging; said once a
// minute. Worker's thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "proxy/flow_host.h"

namespace nightlatch {

class TcpListener {
 public:
  explicit TcpListener(FlowHost& host) : host_(host) {}
  // Binds; IPv6 may be missing (then `v6_error` says why).
  [[nodiscard]] Status open(std::string* v6_error);
  void listen(bool on);
  void resume(BootTime now);  // after a pause, when it is over
  void close();
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t overloaded() const { return overloaded_; }

 private:
  struct Door final : Ready {
    TcpListener* listener = nullptr;
    Fd fd;
    void on_ready(bool /*readable*/, bool /*writable*/) override { listener->accept_some(fd.get()); }
  };
  void accept_some(int fd);
  void accept_past_the_limit(int fd);
  void pause();

  FlowHost& host_;
  Door door4_, door6_;
  Fd reserve_;  // a descriptor kept for refusing
  bool listening_ = false;
  BootTime resume_at_{}, complained_{};
  std::uint64_t accepted_ = 0, overloaded_ = 0;
};

}  // namespace nightlatch
