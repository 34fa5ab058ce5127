// The gate's UDP sockets: transparent listeners, and the two connected sockets of a flow. A flow's own
// sockets are found by the kernel before the listener is (TPROXY looks for a connected one first): only a
// flow's first datagrams come by the listener. Any thread; needs CAP_NET_ADMIN or CAP_NET_RAW, and
// CAP_NET_BIND_SERVICE to answer from a server's port below 1024.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "proxy/icmp.h"

namespace nightlatch {

// Bound to 127.0.0.1 or ::1, SO_REUSEPORT (one for each worker), IP_TRANSPARENT; tells each datagram's
// original destination.
[[nodiscard]] Result<Fd> listen_udp_transparent(bool v4, std::uint16_t port);
// The client's side: has the original destination's address and port, connected to the client.
[[nodiscard]] Result<Fd> connect_udp_client(const Endpoint& destination, const Endpoint& client);
// The server's side; `source` and `avoid_port` as for connect_upstream(). Keeps what ICMP says:
// next_icmp_error().
[[nodiscard]] Result<Fd> connect_udp_upstream(const Endpoint& destination, const IpAddress* source,
                                              std::uint16_t avoid_port);
// For the datagrams of a SOCKS client: an address of the gate's own, any port.
[[nodiscard]] Result<Fd> bind_udp(const IpAddress& here);
// The next error that the network reported for this socket; nullopt when there is none.
[[nodiscard]] std::optional<IcmpError> next_icmp_error(int fd);

// Datagrams, many to a system call: a worker has one, and nothing is kept in it between calls. A datagram may
// be empty, and is never cut short: the largest has 65 507 bytes (65 487 in IPv6).
class Datagrams {
 public:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kRoom = 65536;
  Datagrams();

  // How many came: 0 when none is waiting.
  [[nodiscard]] std::size_t receive(int fd);
  [[nodiscard]] std::string_view bytes(std::size_t i) const;
  [[nodiscard]] std::optional<Endpoint> source(std::size_t i) const;
  [[nodiscard]] std::optional<Endpoint> destination(std::size_t i) const;  // original; from a listener only
  // Sends [first, first + count) of what was received to the peer of the connected socket. UDP: what does not
  // fit into the socket's buffer is lost. False when the peer said that nobody listens there.
  bool send(int fd, std::size_t first, std::size_t count);

 private:
  static constexpr std::size_t kControl = 64;
  struct Slot {
    sockaddr_storage from;
    alignas(cmsghdr) std::array<char, kControl> control;
    iovec data;
  };
  std::unique_ptr<char[]> room_;  // NOLINT: kBatch × kRoom bytes
  std::array<Slot, kBatch> slots_{};
  std::array<mmsghdr, kBatch> in_{}, out_{};
};

}  // namespace nightlatch
