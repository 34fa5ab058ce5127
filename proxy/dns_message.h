// DNS messages as the gate overhears them (RFC 1035, with EDNS of RFC 6891): what was asked, and to which
// addresses the answer leads. Bytes in, values out; pure, bounded, any thread. The bytes come from anybody.
// Only questions of class IN for host names are read, and only the answer section of a reply: what comes
// after it (a referral, glue, EDNS) is nothing that a client acts on. Addresses in SVCB and HTTPS records
// (RFC 9460) are not read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "policy/host_name.h"

namespace nightlatch {

inline constexpr std::uint16_t kDnsTypeA = 1;
inline constexpr std::uint16_t kDnsTypeAaaa = 28;

struct DnsQuestion {
  std::uint16_t id = 0;    // of the message: an answer is that of a query only if id and all below are equal
  std::uint16_t type = 0;  // kDnsTypeA, kDnsTypeAaaa or any other
  WireName name;           // lower case, however it was asked (RFC 4343)
  bool operator==(const DnsQuestion&) const = default;
};

struct DnsAddress {
  IpAddress address;
  Seconds ttl{0};  // how long the question's name leads there: the least of the whole chain
};

struct DnsAnswer {
  static constexpr std::size_t kMostAliases = 16;
  static constexpr std::size_t kMostAddresses = 256;

  DnsQuestion question;
  std::uint8_t rcode = 0;  // 0 no error, 3 no such name (RFC 1035 section 4.1.1)
  bool truncated = false;  // the client will ask again over TCP
  std::vector<WireName>
      aliases;  // the names that the question's name leads to by CNAME, in the order of the chain
  std::vector<DnsAddress>
      addresses;  // of the question's name and of its aliases; records of other names are left out
};

// The question of a query (never of a reply); nullopt if it is none, or not one for a host name.
[[nodiscard]] std::optional<DnsQuestion> dns_id_and_question(std::span<const std::uint8_t> message);

// A reply to one question; nullopt if it is none, or is malformed in any part that is read, or beyond the
// bounds above. Then nothing is known of it, and a gate that passes it on all the same does not know what the
// client learnt.
[[nodiscard]] std::optional<DnsAnswer> read_dns_answer(std::span<const std::uint8_t> message);

}  // namespace nightlatch
