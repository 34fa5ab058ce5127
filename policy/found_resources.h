// FoundResources: the resources of one destination, for one decision. On the caller's stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nightlatch {

// The resources of one destination, found once. The few that are usual are kept here; a destination that lies
// in more is looked up again for each pass, so that nothing is allocated.
template <typename Look>
class FoundResources {
 public:
  explicit FoundResources(const Look& look) : look_(look) {
    look_([this](std::uint32_t r) {
      if (count_ < kept_.size()) kept_[count_] = r;
      ++count_;
    });
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }

  template <typename Visit>
  void each(const Visit& visit) const {
    if (count_ > kept_.size()) return look_(visit);
    for (std::size_t i = 0; i < count_; ++i) visit(kept_[i]);
  }

 private:
  const Look& look_;
  std::size_t count_ = 0;
  std::array<std::uint32_t, 16> kept_;  // NOLINT: only the first count_ are ever read
};

}  // namespace nightlatch
