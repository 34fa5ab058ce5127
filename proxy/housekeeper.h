// Housekeeper: what has to happen now and then while the gate runs, off its loop: the store's clock goes on,
// so that a clock set back shows even after a restart (semantics 11), the audit log forgets what is older
// than `audit.keep`, and it is written down when tokens were used. The loop's thread; the work itself is done
// on libuv's pool.
#pragma once

#include <string>

#include "net/loop.h"
#include "proxy/token_uses.h"

namespace nightlatch {

class Housekeeper {
 public:
  Housekeeper(Loop& loop, std::string store_path, TokenUses& uses);

 private:
  void round();
  Loop& loop_;
  std::string path_;
  TokenUses& uses_;
  unsigned rounds_ = 0;
  bool busy_ = false;
  Ticket ticket_;
  Timer timer_;
};

}  // namespace nightlatch
