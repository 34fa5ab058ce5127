// SocksClient: a connection to the SOCKS port, until its request is understood (RFC 1928, 1929; SOCKS 4 and
// 4a). Worker's thread.
#pragma once

#include <memory>

#include "proxy/reception.h"
#include "proxy/socks.h"

namespace nightlatch {

class SocksClient final : public Reception {
 public:
  SocksClient(FlowHost& host, std::string id, Accepted accepted);

 private:
  void on_readable() override;
  void located(const Result<IpAddress>& address) override;
  void act(SocksHandshake::Event event);
  void associate();
  void refuse(SocksReply reply);

  std::unique_ptr<SocksHandshake> handshake_;
};

}  // namespace nightlatch
