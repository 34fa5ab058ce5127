#include "proxy/first_name.h"

#include <algorithm>

#include "policy/host_address.h"
#include "proxy/http_fields.h"
#include "proxy/http_target.h"

namespace nightlatch {

namespace {
constexpr char kTlsHandshake = '\x16';  // RFC 8446 section 5.1
constexpr std::size_t kMostMethod = 32;
constexpr std::size_t kMostHead = 65536, kMostFields = 500;  // what servers at most take

// A request line that some server might read, though we do not: whole, or as far as it came.
bool looks_like_request(std::string_view line) {
  if (line.find(" HTTP/1.") != std::string_view::npos) return true;
  const std::string_view target = line.substr(std::min(line.find(' '), line.size()));
  return target.starts_with(" /") || target.starts_with(" http:") || target.starts_with(" HTTP:");
}
}  // namespace

FirstName::State FirstName::feed(std::string_view bytes) {
  if (bytes.empty() || (state_ != State::silent && state_ != State::more)) return state_;
  state_ = State::more;
  if (!tls_ && !http_ && method_.empty()) {
    // Servers pass over an empty line before a request (RFC 9112 section 2.2).
    bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
    if (bytes.empty()) return state_;
    if (bytes.front() == kTlsHandshake) tls_ = std::make_unique<ClientHelloStream>();
  }
  return state_ = tls_ ? feed_tls(bytes) : http_ ? feed_http(bytes) : feed_method(bytes);
}

// HTTP begins with a method of capital letters and a space. Which one does not matter, but for the two that
// have targets of their own: for the reader it is GET, as it knows not every method that servers know.
FirstName::State FirstName::feed_method(std::string_view bytes) {
  const auto end = std::find_if(bytes.begin(), bytes.end(),
                                [](char c) { return (c < 'A' || c > 'Z') && c != '_' && c != '-'; });
  const auto size = static_cast<std::size_t>(end - bytes.begin());
  if (method_.size() + size > kMostMethod) return State::none;
  method_ += bytes.substr(0, size);
  bytes.remove_prefix(size);
  if (bytes.empty()) return State::more;
  if (bytes.front() != ' ' || method_.empty() || method_ == "PRI") return State::none;
  http_ = std::make_unique<HttpHeadReader>(HttpHeadReader::Kind::request,
                                           HttpHeadReader::Limits{.bytes = kMostHead, .fields = kMostFields});
  const bool has_target_of_its_own = method_ == "CONNECT" || method_ == "OPTIONS";
  const State state = feed_http(has_target_of_its_own ? method_ : "GET");
  return state == State::more ? feed_http(bytes) : state;
}

FirstName::State FirstName::feed_tls(std::string_view bytes) {
  switch (tls_->feed(bytes_of(bytes))) {
    case HelloState::more:
      return State::more;
    case HelloState::not_tls:
      return State::none;
    case HelloState::malformed:
      return State::unreadable;
    case HelloState::found:
      break;
  }
  const ClientHello& hello = tls_->hello();
  if (const auto name = WireName::read(hello.server_name)) names_.push_back(*name);
  if (hello.has_ech) return State::encrypted;
  return names_.empty() ? State::none : State::named;
}

FirstName::State FirstName::feed_http(std::string_view bytes) {
  std::string_view rest = bytes;
  const HttpHeadReader::Progress progress = http_->feed(rest);
  // Its first line, up to where it failed: it may be another protocol that begins with a capital letter.
  if (line_.find('\n') == std::string::npos) line_ += bytes.substr(0, bytes.size() - rest.size());
  switch (progress) {
    case HttpHeadReader::Progress::more:
      return State::more;
    case HttpHeadReader::Progress::complete:
      return read_head(http_->take());
    case HttpHeadReader::Progress::failed:
      break;
  }
  return looks_like_request(std::string_view(line_).substr(0, line_.find('\n'))) ? State::unreadable
                                                                                 : State::none;
}

// Both the target and Host, when they differ: one server goes by the one, another by the other (RFC 9112
// section 3.2.2).
FirstName::State FirstName::read_head(const HttpHead& head) {
  if (count_fields(head.fields, "host") > 1) return State::unreadable;
  if (head.method == "CONNECT") return State::none;  // it speaks to a proxy, and names somebody behind it
  AbsoluteTarget target;
  switch (parse_absolute(head.target, target)) {
    case TargetFault::none:
      if (!add(target.authority.host)) return State::unreadable;
      break;
    case TargetFault::malformed:
      return State::unreadable;
    case TargetFault::not_absolute:
    case TargetFault::not_http:
      break;
  }
  const std::string_view host = find_field(head.fields, "host");
  if (!host.empty()) {
    const auto authority = parse_authority(host, 80);
    if (!authority || !add(authority->host)) return State::unreadable;
  }
  return names_.empty() ? State::none : State::named;
}

// An address names nobody.
bool FirstName::add(std::string_view host) {
  if (address_in(host)) return true;
  const auto name = WireName::read(host);
  if (!name) return false;
  if (names_.empty() || names_.front() != *name) names_.push_back(*name);
  return true;
}

}  // namespace nightlatch
