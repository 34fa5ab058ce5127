// UdpAssociation: a SOCKS client's UDP ASSOCIATE (RFC 1928 sections 4, 6 and 7). It lives as long as the
// control connection and hears only that connection's peer. Each destination is a UdpFlow of its own, judged
// like any other; answers come only from destinations that were sent to. Worker's thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "proxy/sockets.h"
#include "proxy/socks_udp.h"
#include "proxy/udp_flow.h"

namespace nightlatch {

class UdpAssociation final : public LiveFlow, private UdpHost {
 public:
  // `control` is the client's connection, `fd` the socket that it was told of. `port`: the client's, or 0
  // when it did not say.
  static void begin(FlowHost& host, Accepted control, Fd fd, std::uint16_t port);
  UdpAssociation(FlowHost& host, std::string id, Accepted control, Fd fd, std::uint16_t port);
  ~UdpAssociation() override;

  void pump() override;
  void rejudge() override {}  // its flows are judged themselves
  void on_neighbour(const IpAddress& /*address*/, const Mac& /*mac*/) override {}
  void recheck_neighbour() override {}
  void on_hold(const std::string& /*code*/) override {}
  void cut(std::string_view cause) override;

 private:
  struct Leg final : Ready {
    UdpAssociation* owner = nullptr;
    bool control = false;
    void on_ready(bool readable, bool /*writable*/) override {
      if (readable) control ? owner->read_control() : owner->pump();
    }
  };
  struct Name {
    std::optional<IpAddress> address;
    std::uint64_t question = 0;
    std::string first;  // the datagram that asked for it
    std::uint16_t port = 0;
  };

  void tell_client(const UdpKey& /*key*/, IcmpError /*error*/) override {}  // SOCKS has no word for it
  void to_client(const UdpKey& key, std::size_t first, std::size_t count) override;
  void misdelivered(std::size_t /*i*/, const Endpoint& /*client*/, const Endpoint& /*destination*/) override {
  }
  void ended(UdpFlow& flow) override {
    std::erase_if(flows_, [&](const auto& known) { return known.second == &flow; });
  }

  void read_control();
  void take(std::string_view datagram);
  void send_to_name(const SocksAddress& to, std::string_view payload);
  void send_to(const Endpoint& destination, const WireName& name, std::string_view payload);
  void make_room();

  FlowHost& host_;
  Accepted control_;
  Fd fd_;
  Endpoint client_;  // where its datagrams come from; port 0: not known yet
  Leg control_leg_, leg_;
  std::map<std::pair<Endpoint, std::string>, UdpFlow*> flows_;  // by destination and the name it was asked by
  std::unordered_map<std::string, Name> names_;
  bool done_ = false;
};

}  // namespace nightlatch
