#include "net/loop.h"

#include <uv.h>

#include <cstdio>
#include <cstdlib>

namespace nightlatch {

namespace {
void check(int status, const char* what) {
  if (status == 0) return;
  std::fprintf(stderr, "nightlatch: %s: %s\n", what, uv_strerror(status));
  std::abort();  // only out of memory or descriptors at start
}

// A callback lives in a shared_ptr so that its owner may be destroyed while it runs.
using Callback = std::shared_ptr<std::function<void()>>;

void call(void* data) {
  if (data == nullptr) return;
  const Callback keep = *static_cast<Callback*>(data);
  (*keep)();
}

// libuv's handles cannot be freed before their close callback: the box is freed there, with the callback in
// it.
template <typename T>
struct Box {
  T handle{};
  Callback callback;
};

template <typename T>
Handle adopt(std::unique_ptr<Box<T>> box) {
  auto* raw = box.release();
  raw->handle.data = &raw->callback;
  return Handle(reinterpret_cast<uv_handle_t*>(&raw->handle));  // NOLINT: libuv's own way to upcast
}

template <typename T>
void free_box(uv_handle_t* h) {
  delete reinterpret_cast<Box<T>*>(h);  // NOLINT: handle is the first member
}

template <typename T>
T* as(const Handle& h) {
  return reinterpret_cast<T*>(h.get());  // NOLINT
}
}  // namespace

void CloseHandle::operator()(uv_handle_s* h) const {
  h->data = nullptr;
  switch (h->type) {
    case UV_TIMER:
      uv_close(h, free_box<uv_timer_t>);
      break;
    case UV_ASYNC:
      uv_close(h, free_box<uv_async_t>);
      break;
    case UV_POLL:
      uv_close(h, free_box<uv_poll_t>);
      break;
    case UV_SIGNAL:
      uv_close(h, free_box<uv_signal_t>);
      break;
    default:
      std::abort();
  }
}

Loop::Loop() : loop_(std::make_unique<uv_loop_t>()) { check(uv_loop_init(loop_.get()), "event loop"); }

Loop::~Loop() {
  if (close_now() != 0) std::fprintf(stderr, "nightlatch: a handle outlived its event loop\n");
  if (!closed_) loop_.release();  // NOLINT: leaked on purpose; freeing a live loop would corrupt memory
}

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }
void Loop::stop() { uv_stop(loop_.get()); }

int Loop::close_now() {
  if (closed_) return 0;
  int status = 0;
  // Closing handles finish within a turn or two; a pool request that is under way, when it is done.
  for (int turn = 0; turn < 10000; ++turn) {
    status = uv_loop_close(loop_.get());
    if (status != UV_EBUSY) break;
    const int more = uv_run(loop_.get(), UV_RUN_NOWAIT);
    if (more == 0) {
      status = uv_loop_close(loop_.get());
      break;
    }
    if (turn > 4) uv_sleep(1);
  }
  closed_ = status == 0;
  return status;
}

Timer::Timer(Loop& loop, std::function<void()> fire)
    : fire_(std::make_shared<std::function<void()>>(std::move(fire))) {
  auto box = std::make_unique<Box<uv_timer_t>>();
  box->callback = fire_;
  check(uv_timer_init(loop.raw(), &box->handle), "timer");
  handle_ = adopt(std::move(box));
}
void Timer::once(Millis after) {
  uv_update_time(as<uv_timer_t>(handle_)->loop);
  uv_timer_start(
      as<uv_timer_t>(handle_), [](uv_timer_t* t) { call(t->data); },
      static_cast<std::uint64_t>(after.count() < 0 ? 0 : after.count()), 0);
}
void Timer::every(Millis period) {
  const auto p = static_cast<std::uint64_t>(period.count());
  uv_timer_start(as<uv_timer_t>(handle_), [](uv_timer_t* t) { call(t->data); }, p, p);
}
void Timer::cancel() { uv_timer_stop(as<uv_timer_t>(handle_)); }

Wakeup::Wakeup(Loop& loop, std::function<void()> woken)
    : woken_(std::make_shared<std::function<void()>>(std::move(woken))) {
  auto box = std::make_unique<Box<uv_async_t>>();
  box->callback = woken_;
  check(uv_async_init(loop.raw(), &box->handle, [](uv_async_t* a) { call(a->data); }), "async");
  handle_ = adopt(std::move(box));
}
void Wakeup::wake() const { uv_async_send(as<uv_async_t>(handle_)); }

ReadWatch::ReadWatch(Loop& loop, int fd, std::function<void()> readable)
    : readable_(std::make_shared<std::function<void()>>(std::move(readable))) {
  auto box = std::make_unique<Box<uv_poll_t>>();
  box->callback = readable_;
  check(uv_poll_init(loop.raw(), &box->handle, fd), "poll");
  uv_poll_start(&box->handle, UV_READABLE, [](uv_poll_t* p, int, int) { call(p->data); });
  handle_ = adopt(std::move(box));
}

void ReadWatch::want(bool readable, bool writable) {
  const int events = (readable ? int{UV_READABLE} : 0) | (writable ? int{UV_WRITABLE} : 0);
  uv_poll_start(as<uv_poll_t>(handle_), events, [](uv_poll_t* p, int, int) { call(p->data); });
}

SignalWatch::SignalWatch(Loop& loop, int signal, std::function<void()> raised)
    : raised_(std::make_shared<std::function<void()>>(std::move(raised))) {
  auto box = std::make_unique<Box<uv_signal_t>>();
  box->callback = raised_;
  check(uv_signal_init(loop.raw(), &box->handle), "signal");
  uv_signal_start(&box->handle, [](uv_signal_t* s, int) { call(s->data); }, signal);
  handle_ = adopt(std::move(box));
}

namespace {
struct PoolJob {
  uv_work_t request{};
  std::function<void()> work, done;
  std::shared_ptr<bool> alive;
};
}  // namespace

Ticket run_in_pool(Loop& loop, std::function<void()> work, std::function<void()> done) {
  auto job = std::make_unique<PoolJob>();
  job->work = std::move(work);
  job->done = std::move(done);
  job->alive = std::make_shared<bool>(true);
  job->request.data = job.get();
  Ticket ticket(job->alive);
  check(uv_queue_work(
            loop.raw(), &job->request, [](uv_work_t* r) { static_cast<PoolJob*>(r->data)->work(); },
            [](uv_work_t* r, int) {
              const std::unique_ptr<PoolJob> finished(static_cast<PoolJob*>(r->data));
              if (*finished->alive) finished->done();
            }),
        "thread pool");
  job.release();  // NOLINT: owned by libuv until the callback above
  return ticket;
}

}  // namespace nightlatch
