// SocketStream: bytes in and out of a connected, non-blocking socket, on the loop; and the socket that
// listens. A stream owns its descriptor and its poll handle and dies by plain RAII. Its events are called
// from the loop only, never from inside write() or finish(); the owner must outlive the event that it handles
// (HttpServer buries late). Everything belongs to the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "net/loop.h"

namespace nightlatch {

// A listening TCP socket, close-on-exec and non-blocking. IPv6 ones take IPv6 only, so that both families can
// stand on one port. An address that is not up yet is allowed (IP_FREEBIND): interfaces come and go.
[[nodiscard]] Result<Fd> listen_tcp(const Endpoint& at);

class SocketStream {
 public:
  struct Events {
    std::function<void(std::string_view)> data;
    std::function<void()> ended;    // the peer will send nothing more
    std::function<void()> failed;   // reset or broken: nothing goes in or out any more
    std::function<void()> drained;  // everything written so far is with the kernel
  };
  SocketStream(Loop& loop, Fd fd, Events events);

  void write(std::string_view bytes);
  void finish();  // ends our direction once everything written has left
  void read(bool wanted);
  [[nodiscard]] std::size_t queued() const { return out_.size() - sent_; }

 private:
  struct ClosePoll {
    void operator()(uv_handle_s* handle) const;
  };
  void ready(int status, bool readable, bool writable);
  void read_some();
  void flush();
  void arm();

  Fd fd_;
  Events events_;
  std::string out_;
  std::size_t sent_ = 0;
  bool reading_ = true, ended_ = false, finishing_ = false, finished_ = false, broken_ = false, over_ = false;
  // Last, so that it is closed before the descriptor is.
  std::unique_ptr<uv_handle_s, ClosePoll> poll_;
};

}  // namespace nightlatch
