// TokenUses: when tokens were last used, on their way from the workers to the store. A worker notes a token
// at most once a minute and waits for no disk; the housekeeper writes what was noted. Owned by run_gate(),
// outlives the workers; any thread.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "store/tokens.h"

namespace nightlatch {

class TokenUses {
 public:
  void note(TokenId token, WallTime at);
  // What was noted since; with the latest time of each.
  [[nodiscard]] std::vector<TokenUse> take();
  void put_back(const std::vector<TokenUse>& uses);  // they could not be written

 private:
  std::mutex mutex_;
  std::map<TokenId, WallTime> noted_;
};

}  // namespace nightlatch
