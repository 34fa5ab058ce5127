// TcpFlow: one TCP connection through the gate, from accept to close, as an explicit state machine
// (docs/states.md). Intercepted, or asked for by the client of an explicit proxy: then an Introduction speaks
// to it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "proxy/first_bytes.h"
#include "proxy/first_name.h"
#include "proxy/flow_host.h"
#include "proxy/introduction.h"
#include "proxy/lease.h"
#include "proxy/relay.h"
#include "proxy/sockets.h"

namespace nightlatch {

class TcpFlow final : public LiveFlow {
 public:
  enum class State : std::uint8_t {
    fresh,       // accepted, not judged yet
    hearing,     // its address may pass: waiting for the host's name in the client's first bytes
    connecting,  // allowed: the upstream connection is under way
    relaying,    // allowed: bytes go both ways
    listening,   // refused: waiting for the client's first bytes, to answer in its own protocol
    holding,     // refused: waiting for the hold's code
    answering,   // refused: the answer is being written
    lingering,   // refused: the answer is written; what the client still sends is thrown away, so that no
                 // reset overtakes the answer
    done,
  };

  TcpFlow(FlowHost& host, std::string id, Accepted accepted);
  // `first` are bytes that the client has sent for the server already.
  TcpFlow(FlowHost& host, std::string id, Accepted accepted, std::unique_ptr<Introduction> introduction,
          std::string first);
  void start();

  void pump() override;
  void rejudge() override;
  void on_neighbour(const IpAddress& address, const Mac& mac) override;
  void recheck_neighbour() override;
  void on_hold(const std::string& code) override;
  void cut(std::string_view cause) override;

 private:
  struct Leg final : Ready {
    TcpFlow* flow = nullptr;
    Relay::Side side = Relay::client;
    void on_ready(bool readable, bool writable) override { flow->on_ready(side, readable, writable); }
  };
  struct Timer final : FlowTimer {
    TcpFlow* flow = nullptr;
    void ring() override { flow->on_timer(); }
  };

  [[nodiscard]] bool live() const { return state_ == State::connecting || state_ == State::relaying; }
  void on_ready(Relay::Side side, bool readable, bool writable);
  void on_timer();
  void refuse();
  [[nodiscard]] bool keep_to_share();
  void give_share();
  void hear();
  void hear_more();
  void heard();
  void connect();
  void connected();
  void relay();
  [[nodiscard]] bool watch_client();
  void not_connected(int error, const std::string& cause);
  void listen();
  void turn_away();
  void refuse_as(Speech speech);
  void answer(const std::string& page_url);
  void answer_with(std::string bytes);
  void write_answer();
  void linger();
  void set_timer(Millis after);
  void set_deadline();
  void end_if(const Lease::Cause& cause);
  void end(std::string_view cause, bool reset);
  void close_refused(bool reset);
  void close(Fd& fd, bool reset);

  FlowHost& host_;
  Accepted accepted_;
  Fd upstream_;
  State state_ = State::fresh;
  Lease lease_;
  Relay relay_;
  std::array<Leg, 2> legs_;
  Timer timer_;
  std::unique_ptr<Introduction> introduction_;
  std::string first_;  // what the client has said that nobody has got yet
  FirstName first_name_;
  FirstBytes said_;
  std::string answer_;
  std::size_t answered_ = 0;
  std::size_t thrown_away_ = 0;
  bool counted_ = false;  // among those being refused
  bool watched_ = false;  // the client
  bool hears_ = false;    // hosts are named at its port
  std::string share_;     // of its owner, while no resource is about it
};

}  // namespace nightlatch
