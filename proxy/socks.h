// SocksHandshake: the server's side of a SOCKS connection, up to the request and its answer. SOCKS 5 (RFC
// 1928) with user name and password (RFC 1929); CONNECT of SOCKS 4 and 4a. Pure: bytes in, event out, and the
// bytes to send back. However the bytes are cut, the events are the same. It holds 1 KiB and allocates
// nothing; views that it gives point into it. Owned by its connection; one thread.
//
//   recv() into room(), received(n), send output(), then by the event:
//     more        recv() again
//     credential  check user() and password(), now or later; then credential(ok), whose event is next
//     request     command(), destination(); connect, then answer(), send output(), pass on rest(), relay
//     failed      send output(), close. why() is for the log
// The end of the stream before `request` is the owner's to see: there is nothing to say to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/socks_address.h"

namespace nightlatch {

enum class SocksReply : std::uint8_t {  // RFC 1928 section 6
  succeeded = 0x00,
  general_failure = 0x01,
  not_allowed = 0x02,  // by the ruleset: the verdict is not `allow`
  network_unreachable = 0x03,
  host_unreachable = 0x04,
  connection_refused = 0x05,
  ttl_expired = 0x06,
  command_not_supported = 0x07,
  address_type_not_supported = 0x08,
};

// What a failed connect() is told as. Never `succeeded`, and never `not_allowed`: that is for verdicts.
[[nodiscard]] SocksReply socks_reply_for(int connect_errno);

enum class SocksCommand : std::uint8_t { connect = 1, udp_associate = 3 };

struct SocksMethods {  // what a client may do about who it is; at least one
  bool none = true;    // say nothing: the device's address speaks for it. SOCKS 4 needs this
  bool password = false;
};

class SocksHandshake {
 public:
  enum class Event : std::uint8_t { more, credential, request, failed };

  explicit SocksHandshake(SocksMethods accepted) : accepted_(accepted) {}
  ~SocksHandshake();  // overwrites what it read
  SocksHandshake(SocksHandshake&&) = delete;

  [[nodiscard]] std::span<char> room();  // where to read into; empty unless the event is `more`
  Event received(std::size_t n);         // so many bytes of room() are filled
  Event credential(bool ok);             // the answer to Event::credential
  void answer(SocksReply reply,          // the answer to Event::request, once. SOCKS 4: 90 or 91
              const Endpoint& bound = {IpAddress::v4(0), 0});
  [[nodiscard]] Event event() const;

  // At most 26 bytes.
  [[nodiscard]] std::string_view output() const { return {output_.data(), output_size_}; }
  void sent(std::size_t n);  // so many of them are on their way

  // After `credential` and until it is answered; 1-255 bytes each, any bytes.
  [[nodiscard]] std::string_view user() const;
  [[nodiscard]] std::string_view password() const;

  // After `request`. The port of a CONNECT is not 0; the rest is first data that came along.
  [[nodiscard]] SocksCommand command() const { return command_; }
  [[nodiscard]] const SocksAddress& destination() const { return destination_; }
  [[nodiscard]] std::string_view rest() const { return text().substr(request_size_); }

  [[nodiscard]] std::string_view why() const { return why_; }  // after `failed`, else ""

 private:
  enum class State : std::uint8_t {
    version,    // nothing yet
    greeting,   // SOCKS 5: the methods
    password,   // SOCKS 5: the credential
    checking,   // the owner has it
    request,    // SOCKS 5
    request4,   // SOCKS 4, which begins with it
    requested,  // the owner has it
    answered,
    failed,
  };

  Event advance();
  // Each reads one message if it is all there. True: the state has changed, go on.
  bool step();
  bool read_version();
  bool read_greeting();
  bool read_password();
  bool read_request();
  bool read_request4();

  bool take_request(SocksCommand command, const SocksAddress& destination, std::size_t size);
  bool refuse(SocksReply reply, std::string_view why);
  bool fail(std::string_view why);
  void put(std::string_view bytes);
  void put_reply(SocksReply reply, const Endpoint& bound);
  void consume(std::size_t n);
  [[nodiscard]] std::uint8_t byte(std::size_t at) const { return static_cast<std::uint8_t>(input_[at]); }
  [[nodiscard]] std::string_view text() const { return {input_.data(), input_size_}; }

  SocksMethods accepted_;
  State state_ = State::version;
  bool v4_ = false;
  SocksCommand command_ = SocksCommand::connect;
  SocksAddress destination_;
  std::size_t request_size_ = 0;
  std::string_view why_;
  std::array<char, 1024> input_{};  // begins with the message that is being read; the longest has 520 bytes
  std::size_t input_size_ = 0;
  std::array<char, 32> output_{};
  std::size_t output_size_ = 0;
};

}  // namespace nightlatch
