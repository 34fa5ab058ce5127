// Resolver: host names to addresses by the gate's own resolver (/etc/resolv.conf, /etc/hosts), without
// waiting. The only file that knows c-ares. Many questions at a time, bounded; each is answered once, unless
// it is cancelled, within some seconds. One for each loop, on its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/loop.h"

struct ares_channeldata;

namespace nightlatch {

class Resolver {
 public:
  // Never empty when ok; in the order of RFC 6724.
  using Answer = std::function<void(Result<std::vector<IpAddress>>)>;
  static constexpr std::size_t kMostQuestions = 1024;

  // `servers` are asked instead of the system's: "127.0.0.1:5353", several with commas between.
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> open(Loop& loop, const std::string& servers = {});
  ~Resolver();  // unanswered questions stay unanswered
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `answer` may be called before this returns (a name of /etc/hosts; too many questions). The ticket is for
  // cancel().
  std::uint64_t resolve(const std::string& name, Answer answer);
  void cancel(std::uint64_t ticket);

 private:
  explicit Resolver(Loop& loop);
  void on_socket(int fd, bool readable, bool writable);
  void process(int fd);
  void set_timer();

  struct Question;
  Loop& loop_;
  ares_channeldata* channel_ = nullptr;
  Timer timer_;
  std::unordered_map<int, std::unique_ptr<ReadWatch>> sockets_;
  std::unordered_map<std::uint64_t, Answer> waiting_;
  std::uint64_t next_ticket_ = 0;
};

}  // namespace nightlatch
