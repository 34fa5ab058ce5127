// The event loop and its handles: the only header, with net/stream.h, that knows libuv.
// Everything here belongs to the thread that runs the loop, but Wakeup::wake(), which any thread may call.
// A handle is a plain member of its owner: destroying it closes it (libuv frees the memory a turn later), and
// its callback is never called afterwards. The owner may be destroyed from inside its own callback. After
// every handle is gone, Loop's destructor runs the loop until uv_loop_close() succeeds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/time.h"

struct uv_loop_s;
struct uv_handle_s;

namespace nightlatch {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  void run();   // until stop(), or until no handle is active
  void stop();  // from a callback
  [[nodiscard]] uv_loop_s* raw() { return loop_.get(); }
  [[nodiscard]] int
  close_now();  // for tests: what uv_loop_close() says once all closing handles are done (0 = clean)

 private:
  std::unique_ptr<uv_loop_s> loop_;
  bool closed_ = false;
};

struct CloseHandle {
  void operator()(uv_handle_s* h) const;
};
using Handle = std::unique_ptr<uv_handle_s, CloseHandle>;

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> fire);
  void once(Millis after);
  void every(Millis period);
  void cancel();

 private:
  std::shared_ptr<std::function<void()>> fire_;
  Handle handle_;
};

class Wakeup {  // uv_async: wake() from any thread runs the callback on the loop, once or more
 public:
  Wakeup(Loop& loop, std::function<void()> woken);
  void wake() const;

 private:
  std::shared_ptr<std::function<void()>> woken_;
  Handle handle_;
};

class ReadWatch {  // calls back while `fd` is readable (level-triggered). Does not own fd; destroy before
                   // closing it.
 public:
  ReadWatch(Loop& loop, int fd, std::function<void()> readable);
  void want(bool readable, bool writable);  // call back for these from now on; at least one

 private:
  std::shared_ptr<std::function<void()>> readable_;
  Handle handle_;
};

class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal, std::function<void()> raised);

 private:
  std::shared_ptr<std::function<void()>> raised_;
  Handle handle_;
};

// Runs `work` on libuv's thread pool and then `done` on the loop. `done` is skipped when the returned ticket
// is gone.
class Ticket {
 public:
  Ticket() = default;
  explicit Ticket(std::shared_ptr<bool> alive) : alive_(std::move(alive)) {}
  Ticket(Ticket&&) noexcept = default;
  Ticket& operator=(Ticket&& other) noexcept {
    cancel();
    alive_ = std::move(other.alive_);
    return *this;
  }
  ~Ticket() { cancel(); }

 private:
  void cancel() {
    if (alive_) *alive_ = false;
  }
  std::shared_ptr<bool> alive_;
};
[[nodiscard]] Ticket run_in_pool(Loop& loop, std::function<void()> work, std::function<void()> done);

}  // namespace nightlatch
