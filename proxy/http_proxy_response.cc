#include "proxy/http_proxy_response.h"

#include <fmt/format.h>

#include <utility>

namespace nightlatch {

namespace {
constexpr HttpHeadReader::Limits kLimits{.bytes = std::size_t{64} * 1024, .fields = 200};

// RFC 9112 section 6.3, rule 1: the blank line ends these, whatever their fields say.
bool never_has_content(int status) { return status < 200 || status == 204 || status == 304; }
}  // namespace

ProxyResponseReader::ProxyResponseReader(const ProxyRequest& asked)
    : head_only_(asked.method == "HEAD"),
      upgrade_asked_(!asked.upgrade.empty()),
      client_minor_(asked.minor),
      client_stays_(asked.keep_alive),
      head_(HttpHeadReader::Kind::response, kLimits) {}

ProxyResponseReader::Step ProxyResponseReader::next(std::string_view& bytes) {
  while (at_ == At::head) {
    switch (head_.feed(bytes)) {
      case HttpHeadReader::Progress::more:
        return Step::more;
      case HttpHeadReader::Progress::failed:
        return fail("the server's answer is malformed");
      case HttpHeadReader::Progress::complete:
        // `more`: an interim answer that the client is not told of.
        if (const Step step = begin(head_.take()); step != Step::more) return step;
    }
  }
  if (at_ == At::body) {
    in_body_ = true;
    switch (body_.next(bytes)) {
      case HttpBodyReader::Progress::more:
        return Step::more;
      case HttpBodyReader::Progress::piece:
        return Step::body;
      case HttpBodyReader::Progress::failed:
        return fail("the server's answer has a malformed chunk");
      case HttpBodyReader::Progress::end:
        at_ = At::ended;
    }
  }
  return at_ == At::ended ? Step::end : at_ == At::tunnel ? Step::tunnel : Step::failed;
}

ProxyResponseReader::Step ProxyResponseReader::closed() {
  if (at_ == At::head) return fail("the server closed before it answered");
  if (at_ == At::body) {
    std::string_view none;
    if (body_.ends_with_connection() || next(none) == Step::end) {
      at_ = At::ended;
    } else {
      return fail("the server closed in the midst of its answer");
    }
  }
  server_stays_ = false;
  std::string_view none;
  return next(none);
}

ProxyResponseReader::Step ProxyResponseReader::begin(HttpHead head) {
  status_ = head.status;
  const auto declared = declared_framing(head);
  if (!declared) return fail("the length of the server's answer is not clear");
  const auto options = ConnectionOptions::parse(head.fields);
  if (!options) return fail("the server's Connection field is malformed");
  // RFC 9110 section 8.6, RFC 9112 section 6.1: a length where there can be no content. 0 is often sent, and
  // harmless.
  if (declared->kind != HttpFraming::Kind::none && (head.status < 200 || head.status == 204) &&
      *declared != HttpFraming{HttpFraming::Kind::length, 0})
    return fail("the server's answer has content where there is none");
  // Only a proxy asks so: the client would take it for us, and tell us nothing new (RFC 9110 section 15.5.8).
  if (head.status == 407) return fail("the server answers as if it were a proxy");

  const std::string protocol = wanted_upgrade(head, *options);
  keep_end_to_end(head.fields, *options);
  if (head.status == 101) return change_protocol(head, protocol);
  if (head.status < 200) return interim(head);
  return final_head(head, *declared, head.minor == 1 && !options->has("close"));
}

// RFC 9110 section 15.2: passed on, but not to an HTTP/1.0 client, which knows none.
ProxyResponseReader::Step ProxyResponseReader::interim(const HttpHead& head) {
  if (client_minor_ == 0) return Step::more;
  write_head(head);
  head_bytes_ += "\r\n";
  return Step::interim;
}

ProxyResponseReader::Step ProxyResponseReader::change_protocol(const HttpHead& head,
                                                               const std::string& protocol) {
  if (!upgrade_asked_ || protocol.empty()) return fail("the server changes to a protocol nobody asked for");
  write_head(head);
  write_upgrade(head_bytes_, protocol);
  head_bytes_ += "\r\n";
  at_ = At::tunnel;
  answered_ = true;
  client_stays_ = false;
  return Step::head;
}

ProxyResponseReader::Step ProxyResponseReader::final_head(const HttpHead& head, HttpFraming declared,
                                                          bool server_keeps) {
  const bool empty = head_only_ || never_has_content(head.status);
  HttpFraming framing = declared;  // RFC 9112 section 6.3
  if (framing.kind == HttpFraming::Kind::none) framing.kind = HttpFraming::Kind::until_close;
  const bool unwrap = framing.kind == HttpFraming::Kind::chunked && client_minor_ == 0;
  const bool ends_by_closing = !empty && (framing.kind == HttpFraming::Kind::until_close || unwrap);
  client_stays_ = client_stays_ && !ends_by_closing;
  server_stays_ = server_keeps && (empty || framing.kind != HttpFraming::Kind::until_close);

  write_head(head);
  // Without content a length still tells how long it would be (RFC 9110 section 8.6).
  const bool tells_length = declared.kind == HttpFraming::Kind::length && head.status != 204;
  if (tells_length || (!empty && !unwrap)) write_framing(head_bytes_, declared);
  if (!client_stays_) write_field(head_bytes_, "Connection", "close");
  head_bytes_ += "\r\n";
  body_ = HttpBodyReader(empty ? HttpFraming{} : framing, unwrap);
  at_ = At::body;
  answered_ = true;
  return Step::head;
}

void ProxyResponseReader::write_head(const HttpHead& head) {
  head_bytes_ = fmt::format("HTTP/1.1 {} {}\r\n", head.status, head.reason);
  write_fields(head_bytes_, head.fields);
  write_via(head_bytes_, head.minor);
}

ProxyResponseReader::Step ProxyResponseReader::fail(std::string_view line) {
  at_ = At::failed;
  answer_ = {502, line};
  client_stays_ = server_stays_ = false;
  return Step::failed;
}

}  // namespace nightlatch
