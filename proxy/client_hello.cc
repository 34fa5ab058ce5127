#include "proxy/client_hello.h"

#include <algorithm>

#include "base/address.h"
#include "policy/host_name.h"

namespace nightlatch {

namespace {

constexpr std::uint64_t kServerName = 0x0000;            // RFC 6066 section 3
constexpr std::uint64_t kEncryptedClientHello = 0xfe0d;  // RFC 9849 section 5
constexpr std::size_t kMostRecord = 16384;               // RFC 8446 section 5.1

// One name of type host_name: RFC 6066 knows no other type, and forbids two of one.
bool read_server_name(Bytes extension, ClientHello& hello) {
  ByteReader reader(extension);
  ByteReader list(reader.vector(2));
  const std::uint64_t type = list.number(1);
  const std::string_view sent = text_of(list.vector(2));
  if (!reader.done() || !list.done() || type != 0) return false;
  hello.has_sni = true;
  if (IpAddress::parse(sent)) return true;
  const auto name = WireName::read(sent);
  if (!name) return false;
  hello.server_name = name->text();
  return true;
}

bool read_extensions(ByteReader extensions, ClientHello& hello) {
  while (!extensions.empty()) {
    const std::uint64_t type = extensions.number(2);
    const Bytes data = extensions.vector(2);
    if (!extensions.ok()) return false;
    if (type == kServerName && (hello.has_sni || !read_server_name(data, hello))) return false;
    if (type == kEncryptedClientHello) {
      if (hello.has_ech) return false;
      hello.has_ech = true;
    }
  }
  return true;
}

}  // namespace

std::optional<std::size_t> client_hello_size(Bytes beginning) {
  if (beginning.size() < 4) return 0;
  ByteReader reader(beginning);
  const bool is_hello = reader.number(1) == 1;
  const std::uint64_t size = 4 + reader.number(3);
  if (!is_hello || size > kMostClientHello) return std::nullopt;
  return static_cast<std::size_t>(size);
}

std::optional<ClientHello> parse_client_hello(Bytes body) {
  ByteReader reader(body);
  const bool version_3 = reader.number(2) >> 8 == 3;
  reader.take(32);  // random
  const Bytes session_id = reader.vector(1);
  const Bytes ciphers = reader.vector(2);
  const Bytes compression = reader.vector(1);
  const bool sizes_fit =
      session_id.size() <= 32 && !ciphers.empty() && ciphers.size() % 2 == 0 && !compression.empty();
  if (!reader.ok() || !version_3 || !sizes_fit) return std::nullopt;
  ClientHello hello;
  if (reader.empty()) return hello;  // before TLS 1.3 the extensions may be left out
  const ByteReader extensions(reader.vector(2));
  if (!reader.done() || !read_extensions(extensions, hello)) return std::nullopt;
  return hello;
}

HelloState ClientHelloStream::feed(Bytes bytes) {
  while (state_ == HelloState::more && !bytes.empty()) {
    bytes = bytes.subspan(record_left_ == 0 ? take_header(bytes) : take_fragment(bytes));
  }
  return state_;
}

// Type, version and length (RFC 8446 section 5.1). Judged byte by byte: a client that speaks something else
// may say no more than a few bytes before it waits for an answer.
std::size_t ClientHelloStream::take_header(Bytes bytes) {
  const std::size_t n = std::min(bytes.size(), header_.size() - header_size_);
  std::copy_n(bytes.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
  header_size_ += n;
  const bool is_handshake =
      header_[0] == 22 && (header_size_ < 2 || header_[1] == 3) && (header_size_ < 3 || header_[2] <= 4);
  if (!is_handshake) {
    state_ = records_ == 0 ? HelloState::not_tls : HelloState::malformed;
  } else if (header_size_ == header_.size()) {
    header_size_ = 0;
    record_left_ = static_cast<std::size_t>(header_[3]) << 8 | header_[4];
    // Records of nothing are not allowed for a handshake.
    if (record_left_ == 0 || record_left_ > kMostRecord || ++records_ > kMostRecords)
      state_ = HelloState::malformed;
  }
  return n;
}

std::size_t ClientHelloStream::take_fragment(Bytes bytes) {
  const std::size_t n = std::min({bytes.size(), record_left_, kMostClientHello - message_.size()});
  message_.insert(message_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
  record_left_ -= n;
  const auto size = client_hello_size(message_);
  if (size && (*size == 0 || message_.size() < *size)) return n;
  // Nothing may follow the hello in its record: no client has more to say before it is answered.
  state_ = HelloState::malformed;
  if (!size || message_.size() > *size || record_left_ > 0) return n;
  if (auto hello = parse_client_hello(Bytes(message_).subspan(4))) {
    hello_ = std::move(*hello);
    state_ = HelloState::found;
  }
  message_ = {};
  return n;
}

}  // namespace nightlatch
