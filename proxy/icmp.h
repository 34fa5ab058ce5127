// ICMP errors that the gate sends to a client whose datagram cannot pass, so that its application fails at
// once instead of waiting: port unreachable for a refused flow, and what an upstream answered for an allowed
// one. RFC 792, RFC 4443 section 3.1, RFC 1122 section 3.2.2.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace nightlatch {

struct IcmpError {
  std::uint8_t type = 0, code = 0;
  auto operator<=>(const IcmpError&) const = default;
};
[[nodiscard]] constexpr IcmpError port_unreachable(bool v4) { return v4 ? IcmpError{3, 3} : IcmpError{1, 4}; }
// Whether an error that came from upstream is one that its client should hear: unreachable, or lost on the
// way. "Too big" is not: the gate itself makes fragments.
[[nodiscard]] bool concerns_client(bool v4, IcmpError error);

// The message about a datagram from `client` to `destination`: pure. The checksum of ICMPv6 is left to the
// kernel. Returns its length, 0 when the two are not of one family.
constexpr std::size_t kIcmpRoom = 8 + 40 + 8;
[[nodiscard]] std::size_t encode_icmp_error(IcmpError error, const Endpoint& client,
                                            const Endpoint& destination,
                                            std::span<std::uint8_t, kIcmpRoom> out);

// Tokens that come back with time: `burst` at once, `per_second` for ever.
class TokenBucket {
 public:
  bool take(BootTime now, unsigned per_second, unsigned burst);

 private:
  BootTime filled_{};
  double tokens_ = 0;
  bool used_ = false;
};

// Sends them, at most so many for each client and in all: an answer is never worth more than the question,
// and a flood of questions gets few. One for each worker, on its thread. Needs CAP_NET_RAW.
class IcmpSender {
 public:
  [[nodiscard]] static Result<IcmpSender> open();
  bool send(IcmpError error, const Endpoint& client, const Endpoint& destination, BootTime now);

 private:
  Fd v4_, v6_;
  TokenBucket all_;
  std::array<TokenBucket, 256> by_client_;
};

}  // namespace nightlatch
