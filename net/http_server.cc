#include "net/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "net/http_connection.h"

namespace nightlatch {

struct HttpServer::Listener {
  Fd fd;
  std::shared_ptr<const TlsContext> tls;
  HttpHandler handler;
  std::unique_ptr<ReadWatch> watch;
};

HttpServer::HttpServer(Loop& loop, const HttpServerLimits& limits)
    : loop_(loop), limits_(limits), burial_(loop, [this] { bury(); }), again_(loop, [this] {
        for (auto& listener : listeners_) {
          if (listener->watch) continue;
          Listener* l = listener.get();
          l->watch = std::make_unique<ReadWatch>(loop_, l->fd.get(), [this, l] { accept_some(*l); });
        }
      }) {}

HttpServer::~HttpServer() = default;

void HttpServer::serve(Fd listener, std::shared_ptr<const TlsContext> tls, HttpHandler handler) {
  auto made = std::make_unique<Listener>();
  made->fd = std::move(listener);
  made->tls = std::move(tls);
  made->handler = std::move(handler);
  Listener* l = made.get();
  l->watch = std::make_unique<ReadWatch>(loop_, l->fd.get(), [this, l] { accept_some(*l); });
  listeners_.push_back(std::move(made));
}

void HttpServer::accept_some(Listener& listener) {
  for (int pass = 0; pass < 64; ++pass) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);  // NOLINT: the socket API's own way
    Fd fd(accept4(listener.fd.get(), raw, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // A level-triggered watch would spin: look again in a moment, when some connection has ended.
        if (!told_of_shortage_) log_warning("cannot accept connections: {}", std::strerror(errno));
        told_of_shortage_ = true;
        listener.watch.reset();
        again_.once(Millis(100));
      }
      return;
    }
    told_of_shortage_ = false;
    const auto peer = Endpoint::from_sockaddr(raw);
    length = sizeof address;
    if (!peer || getsockname(fd.get(), raw, &length) != 0) continue;
    const auto local = Endpoint::from_sockaddr(raw);
    const std::string holder = holder_of_(peer->address);
    if (!local || !make_room(holder)) continue;
    auto connection =
        std::make_unique<HttpConnection>(loop_, *this, std::move(fd), *peer, *local,
                                         listener.tls ? listener.tls->accept() : nullptr, listener.handler);
    ++per_holder_[holder];
    HttpConnection* key = connection.get();
    connections_.emplace(key, Held{std::move(connection), holder});
  }
}

// When all places are taken, one of whoever holds most gives way, busy or not if they then still hold as many
// as the newcomer: nobody keeps others out by holding on.
bool HttpServer::make_room(const std::string& holder) {
  const auto found = per_holder_.find(holder);
  const std::size_t mine = found == per_holder_.end() ? 0 : found->second;
  const auto of_mine = [&](const std::string& other) { return other == holder; };
  if (mine >= limits_.per_holder) return give_way(of_mine, false);
  if (connections_.size() < limits_.connections) return true;
  std::size_t most = 0;
  for (const auto& [other, count] : per_holder_) most = std::max(most, count);
  if (mine == most) return give_way(of_mine, false);
  const auto of_largest = [&](const std::string& other) { return per_holder_.at(other) == most; };
  return give_way(of_largest, false) || (most > mine + 1 && give_way(of_largest, true));
}

bool HttpServer::give_way(const std::function<bool(const std::string&)>& of, bool even_busy) {
  for (const auto& [key, held] : connections_) {
    if (!(even_busy || key->idle()) || !of(held.holder)) continue;
    key->abandon();
    return true;
  }
  return false;
}

void HttpServer::retire(HttpConnection* connection) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  if (const auto mine = per_holder_.find(it->second.holder);
      mine != per_holder_.end() && --mine->second == 0) {
    per_holder_.erase(mine);
  }
  graveyard_.push_back(std::move(it->second.connection));
  connections_.erase(it);
  burial_.wake();
}

void HttpServer::bury() {
  graveyard_.clear();
  if (drained_ && connections_.empty()) {
    const auto done = std::exchange(drained_, [] {});
    done();
  }
}

void HttpServer::drain(std::function<void()> done) {
  listeners_.clear();
  drained_ = std::move(done);
  std::vector<HttpConnection*> all;
  all.reserve(connections_.size());
  for (const auto& [key, held] : connections_) all.push_back(key);
  for (HttpConnection* connection : all) connection->drain();
  burial_.wake();
}

}  // namespace nightlatch
