// HttpForward: the requests in absolute form that one client sends over one connection to the HTTP proxy
// port. Each is judged by itself, is a flow of its own in the log, and has an upstream connection of its own;
// the client's stays open between them. Bodies are streamed: what one side does not take is not read from the
// other. Worker's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/flow_host.h"
#include "proxy/http_proxy_request.h"
#include "proxy/http_proxy_response.h"
#include "proxy/lease.h"
#include "proxy/relay.h"
#include "proxy/sockets.h"

namespace nightlatch {

class HttpForward final : public LiveFlow {
 public:
  // `reader` has read the first request's head; `rest` came behind it.
  static void begin(FlowHost& host, Accepted accepted, std::unique_ptr<ProxyRequestReader> reader,
                    std::string rest);
  HttpForward(FlowHost& host, std::string id, Accepted accepted, std::unique_ptr<ProxyRequestReader> reader,
              std::string rest);
  ~HttpForward() override;

  void pump() override;
  void rejudge() override;
  void on_neighbour(const IpAddress& address, const Mac& mac) override;
  void recheck_neighbour() override;
  void on_hold(const std::string& code) override;
  void cut(std::string_view cause) override;

 private:
  enum class State : std::uint8_t {
    reading,     // the head of the next request
    locating,    // its server's name is looked up
    slowed,      // a wrong credential, as many before it from there: its refusal waits
    holding,     // refused: waiting for the hold's code
    connecting,  // allowed: to its server
    exchanging,  // the request goes up, the answer comes down
    tunnel,      // the server has changed to another protocol: bytes both ways
    leaving,     // the last answer is being written, and the client's rest thrown away
    done,
  };
  struct Side final : Ready {
    HttpForward* owner = nullptr;
    Fd fd;
    bool readable = false, writable = true;
    std::string in;   // read and not used yet
    std::string out;  // not written yet
    void on_ready(bool can_read, bool can_write) override { owner->on_ready(*this, can_read, can_write); }
  };
  struct Timer final : FlowTimer {
    HttpForward* owner = nullptr;
    void ring() override { owner->on_timer(); }
  };
  enum class Got : std::uint8_t { bytes, nothing, end, broken };

  void on_ready(Side& side, bool can_read, bool can_write);
  void on_timer();
  void locate();
  void judge(const IpAddress& address);
  void connect(const Endpoint& destination);
  void connected();
  bool up();  // one step of the request; false when nothing could be done
  bool more_of_request();
  bool down();  // one step of the answer
  bool flush(Side& side);
  Got read(Side& side);
  void answered();
  void change_protocol();
  void reply(std::string_view bytes);  // our own answer, the last thing said here
  void drain();
  void end_if(const Lease::Cause& cause);
  void end_exchange(std::string_view cause);
  void close(bool reset);
  void close_side(Side& side, bool reset);
  void set_timer(Millis after);
  void set_deadline();

  FlowHost& host_;
  Accepted accepted_;
  State state_ = State::locating;
  Side client_, server_;
  std::unique_ptr<ProxyRequestReader> request_;
  std::optional<ProxyResponseReader> response_;
  std::optional<Lease> lease_;
  Relay relay_;
  Timer timer_;
  bool asked_ = false;  // the whole request is on its way
  bool begun_ = false;  // the lease's end is to be written
  std::uint64_t question_ = 0;
};

}  // namespace nightlatch
