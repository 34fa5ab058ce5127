// HttpConnection: one client's connection, from accept to close: TLS if any, requests in order, answers,
// deadlines. Owned by HttpServer, which destroys it outside of its callbacks; loop's thread. Only http_*.cc
// include this.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/stream.h"

namespace nightlatch {

class HttpConnection {
 public:
  HttpConnection(Loop& loop, HttpServer& server, Fd fd, const Endpoint& peer, const Endpoint& local,
                 std::unique_ptr<TlsSession> tls, const HttpHandler& handler);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void answer(const HttpResponse& response);
  void begin(const HttpResponse& response);  // of an answer that ends later
  void drain();                              // ends now when idle, otherwise after the answer that is owed
  [[nodiscard]] bool idle() const { return state_ == State::reading && !parser_.started() && input_.empty(); }
  void abandon() { die(); }  // whatever it does

 private:
  // reading -> handling (a request is complete) -> reading (answered, kept alive)
  //                                             -> lingering (answered for the last time) -> dead
  // handling -> telling (an answer has begun)   -> lingering
  // dead from any state: the client left, or a deadline passed.
  enum class State : unsigned char { reading, handling, telling, lingering, dead };

  enum class Wait : unsigned char { nothing, head, body, idle, write, linger };

  void received(std::string_view wire);
  void process();
  void handle_request();
  void refuse(int status);
  void send(std::string_view plain);
  void last_words();
  void timed_out();
  void wait_for(Wait what);
  void drained();
  void die();

  HttpServer& server_;
  const HttpServerLimits& limits_;
  Endpoint peer_, local_;
  std::unique_ptr<TlsSession> tls_;
  HttpHandler handler_;
  HttpParser parser_;
  std::string input_;  // plain bytes that the parser has yet to see: at most what one read brought
  std::weak_ptr<HttpResponder::Owed> owed_;
  std::size_t discarded_ = 0;
  State state_ = State::reading;
  Wait wait_ = Wait::nothing;
  bool processing_ = false, keep_alive_ = false, with_body_ = true, peer_ended_ = false;
  Timer deadline_;
  SocketStream stream_;
};

}  // namespace nightlatch
