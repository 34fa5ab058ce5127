#include "proxy/http_proxy_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/crypto.h"
#include "proxy/http_target.h"

namespace nightlatch {

namespace {

constexpr ProxyAnswer kFine{};
constexpr ProxyAnswer bad(std::string_view line) { return {400, line}; }

// RFC 9112 section 3.2: exactly one Host, and well formed; only HTTP/1.0 may leave it out. What it says does
// not matter: the target's authority counts, and is sent on in its place.
ProxyAnswer check_host(const HttpHead& head) {
  const auto hosts = count_fields(head.fields, "Host");
  if (hosts > 1) return bad("more than one Host");
  if (hosts == 0) return head.minor == 0 ? kFine : bad("no Host");
  return parse_authority(find_field(head.fields, "Host"), 80) ? kFine : bad("malformed Host");
}

// RFC 9110 section 9.3.6: the authority form alone, with a port, and no content.
ProxyAnswer read_connect(const HttpHead& head, ProxyRequest& out) {
  auto authority = parse_authority(head.target, 0);
  if (!authority) return bad("CONNECT needs host:port");
  if (out.framing.kind != HttpFraming::Kind::none) return bad("CONNECT has no content");
  out.host = std::move(authority->host);
  out.port = authority->port;
  return kFine;
}

// RFC 9112 section 3.2.2, and 3.2.4 for OPTIONS of a whole server.
ProxyAnswer read_target(const HttpHead& head, ProxyRequest& out) {
  AbsoluteTarget target;
  switch (parse_absolute(head.target, target)) {
    case TargetFault::none:
      break;
    case TargetFault::not_absolute:
      return bad("this is a proxy: ask for http://host/path, or use CONNECT");
    case TargetFault::not_http:
      return {501, "only http:// is passed on: use CONNECT for everything else"};
    case TargetFault::malformed:
      return bad("malformed target: ask for http://host/path");
  }
  out.host = std::move(target.authority.host);
  out.port = target.authority.port;
  out.target = std::move(target.origin);
  if (out.target.empty()) out.target = head.method == "OPTIONS" ? "*" : "/";
  return kFine;
}

// RFC 9110 section 7.6.2. Only OPTIONS counts its hops: TRACE is not passed on at all.
ProxyAnswer count_hop(ProxyRequest& out) {
  const auto present = count_fields(out.fields, "Max-Forwards");
  if (out.method != "OPTIONS" || present == 0) return kFine;
  if (present > 1) return bad("more than one Max-Forwards");
  const auto field = std::find_if(out.fields.begin(), out.fields.end(),
                                  [](const HttpField& f) { return same_name(f.name, "Max-Forwards"); });
  unsigned hops = 0;
  const char* end = field->value.data() + field->value.size();
  const auto [at, error] = std::from_chars(field->value.data(), end, hops);
  if (error != std::errc() || at != end) return bad("malformed Max-Forwards");
  if (hops == 0) return {200, "this is a proxy for CONNECT and http://"};
  field->value = std::to_string(hops - 1);
  return kFine;
}

ProxyAnswer read_request(HttpHead head, ProxyRequest& out) {
  const auto framing = declared_framing(head);
  if (!framing) return bad("the length of the content is not clear");
  const auto options = ConnectionOptions::parse(head.fields);
  if (!options) return bad("malformed Connection");
  if (const ProxyAnswer no = check_host(head); no.status != 0) return no;
  if (count_fields(head.fields, "Proxy-Authorization") > 1) return bad("more than one Proxy-Authorization");
  if (head.method == "TRACE") return {405, "TRACE is not passed on"};

  out.framing = *framing;
  out.minor = head.minor;
  out.keep_alive = head.minor == 1 && !options->has("close");
  for (HttpField& field : head.fields) {
    if (same_name(field.name, "Proxy-Authorization")) out.authorization = std::move(field.value);
  }
  const bool connect = head.method == "CONNECT";
  if (const ProxyAnswer no = connect ? read_connect(head, out) : read_target(head, out); no.status != 0)
    return no;
  if (!connect) out.upgrade = wanted_upgrade(head, *options);
  out.method = std::move(head.method);
  out.fields = std::move(head.fields);
  keep_end_to_end(out.fields, *options);
  std::erase_if(out.fields, [&](const HttpField& f) {
    // RFC 9110 section 10.1.1: no expectation in HTTP/1.0; it could not read a 100 either.
    return same_name(f.name, "Host") || (out.minor == 0 && same_name(f.name, "Expect"));
  });
  return count_hop(out);
}

}  // namespace

ProxyRequest::~ProxyRequest() { wipe(authorization); }

std::string upstream_head(const ProxyRequest& request, bool keep) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  write_field(out, "Host", to_text({request.host, request.port}, 80));
  write_fields(out, request.fields);
  write_framing(out, request.framing);
  write_via(out, request.minor);
  if (!request.upgrade.empty()) {
    write_upgrade(out, request.upgrade);
  } else if (!keep) {
    write_field(out, "Connection", "close");
  }
  return out += "\r\n";
}

ProxyRequestReader::ProxyRequestReader() : head_(HttpHeadReader::Kind::request, HttpHeadReader::Limits{}) {}

ProxyRequestReader::Step ProxyRequestReader::next(std::string_view& bytes) {
  switch (at_) {
    case At::head:
      switch (head_.feed(bytes)) {
        case HttpHeadReader::Progress::more:
          return Step::more;
        case HttpHeadReader::Progress::complete:
          return begin(head_.take());
        case HttpHeadReader::Progress::failed:
          return refuse({head_.fault().status, head_.fault().line});
      }
      break;
    case At::body:
      switch (body_.next(bytes)) {
        case HttpBodyReader::Progress::more:
          return Step::more;
        case HttpBodyReader::Progress::piece:
          return Step::body;
        case HttpBodyReader::Progress::end:
          at_ = At::ended;
          return Step::end;
        case HttpBodyReader::Progress::failed:
          return refuse(bad("malformed chunk"));
      }
      break;
    case At::connected:
      return Step::connect;
    case At::ended:
      return Step::end;
    case At::answered:
      break;
  }
  return Step::answer;
}

ProxyRequestReader::Step ProxyRequestReader::begin(HttpHead head) {
  request_ = ProxyRequest();
  if (const ProxyAnswer no = read_request(std::move(head), request_); no.status != 0) return refuse(no);
  const bool connect = request_.method == "CONNECT";
  body_ = HttpBodyReader(request_.framing);
  at_ = connect ? At::connected : At::body;
  return connect ? Step::connect : Step::forward;
}

ProxyRequestReader::Step ProxyRequestReader::refuse(const ProxyAnswer& answer) {
  at_ = At::answered;
  answer_ = answer;
  return Step::answer;
}

void ProxyRequestReader::next_request() {
  if (at_ == At::ended && request_.keep_alive) at_ = At::head;
}

}  // namespace nightlatch
