// Lifeline: the thread between `serve` and the process that it started. The child says `ready` on it; when
// `serve` dies, however suddenly, the child sees the end of the stream and leaves, so that a new `serve`
// finds ports free. Without a supervisor (`serve --role gate`) `ready` goes to stderr and nothing is watched.
// Loop's thread only.
#pragma once

#include <functional>
#include <memory>

#include "base/fd.h"
#include "net/loop.h"

namespace nightlatch {

inline constexpr const char* kLifelineVariable = "NIGHTLATCH_LIFELINE";  // holds the descriptor's number

class Lifeline {
 public:
  Lifeline(Loop& loop, std::function<void()> supervisor_gone);
  void ready();  // says so once

 private:
  Fd fd_;
  std::unique_ptr<ReadWatch> watch_;
  bool said_ = false;
};

}  // namespace nightlatch
