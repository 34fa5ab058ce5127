// The kernel's side of the gate, for IPv4 and IPv6: which packets come to us, and that no protected one
// passes without us. Rules are text run by iptables-restore, ipset and ip; `rules show` prints that very
// text.
//   mangle PREROUTING -> NIGHTLATCH        takes protected TCP from the LAN to the TPROXY listener; a packet
//   for which
//                                          there is no listener is dropped by the TPROXY target itself
//   filter FORWARD    -> NIGHTLATCH-GUARD  refuses any protected packet that would be forwarded all the same
// Sets nightlatch4 and nightlatch6 hold the protected destinations; they are swapped whole when resources
// change. Runs programs: never call install/remove/fingerprint on an event loop's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

inline constexpr std::uint16_t kTproxyPort = 17443;  // on 127.0.0.1 and ::1: reached through the rules only

struct RulesInput {
  std::vector<std::string> lan;      // guarded interfaces; empty: all
  std::uint32_t mark = 0x4e4c;       // also the routing table's number
  std::vector<Target> targets;       // of all resources
  bool unprotected = true;           // whether what is in no resource is forwarded
  std::vector<IpAddress> resolvers;  // the office's, which nobody needs to sign in for
  std::vector<Endpoint> providers;   // OpenID providers, over TCP: likewise
  bool operator==(const RulesInput&) const = default;
};
// Into `closed`, if given: where a provider is not reachable before anybody is signed in, and why.
[[nodiscard]] Result<RulesInput> load_rules_input(Database& store,
                                                  std::vector<std::string>* closed = nullptr);

struct RuleStep {
  std::vector<std::string> argv;
  std::string input;                // for standard input
  bool may_fail = false;            // removing what may not be there
  std::vector<std::string> unless;  // skip the step when this command succeeds
};
[[nodiscard]] std::vector<RuleStep> install_steps(const RulesInput& input);
[[nodiscard]] std::vector<RuleStep> remove_steps(const RulesInput& input);
[[nodiscard]] std::string as_script(
    const std::vector<RuleStep>& steps);  // for a shell: what `rules show` prints
[[nodiscard]] Status run_steps(const std::vector<RuleStep>& steps);

// Our rules as the kernel has them now, to compare with what they were after an install. Differs when any
// rule, jump, route or set of ours is gone, changed, or no longer first in its chain.
[[nodiscard]] Result<std::string> rules_fingerprint(const RulesInput& input);

}  // namespace nightlatch
