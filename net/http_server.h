// HttpServer: HTTP/1.1 over TCP and TLS, for a handler that may answer later. Bounded everywhere: sizes,
// times, the number of connections, and of those of one holder, which is an address unless it is said what
// is. When all are taken, whoever holds most gives way. Nothing a client sends or leaves out keeps anything
// for long. Owned by its process's main function; everything belongs to the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "net/http_message.h"
#include "net/http_parser.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace nightlatch {

class HttpConnection;

// The answer that is owed to one request. Copies are the same answer; the first respond() counts. When the
// last copy goes without one, the client gets 500. A client that has left is no error.
class HttpResponder {
 public:
  explicit HttpResponder(HttpConnection* connection);
  void respond(const HttpResponse& response) const;
  // For a client that watches: sends the head and this body now. respond() later sends its own body behind it
  // and ends the connection, which is how the client knows the end; its head is not used. Once, before
  // respond().
  void begin(const HttpResponse& response) const;
  [[nodiscard]] bool answered_or_gone() const { return owed_->connection == nullptr; }

 private:
  friend class HttpConnection;
  struct Owed {
    HttpConnection* connection = nullptr;  // nullptr once answered, or when the client has left
    ~Owed();
  };
  std::shared_ptr<Owed> owed_;
};

using HttpHandler = std::function<void(HttpRequest, HttpResponder)>;

struct HttpServerLimits {
  HttpLimits message{};
  Millis head{10'000};   // from the first byte, or the connection, to the last field
  Millis body{20'000};   // from there to the end of the body
  Millis idle{30'000};   // between requests
  Millis write{30'000};  // until the client has taken an answer
  Millis linger{2'000};  // for the client to read the last answer before the connection goes
  std::size_t connections = 1024;
  std::size_t per_holder = 128;
};

class HttpServer {
 public:
  HttpServer(Loop& loop, const HttpServerLimits& limits);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Accepts on `listener` (net/stream.h); with `tls`, speaks TLS there.
  void serve(Fd listener, std::shared_ptr<const TlsContext> tls, HttpHandler handler);
  // Stops accepting; lets requests under way finish; then calls `done` once, from the loop.
  void drain(std::function<void()> done);
  // Told of clients whose certificate was refused, and why (net/tls_context.h).
  void on_refused_client(std::function<void(const Endpoint& peer, std::string_view reason)> told) {
    refused_client_ = std::move(told);
  }
  // Whose connections count together: before the first of them. Empty texts are one holder.
  void count_by(std::function<std::string(const IpAddress&)> holder_of) { holder_of_ = std::move(holder_of); }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  friend class HttpConnection;
  struct Listener;
  void accept_some(Listener& listener);
  bool make_room(const std::string& holder);
  bool give_way(const std::function<bool(const std::string&)>& of, bool even_busy);
  void retire(HttpConnection* connection);  // destroyed a turn later, outside of its own callbacks
  void bury();
  [[nodiscard]] bool draining() const { return static_cast<bool>(drained_); }

  Loop& loop_;
  HttpServerLimits limits_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  struct Held {
    std::unique_ptr<HttpConnection> connection;
    std::string holder;
  };
  std::unordered_map<HttpConnection*, Held> connections_;
  std::unordered_map<std::string, std::size_t> per_holder_;
  std::function<std::string(const IpAddress&)> holder_of_ = [](const IpAddress& a) { return a.text(); };
  std::vector<std::unique_ptr<HttpConnection>> graveyard_;
  std::function<void()> drained_;
  std::function<void(const Endpoint&, std::string_view)> refused_client_;
  bool told_of_shortage_ = false;
  Wakeup burial_;
  Timer again_;  // after running out of descriptors
};

}  // namespace nightlatch
