// UdpFlow: the datagrams between one client (address and port) and one destination, for as long as they may
// pass. Exists only when it is allowed: a refused datagram leaves nothing behind (proxy/udp_listener.h). It
// has two connected sockets, so that datagrams move without a look-up: `client_` stands where the destination
// is, `upstream_` where the client is. Where resources name hosts, it first hears which one a QUIC client
// asks for; until then it keeps what comes, and has no sockets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "proxy/flow_host.h"
#include "proxy/lease.h"
#include "proxy/quic_initial.h"
#include "proxy/udp_sockets.h"

namespace nightlatch {

struct UdpKey {
  Endpoint client, destination;
  auto operator<=>(const UdpKey&) const = default;
};

class UdpFlow;
class UdpHost {  // what made it: the listener, or a client's SOCKS association
 public:
  virtual void tell_client(const UdpKey& key, IcmpError error) = 0;
  // For flows without a socket towards the client: [first, first + count) of what has just been received.
  virtual void to_client(const UdpKey& key, std::size_t first, std::size_t count) = 0;
  // A datagram that the kernel put into a flow's socket before that was connected: somebody else's.
  virtual void misdelivered(std::size_t i, const Endpoint& client, const Endpoint& destination) = 0;
  virtual void ended(UdpFlow& flow) = 0;

 protected:
  ~UdpHost() = default;
};

class UdpFlow final : public LiveFlow {
 public:
  UdpFlow(FlowHost& host, UdpHost& maker, std::string id, UdpKey key, Lease lease, Way way);
  void start();
  void deliver(std::size_t first, std::size_t count);  // what the listener has received for it
  void deliver(std::string_view payload);

  void pump() override;
  void rejudge() override;
  void on_neighbour(const IpAddress& address, const Mac& mac) override;
  void recheck_neighbour() override;
  void on_hold(const std::string& /*code*/) override {}
  void cut(std::string_view cause) override;

  void end(std::string_view cause);
  [[nodiscard]] const UdpKey& key() const { return key_; }
  [[nodiscard]] const Lease& lease() const { return lease_; }

 private:
  struct Hearing {
    QuicInitial quic;
    bool decided = false;
    bool given_up = false;             // in observe mode
    std::string share;                 // until it is decided
    std::vector<std::string> waiting;  // datagrams, until the host is known
    std::size_t bytes = 0;
  };
  struct Leg final : Ready {
    UdpFlow* flow = nullptr;
    Fd fd;
    bool readable = true;
    void on_ready(bool can_read, bool can_write) override { flow->on_ready(*this, can_read, can_write); }
  };
  struct Timer final : FlowTimer {
    UdpFlow* flow = nullptr;
    void ring() override { flow->on_timer(); }
  };

  void on_ready(Leg& leg, bool can_read, bool can_write);
  void on_timer();
  bool open();
  [[nodiscard]] bool hears(std::string_view payload);
  void keep(std::string_view payload);
  void heard();
  void refuse(std::string_view why);
  void decide();
  void finish();
  void pass(std::string_view payload);
  void send_on(std::size_t first, std::size_t count, std::uint64_t bytes);
  std::size_t from_client();
  std::size_t from_upstream();
  [[nodiscard]] BootTime due() const;
  void set_timer();

  FlowHost& host_;
  UdpHost& maker_;
  const Way way_;  // asked: the client is reached through its maker
  UdpKey key_;
  Lease lease_;
  Leg client_, upstream_;
  Timer timer_;
  std::uint64_t asked_ = 0, answered_ = 0;  // datagrams
  std::unique_ptr<Hearing> hearing_;        // for as long as it lives, at a port where hosts are named
  bool done_ = false;
};

// A datagram that may not pass: counted, logged and held as far as that helps. Nothing is written for a
// source that may be made up.
void refuse_datagram(FlowHost& host, Lease& lease);

}  // namespace nightlatch

template <>
struct std::hash<nightlatch::UdpKey> {
  std::size_t operator()(const nightlatch::UdpKey& k) const noexcept {
    const std::hash<nightlatch::IpAddress> address;
    const std::size_t ports = (std::size_t{k.client.port} << 16U) | k.destination.port;
    return (address(k.client.address) * 31 + address(k.destination.address)) * 0x9e3779b97f4a7c15U ^ ports;
  }
};
