// ReturnDesk: whose way back from an OpenID provider is looked into now. Each costs the provider requests, so
// only so many of one source are at a time, and a source of too many that came to nothing has to wait. In
// bounded room; forgetting it all grants nothing. Owned by the site; loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "auth/throttle.h"
#include "base/time.h"

namespace nightlatch {

class ReturnDesk {
 public:
  static constexpr std::size_t kMostAtOnce = 2;  // of one source

  explicit ReturnDesk(std::function<BootTime()> now = BootClock::now);

  struct Admission {
    std::shared_ptr<void> place;  // kept while it goes on, past the desk's own end if need be; none: not now
    Throttle::Decision decision;  // allowed without a place: there are others of this source
  };
  // `source` is a throttle_source() (web/site_work.h). Counts as a failure until it is good().
  [[nodiscard]] Admission admit(const std::string& source);
  // It was a person whom the provider knows, nothing that the provider was asked about, or it did not answer.
  void good(const std::string& source) { failures_.undone("", source); }

 private:
  struct Place;
  using Counts = std::unordered_map<std::string, std::size_t>;  // of those under way only
  Throttle failures_;
  std::shared_ptr<Counts> under_way_ = std::make_shared<Counts>();
};

}  // namespace nightlatch
