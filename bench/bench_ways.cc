// Load for bench/ways: a server, and a client that counts what it gets through in some seconds. Blocking
// sockets and a thread for each of them: the same cost for every way, so that ratios tell.
//   bench_ways serve ADDRESS PORT                     TCP echo at PORT, sink at PORT + 1, UDP echo at PORT
//   bench_ways rate|bulk|udp WAY ADDRESS PORT SECONDS [GATE]
// WAY is direct, tls (the client's first bytes are a ClientHello), socks or connect. Prints one number:
// connections a second, bytes a second, or echoes a second.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/hello_maker.h"

namespace {

using nightlatch::maker::hello_for;
using nightlatch::maker::records;
using Clock = std::chrono::steady_clock;

struct Work {
  std::string way, address, gate;
  std::uint16_t port = 0;
  double seconds = 0;
};

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "bench_ways: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

sockaddr_in at(const std::string& address, std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &a.sin_addr) != 1) die(address);
  return a;
}

int socket_to(const std::string& address, std::uint16_t port, int kind) {
  const int fd = socket(AF_INET, kind, 0);
  const sockaddr_in to = at(address, port);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die("connect");
  const int on = 1;
  if (kind == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) die("send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void receive(int fd, std::span<char> to) {
  if (recv(fd, to.data(), to.size(), MSG_WAITALL) != static_cast<ssize_t>(to.size())) die("receive");
}

// A connection to the server, whichever way.
int open_way(const Work& w, std::uint16_t port) {
  if (w.way == "direct" || w.way == "tls") return socket_to(w.address, port, SOCK_STREAM);
  const int fd = socket_to(w.gate, w.way == "socks" ? 1080 : 3128, SOCK_STREAM);
  if (w.way == "socks") {
    const sockaddr_in to = at(w.address, port);
    std::string request("\5\1\0\5\1\0\1", 7);
    request.append(reinterpret_cast<const char*>(&to.sin_addr), 4);
    request.append(reinterpret_cast<const char*>(&to.sin_port), 2);
    send_all(fd, request);
    std::array<char, 12> reply{};
    receive(fd, reply);
    if (reply[3] != 0) die("SOCKS refused");
  } else {
    send_all(fd, fmt::format("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n\r\n", w.address, port));
    std::string head;
    char c = 0;
    while (!head.ends_with("\r\n\r\n")) {
      receive(fd, {&c, 1});
      head += c;
    }
    if (!head.starts_with("HTTP/1.1 200")) die("CONNECT refused");
  }
  return fd;
}

double per_second(unsigned threads, double seconds,
                  const std::function<void(const std::atomic<bool>&, std::atomic<std::uint64_t>&)>& work) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::thread> all;
  const auto began = Clock::now();
  for (unsigned i = 0; i < threads; ++i) all.emplace_back([&] { work(stop, done); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const double count = static_cast<double>(done);
  const double took = std::chrono::duration<double>(Clock::now() - began).count();
  stop = true;
  for (auto& t : all) t.join();
  return count / took;
}

double rate(const Work& w) {
  const std::string first = w.way == "tls" ? records(hello_for("other.example")) : std::string(64, 'x');
  return per_second(64, w.seconds, [&](const std::atomic<bool>& stop, std::atomic<std::uint64_t>& done) {
    std::string back(first.size(), '\0');
    while (!stop) {
      const int fd = open_way(w, w.port);
      send_all(fd, first);
      receive(fd, back);
      close(fd);
      ++done;
    }
  });
}

double bulk(const Work& w) {
  return per_second(8, w.seconds, [&](const std::atomic<bool>& stop, std::atomic<std::uint64_t>& done) {
    const int fd = open_way(w, static_cast<std::uint16_t>(w.port + 1));
    if (w.way == "tls") send_all(fd, records(hello_for("other.example")));
    const std::string piece(256UL * 1024, 'x');
    while (!stop) {
      send_all(fd, piece);
      done += piece.size();
    }
    close(fd);
  });
}

double udp(const Work& w) {
  return per_second(32, w.seconds, [&](const std::atomic<bool>& stop, std::atomic<std::uint64_t>& done) {
    const int fd = socket_to(w.address, w.port, SOCK_DGRAM);
    const timeval patience{0, 200'000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::array<char, 64> data{};
    int flying = 0;
    while (!stop) {
      for (; flying < 8; ++flying) send(fd, data.data(), data.size(), 0);
      if (recv(fd, data.data(), data.size(), 0) > 0) {
        ++done;
        --flying;
      } else {
        flying = 0;  // lost
      }
    }
    close(fd);
  });
}

int serve_tcp(const std::string& address, std::uint16_t port, bool echo) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in here = at(address, port);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
      listen(listener, 4096) != 0)
    die("listen");
  std::thread([listener, echo] {
    while (true) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd < 0) continue;
      std::thread([fd, echo] {
        std::vector<char> buffer(256UL * 1024);
        ssize_t n = 0;
        while ((n = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
          if (echo) send(fd, buffer.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
        }
        close(fd);
      }).detach();
    }
  }).detach();
  return listener;
}

int serve(const std::string& address, std::uint16_t port) {
  serve_tcp(address, port, true);
  serve_tcp(address, static_cast<std::uint16_t>(port + 1), false);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in here = at(address, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) die("bind");
  fmt::print("ready\n");
  std::fflush(stdout);
  std::array<char, 2048> data{};
  while (true) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t n = recvfrom(fd, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (n > 0)
      sendto(fd, data.data(), static_cast<std::size_t>(n), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "serve")
    return serve(words[1], static_cast<std::uint16_t>(std::stoi(words[2])));
  if (words.size() < 5) {
    fmt::print(stderr, "usage: see the head of bench/bench_ways.cc, or run bench/ways\n");
    return 2;
  }
  const Work w{words[1], words[2], words.size() > 5 ? words[5] : "",
               static_cast<std::uint16_t>(std::stoi(words[3])), std::stod(words[4])};
  fmt::print("{:.0f}\n", words[0] == "rate" ? rate(w) : words[0] == "bulk" ? bulk(w) : udp(w));
  return 0;
}
