// Reception: a connection to one of the gate's proxy ports, until it is known where its client wants to go:
// then it becomes a TcpFlow. It has ten seconds for that. What is common to SOCKS and HTTP: reading, looking
// the name up, handing over, and saying farewell so that no reset overtakes the last words. Worker's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/flow_host.h"
#include "proxy/introduction.h"
#include "proxy/sockets.h"

namespace nightlatch {

class Reception : public LiveFlow {
 public:
  Reception(FlowHost& host, std::string id, Accepted accepted);
  ~Reception() override;
  void start();

  void pump() override {}
  void rejudge() override {}
  void on_neighbour(const IpAddress& /*address*/, const Mac& /*mac*/) override {}
  void recheck_neighbour() override {}
  void on_hold(const std::string& /*code*/) override {}
  void cut(std::string_view cause) override;

 protected:
  virtual void on_readable() = 0;  // bytes wait, or the end; not after farewell()
  // The answer to locate(): an address, or why there is none.
  virtual void located(const Result<IpAddress>& address) = 0;

  // A name or an address, in any disguise. May answer before it returns.
  void locate(std::string_view host);
  void proceed(const Endpoint& destination, std::unique_ptr<Introduction> introduction, std::string first);
  // The connection, for a flow of another kind; this one is over.
  [[nodiscard]] Accepted release();
  void farewell(std::string_view last_words);  // then waits for the client to close
  // The same for who is not who they say: later, when there were many such from there.
  void refuse_credential(std::string_view last_words);
  bool say(std::string_view bytes);  // some bytes, at once: false when the client takes none
  void close(bool reset);

  [[nodiscard]] Accepted& accepted() { return accepted_; }
  [[nodiscard]] int fd() const { return accepted_.fd.get(); }
  [[nodiscard]] bool over() const { return state_ != State::open; }
  FlowHost& host_;

 private:
  enum class State : std::uint8_t { open, slowed, leaving, done };
  struct Leg final : Ready {
    Reception* reception = nullptr;
    void on_ready(bool readable, bool /*writable*/) override {
      if (readable) reception->ready();
    }
  };
  struct Timer final : FlowTimer {
    Reception* reception = nullptr;
    void ring() override { reception->on_timer(); }
  };
  void ready();
  void on_timer();
  void drain();

  Accepted accepted_;
  Leg leg_;
  Timer timer_;
  State state_ = State::open;
  std::string last_words_;  // while it is slowed
  std::uint64_t question_ = 0;
  std::size_t thrown_away_ = 0;
};

// Into accepted.credential; false, and in the log, when they prove nobody.
[[nodiscard]] bool check_credential_of(FlowHost& host, Accepted& accepted, std::string_view name,
                                       std::string_view secret);

}  // namespace nightlatch
