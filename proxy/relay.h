// Relay: moves bytes both ways between two connected, non-blocking sockets, on edge-triggered readiness.
// Half-close each way, back-pressure (a direction that is blocked holds at most one scratch buffer's rest), a
// budget for each pass. It owns neither socket, takes no decision and knows no policy; one worker's thread.
// A relay that splices in the kernel can stand in its place: the flow sees only this interface.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace nightlatch {

class Relay {
 public:
  enum Side : std::uint8_t { client = 0, upstream = 1 };
  enum class Outcome : std::uint8_t {
    idle,   // everything that could be moved was: wait for the next event
    more,   // the budget is used up: call pump() again after the others had their turn
    ended,  // both directions have ended in good order
    reset,  // one side was reset: reset the other
  };

  void attach(int client_fd, int upstream_fd) { fds_ = {client_fd, upstream_fd}; }
  // Bytes to be written before anything else, as if `from` had sent them: before the first pump().
  void preload(Side from, std::string_view bytes);
  void readable(Side s) { ways_[s].readable = true; }
  void writable(Side s) { ways_[1 - s].writable = true; }
  // `scratch` is shared by all flows of a worker; nothing is kept in it between calls.
  [[nodiscard]] Outcome pump(std::span<char> scratch, std::size_t budget);

  [[nodiscard]] std::uint64_t moved(Side from) const { return ways_[from].bytes; }
  // Bytes that one side sent and the other has not taken yet.
  [[nodiscard]] bool pending() const { return ways_[0].rest_size > 0 || ways_[1].rest_size > 0; }

 private:
  struct Way {             // bytes read from side i, to be written to the other
    bool readable = true;  // until EAGAIN says otherwise
    bool writable = true;
    bool eof = false;              // the reader has said all
    bool shut = false;             // and the writer was told
    std::unique_ptr<char[]> rest;  // NOLINT: read but not yet written
    std::size_t rest_size = 0, rest_at = 0;
    std::uint64_t bytes = 0;
  };
  enum class Step : std::uint8_t { moved, blocked, finished, reset };
  Step step(Way& way, int from, int to, std::span<char> scratch, std::size_t& budget);
  Step write_rest(Way& way, int to);

  std::array<int, 2> fds_{-1, -1};
  std::array<Way, 2> ways_;
};

}  // namespace nightlatch
