#include "web/form_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

FormTokens::FormTokens(std::function<BootTime()> now, std::size_t capacity, Millis lifetime)
    : now_(std::move(now)), capacity_(capacity), lifetime_(lifetime), key_(random_token(32)) {}

std::string FormTokens::mac(std::string_view stamp, std::string_view cookie, std::string_view purpose) const {
  return base64url(hmac_sha256(key_, fmt::format("{}\n{}\n{}", purpose, stamp, cookie)));
}

// "EXPIRY-NONCE.MAC"
std::string FormTokens::issue(std::string_view cookie, std::string_view purpose) const {
  const std::string stamp =
      fmt::format("{:x}-{}", (now_() + lifetime_).time_since_epoch().count(), random_token(12));
  return stamp + "." + mac(stamp, cookie, purpose);
}

FormTokens::Check FormTokens::redeem(std::string_view token, std::string_view cookie,
                                     std::string_view purpose) {
  const auto dot = token.find('.');
  if (dot == std::string_view::npos || cookie.empty()) return Check::foreign;
  const std::string stamp(token.substr(0, dot));
  if (!equal_constant_time(token.substr(dot + 1), mac(stamp, cookie, purpose))) return Check::foreign;
  std::int64_t expiry = 0;
  std::from_chars(stamp.data(), stamp.data() + stamp.size(), expiry, 16);
  const BootTime ends{Millis(expiry)};
  while (!used_.empty() && used_.front().first <= now_()) {
    used_stamps_.erase(used_.front().second);
    used_.pop_front();
  }
  if (ends <= now_() || ends <= floor_) return Check::stale;
  if (!used_stamps_.insert(stamp).second) return Check::used;
  used_.emplace_back(ends, stamp);
  if (used_.size() > capacity_) {
    floor_ = std::max(floor_, used_.front().first);
    used_stamps_.erase(used_.front().second);
    used_.pop_front();
  }
  return Check::good;
}

}  // namespace nightlatch
