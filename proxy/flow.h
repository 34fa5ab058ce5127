// Flow: one TCP connection through the gate, from accept to close, as an explicit state machine
// (docs/states.md). Owned by its worker and used on that worker's thread only. It asks the world through Host
// and never destroys itself: it says finished(), and the worker frees it when the turn is over.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/wheel.h"
#include "proxy/first_bytes.h"
#include "proxy/hold_desk.h"
#include "proxy/judge.h"
#include "proxy/relay.h"
#include "proxy/sockets.h"
#include "store/audit.h"

namespace nightlatch {

class Flow {
 public:
  enum class State : std::uint8_t {
    fresh,       // accepted, not judged yet
    connecting,  // allowed: the upstream connection is under way
    relaying,    // allowed: bytes go both ways
    listening,   // refused: waiting for the client's first bytes, to answer in its own protocol
    holding,     // refused: waiting for the hold's code
    answering,   // refused: the answer is being written
    lingering,   // refused: the answer is written; what the client still sends is thrown away, so that no
                 // reset overtakes the answer
    done,
  };
  // What a flow's session is at: on_expiry decides where it goes after `within`.
  enum class Term : std::uint8_t { within, draining, overstaying };

  // Everything that a flow may ask of its worker.
  class Host {
   public:
    virtual ~Host() = default;
    virtual Judge& judge() = 0;
    virtual Wheel& wheel() = 0;
    virtual AuditWriter& audit() = 0;
    virtual std::span<char> scratch() = 0;
    virtual bool watch(Flow& flow, Relay::Side side, int fd) = 0;  // edge-triggered, both directions
    // Before the descriptor is closed: closing alone does not end the watch while a program that is just
    // being started (proxy/rules.h) still has its copy, and an event would then come for a flow that is gone.
    virtual void unwatch(int fd) = 0;
    virtual void ask_hold(Flow& flow, HoldRequest request) = 0;  // answered by on_hold()
    virtual void run_again(Flow& flow) = 0;                      // calls pump() after the others' turn
    virtual void finished(Flow& flow) = 0;
    virtual bool log_refusal(const std::string& key) = 0;  // false: the same was logged a moment ago
    struct Counters {
      std::uint64_t allowed = 0, refused = 0, held = 0, bytes = 0;
      std::uint64_t refusing = 0;  // refused flows that are being answered now
    };
    virtual Counters& counters() = 0;
    virtual std::uint64_t most_refusing() = 0;  // refused flows never crowd out allowed ones
  };

  struct Timer : WheelTimer {  // so that a worker finds the flow of a timer
    Flow* flow = nullptr;
  };
  struct Leg {  // what epoll gives back
    Flow* flow = nullptr;
    Relay::Side side = Relay::client;
  };

  Flow(Host& host, std::string id, Accepted accepted);
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  void start();
  void on_ready(Relay::Side side, bool readable, bool writable);
  void on_timer();
  void on_hold(const std::string& code);
  void pump();
  void rejudge();                                               // the store, or the clock, has changed
  void on_neighbour(const IpAddress& address, const Mac& mac);  // another device has taken the address?
  void recheck_neighbour();                                     // changes were missed: ask again
  void cut(std::string_view cause);

  [[nodiscard]] Leg& leg(Relay::Side side) { return legs_[side]; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool live() const { return state_ == State::connecting || state_ == State::relaying; }
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  [[nodiscard]] Destination destination() const {
    return {accepted_.destination.address, accepted_.destination.port, Protocol::tcp};
  }
  void connect();
  void connected();
  void hear();
  void refuse_as(Speech speech);
  void answer(const std::string& page_url);
  void write_answer();
  void linger();
  void set_timer(Millis after);
  void set_deadline();
  void ran_out(WallTime now);
  void end(std::string_view cause, bool reset);
  void close_refused(bool reset);
  void close(Fd& fd, bool reset);
  [[nodiscard]] AuditEvent event(std::string_view name) const;

  Host& host_;
  std::string id_;
  Accepted accepted_;
  Fd upstream_;
  State state_ = State::fresh;
  Term term_ = Term::within;
  Source source_;
  Ruling ruling_;
  Relay relay_;
  std::array<Leg, 2> legs_;
  Timer timer_;
  FirstBytes said_;
  std::string answer_;
  std::size_t answered_ = 0;
  std::size_t thrown_away_ = 0;
  bool counted_ = false;  // among those being refused
  BootTime opened_;
  BootTime deadline_ = BootTime::max();  // when the session, the drain or the overstay ends
  BootTime active_;                      // when bytes last moved
  BootTime overstay_since_{};
  std::uint64_t overstay_bytes_from_ = 0;
};

}  // namespace nightlatch
