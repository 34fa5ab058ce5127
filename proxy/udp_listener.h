// UdpListener: a worker's UDP listeners and the flows that began there. A datagram belongs to the flow of its
// (client, destination); one that has none is judged, and makes a flow or is refused: ICMP says so to the
// client, and nothing is kept. Each device has a share of the flows: past it, the one that it has used least
// lately ends. Worker's thread.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "proxy/icmp.h"
#include "proxy/udp_flow.h"

namespace nightlatch {

class UdpListener final : private UdpHost {
 public:
  UdpListener(FlowHost& host, IcmpSender icmp) : host_(host), icmp_(std::move(icmp)) {}
  // Binds; IPv6 may be missing (then `v6_error` says why).
  [[nodiscard]] Status open(std::string* v6_error);
  void listen(bool on);
  void close();
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }  // flows
  [[nodiscard]] std::uint64_t overloaded() const {
    return overloaded_;
  }  // datagrams refused for lack of room

 private:
  struct Door final : Ready {
    UdpListener* listener = nullptr;
    Fd fd;
    void on_ready(bool /*readable*/, bool /*writable*/) override { listener->receive(fd.get()); }
  };
  using Line = std::list<UdpFlow*>;  // of one device's flows
  struct Known {
    UdpFlow* flow = nullptr;
    std::string owner;
    Line::iterator place;
    BootTime seen{};  // when it was active as its turn to be ended last came
  };

  void tell_client(const UdpKey& key, IcmpError error) override;
  void to_client(const UdpKey& /*key*/, std::size_t /*first*/, std::size_t /*count*/) override {}
  void misdelivered(std::size_t i, const Endpoint& client, const Endpoint& destination) override;
  void ended(UdpFlow& flow) override;

  void receive(int fd);
  void take(std::size_t i, const UdpKey& key);
  bool make_room(const std::string& owner);
  bool end_idlest(const std::string& owner);

  FlowHost& host_;
  IcmpSender icmp_;
  Door door4_, door6_;
  std::unordered_map<UdpKey, Known> flows_;
  std::unordered_map<std::string, Line> lines_;  // by source
  std::uint64_t accepted_ = 0, overloaded_ = 0;
};

}  // namespace nightlatch
