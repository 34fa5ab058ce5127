#include "web/return_desk.h"

#include <limits>
#include <utility>

namespace nightlatch {

namespace {
ThrottleLimits failure_limits() {
  ThrottleLimits limits;
  limits.pair_failures = limits.account_failures =
      std::numeric_limits<int>::max();  // who it would have been is not known
  return limits;
}
}  // namespace

struct ReturnDesk::Place {
  std::shared_ptr<Counts> counts;
  std::string source;

  Place(std::shared_ptr<Counts> all, std::string from) : counts(std::move(all)), source(std::move(from)) {
    ++(*counts)[source];
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    const auto it = counts->find(source);
    if (--it->second == 0) counts->erase(it);
  }
};

ReturnDesk::ReturnDesk(std::function<BootTime()> now) : failures_(failure_limits(), std::move(now)) {}

ReturnDesk::Admission ReturnDesk::admit(const std::string& source) {
  const auto others = under_way_->find(source);
  if (others != under_way_->end() && others->second >= kMostAtOnce) return {};
  Admission out;
  out.decision = failures_.attempt("", source);
  if (out.decision.allowed) out.place = std::make_shared<Place>(under_way_, source);
  return out;
}

}  // namespace nightlatch
