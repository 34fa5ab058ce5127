// Introduction: what the client of an explicit proxy (SOCKS, HTTP CONNECT) is told about the flow that it
// asked for, in its own protocol. The flow says when; this says how. Each is said at most once. Pure; the
// flow's thread.
#pragma once

#include <string>

#include "base/address.h"
#include "proxy/judge.h"

namespace nightlatch {

class Introduction {
 public:
  virtual ~Introduction() = default;
  // The upstream connection stands, from `bound`; what follows are the tunnel's bytes.
  [[nodiscard]] virtual std::string opened(const Endpoint& bound) = 0;
  [[nodiscard]] virtual std::string failed(int connect_errno) = 0;
  // `page_url` is "" when there is nothing to open.
  [[nodiscard]] virtual std::string refused(const Ruling& ruling, const std::string& page_url) = 0;
  // Whether refused() can show a page: then the flow waits for the hold's code.
  [[nodiscard]] virtual bool shows_page() const = 0;
};

}  // namespace nightlatch
