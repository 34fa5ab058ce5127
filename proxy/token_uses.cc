#include "proxy/token_uses.h"

#include <algorithm>
#include <utility>

namespace nightlatch {

void TokenUses::note(TokenId token, WallTime at) {
  const std::lock_guard lock(mutex_);
  WallTime& last = noted_[token];
  last = std::max(last, at);
}

std::vector<TokenUse> TokenUses::take() {
  std::map<TokenId, WallTime> noted;
  {
    const std::lock_guard lock(mutex_);
    noted.swap(noted_);
  }
  std::vector<TokenUse> uses;
  uses.reserve(noted.size());
  for (const auto& [token, at] : noted) uses.push_back({token, at});
  return uses;
}

void TokenUses::put_back(const std::vector<TokenUse>& uses) {
  for (const TokenUse& use : uses) note(use.token, use.at);
}

}  // namespace nightlatch
