// What every kind of flow is to its worker (LiveFlow), and what it may ask of it (FlowHost). Flows are owned
// by their worker and used on its thread only. A flow never destroys itself: it says finished(), and the
// worker frees it when the turn is over.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/wheel.h"
#include "net/resolver.h"
#include "proxy/hold_desk.h"
#include "proxy/judge.h"
#include "proxy/udp_sockets.h"
#include "store/audit.h"

namespace nightlatch {

class Ready {  // what epoll gives back for a descriptor; lives until it is unwatched
 public:
  virtual void on_ready(bool readable, bool writable) = 0;

 protected:
  ~Ready() = default;
};

struct FlowTimer : WheelTimer {
  virtual void ring() = 0;

 protected:
  ~FlowTimer() = default;
};

class LiveFlow {
 public:
  explicit LiveFlow(std::string id) : id_(std::move(id)) {}
  virtual ~LiveFlow() = default;
  LiveFlow(const LiveFlow&) = delete;
  LiveFlow& operator=(const LiveFlow&) = delete;

  virtual void pump() = 0;     // its budget was used up, and its turn has come again
  virtual void rejudge() = 0;  // the store, or the clock, has changed
  virtual void on_neighbour(const IpAddress& address, const Mac& mac) = 0;  // a new device at an address?
  virtual void recheck_neighbour() = 0;                                     // changes were missed: ask again
  virtual void on_hold(const std::string& code) = 0;                        // the answer to ask_hold()
  virtual void cut(std::string_view cause) = 0;
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  std::string id_;
};

class FlowHost {
 public:
  struct Counters {
    std::uint64_t allowed = 0, refused = 0, held = 0, bytes = 0;
    std::uint64_t refusing = 0;  // refused flows that are being answered now
  };

  virtual ~FlowHost() = default;
  virtual Judge& judge() = 0;
  virtual Wheel& wheel() = 0;
  virtual AuditWriter& audit() = 0;
  virtual std::span<char> scratch() = 0;
  virtual Datagrams& datagrams() = 0;
  virtual Resolver& resolver() = 0;
  virtual std::span<const IpAddress> own_addresses() = 0;  // the gate's, of the last second
  virtual Counters& counters() = 0;

  virtual bool watch(Ready& ready, int fd) = 0;   // edge-triggered, both directions
  virtual bool listen(Ready& ready, int fd) = 0;  // level-triggered, to be read
  // Before the descriptor is closed: closing alone does not end the watch while a program that is just
  // being started (proxy/rules.h) still has its copy, and an event would then come for a flow that is gone.
  virtual void unwatch(int fd) = 0;

  virtual void look_at_store() = 0;              // before judging something new
  virtual void heard(const WireName& host) = 0;  // of one that some resource names
  // The hosts that this source was told to find there (proxy/dns_watch.h).
  virtual std::vector<WireName> told(const Source& source, const IpAddress& address) = 0;
  virtual bool room() = 0;  // for one flow more
  virtual std::string next_id() = 0;
  virtual LiveFlow& adopt(std::unique_ptr<LiveFlow> flow) = 0;
  virtual void run_again(LiveFlow& flow) = 0;  // calls pump() after the others' turn
  virtual void finished(LiveFlow& flow) = 0;

  virtual void ask_hold(const std::string& flow, HoldRequest request) = 0;  // that flow's on_hold() gets it
  virtual void used(TokenId token) = 0;                                     // sent by a client, and good
  virtual bool log_refusal(const std::string& key) = 0;  // false: the same was logged a moment ago
  // How long the refusal of a wrong credential from there is to wait; counts it.
  virtual Millis delay_of_wrong(const IpAddress& source) = 0;
  virtual std::uint64_t most_refusing() = 0;  // refused flows never crowd out allowed ones
  // At most so many of one kind and owner at a time; false: it has them already. To be given back.
  virtual bool take_share(const std::string& key, std::size_t most) = 0;
  virtual void give_share(const std::string& key) = 0;
};

}  // namespace nightlatch
