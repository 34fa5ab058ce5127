#include "net/http_connection.h"

#include <utility>

namespace nightlatch {

namespace {
constexpr std::size_t kMostDiscarded = std::size_t{256} * 1024;  // of what a refused client goes on sending
}

HttpResponder::HttpResponder(HttpConnection* connection) : owed_(std::make_shared<Owed>()) {
  owed_->connection = connection;
}

void HttpResponder::respond(const HttpResponse& response) const {
  if (HttpConnection* connection = std::exchange(owed_->connection, nullptr); connection != nullptr) {
    connection->answer(response);
  }
}

void HttpResponder::begin(const HttpResponse& response) const {
  if (owed_->connection != nullptr) owed_->connection->begin(response);
}

HttpResponder::Owed::~Owed() {
  if (connection == nullptr) return;
  HttpResponse response;
  response.status = 500;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  response.body = "Something went wrong here. Please try again.\n";
  std::exchange(connection, nullptr)->answer(response);
}

HttpConnection::HttpConnection(Loop& loop, HttpServer& server, Fd fd, const Endpoint& peer,
                               const Endpoint& local, std::unique_ptr<TlsSession> tls,
                               const HttpHandler& handler)
    : server_(server),
      limits_(server.limits_),
      peer_(peer),
      local_(local),
      tls_(std::move(tls)),
      handler_(handler),
      parser_(server.limits_.message),
      deadline_(loop, [this] { timed_out(); }),
      stream_(loop, std::move(fd),
              {.data = [this](std::string_view wire) { received(wire); },
               .ended =
                   [this] {
                     peer_ended_ = true;
                     // Half a request will never be whole; an answer that is owed may still be read.
                     if (state_ != State::handling && stream_.queued() == 0) die();
                   },
               .failed = [this] { die(); },
               .drained = [this] { drained(); }}) {
  wait_for(Wait::head);  // the handshake is within it
}

HttpConnection::~HttpConnection() {
  if (const auto owed = owed_.lock()) owed->connection = nullptr;
}

void HttpConnection::wait_for(Wait what) {
  if (wait_ == what) return;
  wait_ = what;
  switch (what) {
    case Wait::nothing:
      deadline_.cancel();
      break;
    case Wait::head:
      deadline_.once(limits_.head);
      break;
    case Wait::body:
      deadline_.once(limits_.body);
      break;
    case Wait::idle:
      deadline_.once(limits_.idle);
      break;
    case Wait::write:
      deadline_.once(limits_.write);
      break;
    case Wait::linger:
      deadline_.once(limits_.linger);
      break;
  }
}

void HttpConnection::die() {
  if (state_ == State::dead) return;
  state_ = State::dead;
  if (const auto owed = owed_.lock()) owed->connection = nullptr;
  wait_for(Wait::nothing);
  stream_.read(false);
  server_.retire(this);
}

void HttpConnection::received(std::string_view wire) {
  if (state_ == State::dead) return;
  if (state_ == State::lingering || state_ == State::telling) {
    discarded_ += wire.size();
    if (discarded_ > kMostDiscarded) die();
    return;
  }
  if (!tls_) {
    input_.append(wire);
    process();
    return;
  }
  const TlsSession::State state = tls_->feed(wire, input_);
  if (state == TlsSession::State::failed) {
    if (const std::string_view why = tls_->certificate_refusal(); !why.empty() && server_.refused_client_)
      server_.refused_client_(peer_, why);
    if (!tls_->spoke_plain_http()) {
      stream_.write(tls_->outgoing());  // the alert
    } else {
      HttpResponse plain;
      plain.status = 400;
      plain.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
      plain.body = "This port speaks HTTPS: begin the address with https://\n";
      stream_.write(serialize(plain, true, false));
    }
    tls_.reset();
    last_words();
    return;
  }
  stream_.write(tls_->outgoing());
  if (state == TlsSession::State::ended) peer_ended_ = true;
  process();
  if (peer_ended_ && state_ == State::reading) die();
}

void HttpConnection::process() {
  if (processing_) return;
  processing_ = true;
  // The next request waits until the client has taken the answer to this one.
  while (state_ == State::reading && stream_.queued() == 0 && !input_.empty()) {
    std::size_t used = 0;
    const HttpParser::Progress progress = parser_.feed(input_, used);
    input_.erase(0, used);
    if (progress == HttpParser::Progress::failed) {
      refuse(parser_.status());
    } else if (progress == HttpParser::Progress::complete) {
      handle_request();
    } else {
      if (parser_.wants_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
    }
  }
  processing_ = false;
  if (state_ != State::reading) return;
  if (stream_.queued() > 0) return;  // the answer's own deadline runs
  // The head's deadline begins with its first byte, the body's with the end of the head; neither is renewed.
  if (parser_.head_complete()) {
    wait_for(Wait::body);
  } else if (parser_.started()) {
    wait_for(Wait::head);
  } else if (wait_ == Wait::write) {
    wait_for(Wait::idle);
  }
  stream_.read(true);
}

void HttpConnection::handle_request() {
  HttpRequest request = parser_.take();
  request.peer = peer_;
  request.local = local_;
  request.over_tls = tls_ != nullptr;
  if (tls_) request.certificate = tls_->certificate();
  keep_alive_ = request.keep_alive && !server_.draining();
  with_body_ = request.method != "HEAD";
  state_ = State::handling;
  wait_for(Wait::nothing);
  stream_.read(false);
  const HttpResponder responder(this);
  owed_ = responder.owed_;
  handler_(std::move(request), responder);
}

void HttpConnection::refuse(int status) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  response.body = std::string(reason_phrase(status)) + "\n";
  keep_alive_ = false;
  with_body_ = true;
  state_ = State::handling;
  answer(response);
}

// Whoever watches says nothing more: what still comes is not read as a request, and its end is the client's
// leaving.
void HttpConnection::begin(const HttpResponse& response) {
  if (state_ != State::handling || !with_body_) return;
  state_ = State::telling;
  keep_alive_ = false;
  send(serialize_beginning(response));
  stream_.read(true);
}

void HttpConnection::answer(const HttpResponse& response) {
  if (state_ == State::telling) {
    send(response.body);
    last_words();
    return;
  }
  if (state_ != State::handling) return;
  const bool keep = keep_alive_ && !response.close && !peer_ended_ && !server_.draining();
  send(serialize(response, with_body_, keep));
  if (!keep) {
    last_words();
    return;
  }
  state_ = State::reading;
  wait_for(stream_.queued() > 0 ? Wait::write : Wait::idle);
  process();
}

void HttpConnection::send(std::string_view plain) {
  if (!tls_) {
    stream_.write(plain);
    return;
  }
  tls_->write(plain);
  stream_.write(tls_->outgoing());
}

// Ends our direction and gives the client time to read: closing at once would reset what it has yet to read
// (RFC 9112 section 9.6).
void HttpConnection::last_words() {
  if (tls_) {
    tls_->finish();
    stream_.write(tls_->outgoing());
  }
  stream_.finish();
  input_.clear();
  state_ = State::lingering;
  wait_for(stream_.queued() > 0 ? Wait::write : Wait::linger);
  if (peer_ended_ && stream_.queued() == 0) {
    die();
    return;
  }
  stream_.read(true);
}

void HttpConnection::drained() {
  if (state_ == State::reading) process();
  if (state_ == State::handling || state_ == State::telling || state_ == State::dead) return;
  if (peer_ended_) {
    die();
  } else if (state_ == State::lingering) {
    wait_for(Wait::linger);
  }
}

void HttpConnection::timed_out() {
  wait_ = Wait::nothing;
  if (state_ == State::reading && parser_.started() && stream_.queued() == 0) {
    refuse(408);
    return;
  }
  die();
}

void HttpConnection::drain() {
  if (idle()) {
    die();
  } else if (state_ == State::telling) {
    last_words();  // what it waits for may be minutes away
  }
}

}  // namespace nightlatch
