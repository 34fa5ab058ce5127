// Lease: what one flow was permitted, and until when. It holds the verdict, follows it while the flow lives
// (the deadline, on_expiry, a policy's idle limit, changes of the store and of the neighbour table) and
// writes the flow's audit rows. It moves no bytes and closes nothing: its answers say why the flow must end
// now. TCP and UDP flows have one each; worker's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/flow_host.h"

namespace nightlatch {

// How a flow came to us: sent by the rules, or by a client that asked for its destination.
enum class Way : std::uint8_t { intercepted, asked };

// How the host is known that a flow is for.
enum class NamedBy : std::uint8_t {
  unheard,    // no resource there names hosts
  asked,      // the client asked the gate for it by name, and the gate looked it up
  http,       // Host, or the request's target
  tls,        // server_name in its ClientHello
  quic,       // the same in QUIC
  dns,        // it said none: what the device was told by the DNS
  none,       // not at all: the address alone is judged
  encrypted,  // nor here: the client may have hidden it (ECH)
};
[[nodiscard]] std::string_view to_text(NamedBy by);

class Lease {
 public:
  // What a flow's session is at: on_expiry decides where it goes after `within`.
  enum class Term : std::uint8_t { within, draining, overstaying };
  using Cause = std::optional<std::string_view>;  // why the flow must end; nullopt: it goes on

  Lease(FlowHost& host, std::string flow, Endpoint source, Endpoint destination, Protocol protocol,
        Way way = Way::intercepted);

  // What the client has sent to say who it is: before judge().
  void present(const std::optional<CheckedCredential>& credential) { credential_ = credential; }
  // A host that the flow is for: counts from the next verdict on. The one that was asked for comes first.
  void name(const WireName& host, NamedBy by);
  // The client names nobody, or may have hidden whom: what its device was told by the DNS counts.
  void unnamed(NamedBy why);
  bool judge(WallTime now);        // who is it, and may they? True when the flow passes
  bool judge_again(WallTime now);  // the same, now that a name is known; before bytes may move
  bool audit_refusal();            // false: the same was written a moment ago
  void audit_unreadable();         // the flow ends: whom it is for cannot be told
  // A source that nothing is known of: no device, no neighbour. It may be made up.
  [[nodiscard]] bool from_nobody() const { return source_.device == DeviceId::none && !source_.mac; }
  // Whose share it takes: the device's or the address's; "*" for all sources that may be made up.
  [[nodiscard]] std::string owner() const;
  void begin();  // bytes may move: audited, and the deadline runs
  void end(std::string_view cause);

  // The address to come from towards the server: the client's, or nullptr for the gate's own.
  [[nodiscard]] const IpAddress* upstream_source() const;
  void moved(std::uint64_t up, std::uint64_t down);  // bytes, now: from the client, and to it
  [[nodiscard]] BootTime due() const;                // when at_due() is to be called; max(): never
  Cause at_due();
  Cause rejudge();
  [[nodiscard]] Cause on_neighbour(const IpAddress& address, const Mac& mac) const;
  [[nodiscard]] Cause recheck_neighbour() const;

  [[nodiscard]] const Ruling& ruling() const { return ruling_; }
  [[nodiscard]] const Source& source() const { return source_; }
  [[nodiscard]] BootTime active() const { return active_; }  // when bytes last moved
  [[nodiscard]] AuditEvent event(std::string_view name) const;

 private:
  [[nodiscard]] Ruling verdict(WallTime now);
  // Nothing is to be written of a flow that was only heard: it came because hosts are named at its port, and
  // is for none of them.
  [[nodiscard]] bool unremarkable() const;
  void promise();  // the deadline of the ruling
  Cause ran_out(WallTime now);

  FlowHost& host_;
  std::string flow_;
  Endpoint from_, to_;
  Protocol protocol_;
  Way way_;
  bool own_ = false;     // asked for, and leads to the gate itself
  bool inward_ = false;  // or to its loopback, its link or to many: only a resource can allow it
  std::optional<CheckedCredential> credential_;
  std::vector<WireName> names_;
  NamedBy named_by_ = NamedBy::unheard;
  bool asked_by_name_ = false;
  Source source_;
  Ruling ruling_;
  Term term_ = Term::within;
  bool begun_ = false;
  bool on_record_ = false;                               // flow.open was written
  std::uint64_t up_ = 0, down_ = 0, overstay_from_ = 0;  // bytes
  BootTime opened_;
  BootTime active_;
  BootTime deadline_ = BootTime::max();  // when the session, the drain or the overstay ends
  BootTime overstay_since_{};
};

}  // namespace nightlatch
