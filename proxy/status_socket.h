// StatusSocket: answers `nightlatch status` over a UNIX socket beside the store: connect, read one line of
// JSON. The loop's thread. Grants nothing: it only reads counters.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "net/loop.h"

namespace nightlatch {

[[nodiscard]] std::string status_socket_path(
    const std::string& store_path);  // <folder of the store>/gate.sock

class StatusSocket {
 public:
  static Result<std::unique_ptr<StatusSocket>> open(Loop& loop, const std::string& path,
                                                    std::function<std::string()> answer);
  ~StatusSocket();

 private:
  StatusSocket() = default;
  void accept_all();
  std::string path_;
  Fd fd_;
  std::function<std::string()> answer_;
  std::unique_ptr<ReadWatch> watch_;
};

}  // namespace nightlatch
