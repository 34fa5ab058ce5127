// DnsWatch: which names a device was told to find an address by, overheard from the DNS answers that pass the
// gate over UDP or that the gate gives itself. Answers are only looked at, by a packet socket beside the way
// they take: nothing is held up or changed. An answer counts when its question was seen too. What was
// overheard can only add to what a flow is judged by. One for each worker, on its thread; bounded. Needs
// CAP_NET_RAW.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "policy/host_name.h"
#include "proxy/dns_message.h"
#include "proxy/ip_datagram.h"

namespace nightlatch {

class DnsWatch {
 public:
  static constexpr std::size_t kMostDevices = 1024;
  static constexpr std::size_t kMostOfDevice = 128;  // names and addresses of one
  static constexpr std::size_t kMostAsked = 4096;    // questions without an answer yet

  struct Told {  // one name that leads to some addresses
    const IpAddress& client;
    const WireName& name;
    const std::vector<DnsAddress>& addresses;
  };

  // Watches these interfaces (all, when there are none). Again: changes to others.
  [[nodiscard]] Status open(const std::vector<std::string>& interfaces);
  // Reads all that waits; call it before a flow is judged: the answer was here before the client had it.
  // Calls told(Told) for the question's name and for each alias on its way.
  template <typename Visit>
  void read(const Visit& told) {
    for (const Fd& fd : sockets_) {
      while (const auto datagram = next(fd.get())) {
        if (const auto answer = take(*datagram)) {
          told(Told{datagram->to.address, answer->question.name, answer->addresses});
          for (const WireName& alias : answer->aliases)
            told(Told{datagram->to.address, alias, answer->addresses});
        }
      }
    }
  }

  void remember(const std::string& device, const WireName& name, const std::vector<DnsAddress>& addresses,
                BootTime now);
  // The names that lead this device there, at most four, the latest first.
  [[nodiscard]] std::vector<WireName> names_of(const std::string& device, const IpAddress& address,
                                               BootTime now);

  // For what was read from a packet socket: an answer whose question was seen. Public for tests.
  std::optional<DnsAnswer> take(const IpDatagram& datagram);

 private:
  struct Asked {
    Endpoint client, server;
    DnsQuestion question;
    bool operator==(const Asked&) const = default;
  };
  struct Entry {
    WireName name;
    IpAddress address;
    BootTime until;
  };
  struct Device {
    std::deque<Entry> entries;  // the latest last
    std::list<std::string>::iterator place;
  };
  std::optional<IpDatagram> next(int fd);
  static std::size_t key_of(const Asked& asked);

  std::vector<Fd> sockets_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(65536);
  std::unordered_map<std::size_t, Asked> asked_;  // by key_of()
  std::deque<std::size_t> asked_order_;
  std::unordered_map<std::string, Device> devices_;
  std::list<std::string> line_;  // of devices, the one told last at the end
};

}  // namespace nightlatch
