#include "proxy/socks.h"

#include <string.h>

#include <algorithm>
#include <cerrno>

namespace nightlatch {

namespace {
constexpr std::uint8_t kVersion4 = 4, kVersion5 = 5, kPasswordVersion = 1;
constexpr char kNoMethod = 0, kPasswordMethod = 2;  // RFC 1928 section 3
constexpr std::string_view kNoneFits("\x05\xff", 2);
constexpr std::string_view kPasswordOk("\x01\x00", 2), kPasswordBad("\x01\x01", 2);  // RFC 1929 section 2
constexpr char kGranted = 90, kRejected = 91;                                        // SOCKS 4
constexpr std::size_t kMaxText = 255;
}  // namespace

SocksReply socks_reply_for(int connect_errno) {
  switch (connect_errno) {
    case ENETUNREACH:
    case ENETDOWN:
      return SocksReply::network_unreachable;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return SocksReply::host_unreachable;
    case ECONNREFUSED:
      return SocksReply::connection_refused;
    case ETIMEDOUT:  // the one code that speaks of time
      return SocksReply::ttl_expired;
    case EAFNOSUPPORT:
      return SocksReply::address_type_not_supported;
    default:
      return SocksReply::general_failure;
  }
}

SocksHandshake::~SocksHandshake() { explicit_bzero(input_.data(), input_.size()); }

SocksHandshake::Event SocksHandshake::event() const {
  switch (state_) {
    case State::checking:
      return Event::credential;
    case State::requested:
    case State::answered:
      return Event::request;
    case State::failed:
      return Event::failed;
    default:
      return Event::more;
  }
}

std::span<char> SocksHandshake::room() {
  if (event() != Event::more) return {};
  return std::span(input_).subspan(input_size_);
}

SocksHandshake::Event SocksHandshake::received(std::size_t n) {
  input_size_ += std::min(n, room().size());
  return advance();
}

SocksHandshake::Event SocksHandshake::credential(bool ok) {
  if (state_ != State::checking) return event();
  put(ok ? kPasswordOk : kPasswordBad);
  if (ok) {
    consume(3 + user().size() + password().size());
    state_ = State::request;
  } else {
    fail("wrong credential");
  }
  return advance();
}

void SocksHandshake::answer(SocksReply reply, const Endpoint& bound) {
  if (state_ != State::requested) return;
  state_ = State::answered;
  put_reply(reply, bound);
}

void SocksHandshake::sent(std::size_t n) {
  const std::string_view left = output().substr(std::min(n, output_size_));
  std::copy(left.begin(), left.end(), output_.begin());
  output_size_ = left.size();
}

std::string_view SocksHandshake::user() const {
  return state_ == State::checking ? text().substr(2, byte(1)) : std::string_view();
}

std::string_view SocksHandshake::password() const {
  return state_ == State::checking ? text().substr(3U + byte(1), byte(2U + byte(1))) : std::string_view();
}

SocksHandshake::Event SocksHandshake::advance() {
  while (step()) {
  }
  return event();
}

bool SocksHandshake::step() {
  switch (state_) {
    case State::version:
      return read_version();
    case State::greeting:
      return read_greeting();
    case State::password:
      return read_password();
    case State::request:
      return read_request();
    case State::request4:
      return read_request4();
    default:
      return false;
  }
}

bool SocksHandshake::read_version() {
  if (input_size_ == 0) return false;
  v4_ = byte(0) == kVersion4;
  if (!v4_ && byte(0) != kVersion5) return fail("not SOCKS");
  state_ = v4_ ? State::request4 : State::greeting;
  return true;
}

// VER NMETHODS METHODS
bool SocksHandshake::read_greeting() {
  if (input_size_ < 2 || input_size_ < 2U + byte(1)) return false;
  const std::string_view offered = text().substr(2, byte(1));
  const bool password = accepted_.password && offered.find(kPasswordMethod) != std::string_view::npos;
  const bool none = accepted_.none && offered.find(kNoMethod) != std::string_view::npos;
  if (!password && !none) {
    put(kNoneFits);
    return fail("no common method");
  }
  const std::array<char, 2> choice{kVersion5, password ? kPasswordMethod : kNoMethod};
  put({choice.data(), choice.size()});
  consume(2 + offered.size());
  state_ = password ? State::password : State::request;
  return true;
}

// VER ULEN UNAME PLEN PASSWD
bool SocksHandshake::read_password() {
  if (input_size_ == 0) return false;
  if (byte(0) != kPasswordVersion)
    return fail("not a credential");  // a client of another version reads no status
  if (input_size_ < 2 || input_size_ < 3U + byte(1)) return false;
  const std::size_t user = byte(1);
  const std::size_t password = byte(2 + user);
  if (input_size_ < 3 + user + password) return false;
  if (user == 0 || password == 0) {
    put(kPasswordBad);
    return fail("empty credential");
  }
  state_ = State::checking;
  return true;
}

// VER CMD RSV, then the address field. All of it is read before a command is refused: a close that leaves
// bytes unread resets the connection, and the client would not see why.
bool SocksHandshake::read_request() {
  using Found = SocksAddressField::Found;
  if (input_size_ >= 1 && byte(0) != kVersion5) return refuse(SocksReply::general_failure, "not a request");
  if (input_size_ >= 3 && byte(2) != 0) return refuse(SocksReply::general_failure, "reserved byte is not 0");
  if (input_size_ < 4) return false;
  const SocksAddressField field = parse_socks_address(text().substr(3));
  if (field.found == Found::more) return false;
  if (field.found == Found::unknown_type)
    return refuse(SocksReply::address_type_not_supported, "unknown address type");
  if (field.found == Found::bad_name) return refuse(SocksReply::general_failure, "bad host name");
  const auto command = static_cast<SocksCommand>(byte(1));
  if (command != SocksCommand::connect && command != SocksCommand::udp_associate)
    return refuse(SocksReply::command_not_supported, "unsupported command");
  return take_request(command, field.address, 3 + field.size);
}

// VN CD DSTPORT DSTIP USERID NUL, and with an address of 0.0.0.1-0.0.0.255 (SOCKS 4a) a host name and NUL.
// The user id is passed over: it proves nothing.
bool SocksHandshake::read_request4() {
  if (input_size_ < 8) return false;
  const std::size_t user = text().substr(8).find('\0');
  if (std::min(user, input_size_ - 8) > kMaxText)
    return refuse(SocksReply::general_failure, "user id too long");
  if (user == std::string_view::npos) return false;
  std::size_t size = 8 + user + 1;

  const auto ip =
      std::uint32_t{byte(4)} << 24 | std::uint32_t{byte(5)} << 16 | std::uint32_t{byte(6)} << 8 | byte(7);
  SocksAddress to{IpAddress::v4(ip), static_cast<std::uint16_t>(byte(2) << 8 | byte(3)), {}};
  if (ip > 0 && ip <= 255) {
    const std::size_t length = text().substr(size).find('\0');
    if (std::min(length, input_size_ - size) > kMaxText)
      return refuse(SocksReply::general_failure, "bad host name");
    if (length == std::string_view::npos) return false;
    to = {{}, to.port, text().substr(size, length)};
    if (!is_socks_name(to.name)) return refuse(SocksReply::general_failure, "bad host name");
    size += length + 1;
  }
  if (!accepted_.none) return refuse(SocksReply::not_allowed, "SOCKS 4 has no password");
  if (byte(1) != static_cast<std::uint8_t>(SocksCommand::connect))
    return refuse(SocksReply::command_not_supported, "unsupported command");
  return take_request(SocksCommand::connect, to, size);
}

bool SocksHandshake::take_request(SocksCommand command, const SocksAddress& destination, std::size_t size) {
  if (command == SocksCommand::connect && destination.port == 0)
    return refuse(SocksReply::general_failure, "port 0");
  command_ = command;
  destination_ = destination;
  request_size_ = size;
  state_ = State::requested;
  return true;
}

bool SocksHandshake::refuse(SocksReply reply, std::string_view why) {
  put_reply(reply, {IpAddress::v4(0), 0});
  return fail(why);
}

bool SocksHandshake::fail(std::string_view why) {
  consume(input_size_);
  why_ = why;
  state_ = State::failed;
  return false;
}

void SocksHandshake::put(std::string_view bytes) {  // 2 + 2 + 22 in the longest conversation
  std::copy(bytes.begin(), bytes.end(), std::span(output_).subspan(output_size_).begin());
  output_size_ += bytes.size();
}

// SOCKS 5: VER REP RSV and the address field. SOCKS 4: VN CD DSTPORT DSTIP.
void SocksHandshake::put_reply(SocksReply reply, const Endpoint& bound) {
  if (v4_) {
    std::array<char, 8> bytes{0, reply == SocksReply::succeeded ? kGranted : kRejected,
                              static_cast<char>(bound.port >> 8), static_cast<char>(bound.port & 0xff)};
    const auto& ip = bound.address.bytes();
    if (bound.address.is_v4()) std::copy(ip.begin() + 12, ip.end(), bytes.begin() + 4);
    return put({bytes.data(), bytes.size()});
  }
  std::array<char, 3 + kMaxSocksAddress> bytes{kVersion5, static_cast<char>(reply), 0};
  const std::size_t size = encode_socks_address({bound.address, bound.port, {}}, std::span(bytes).subspan(3));
  put({bytes.data(), 3 + size});
}

// What has been read is overwritten: it may be a password.
void SocksHandshake::consume(std::size_t n) {
  const std::string_view left = text().substr(n);
  std::copy(left.begin(), left.end(), input_.begin());
  explicit_bzero(input_.data() + left.size(), input_size_ - left.size());
  input_size_ = left.size();
}

}  // namespace nightlatch
