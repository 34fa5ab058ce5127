// A plain blocking HTTP client for tests: sends bytes, reads one answer, keeps cookies. The test's own
// thread.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/text.h"

namespace nightlatch {

struct Reply {
  int status = 0;  // 0: the connection ended without an answer
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
  // The value of a form's hidden field.
  // The text of a JSON object's member, as it was sent: the portal's tokens hold nothing that is escaped.
  [[nodiscard]] std::string json_field(const std::string& name) const {
    const std::string mark = "\"" + name + "\":\"";
    const auto at = body.find(mark);
    if (at == std::string::npos) return {};
    return body.substr(at + mark.size(), body.find('"', at + mark.size()) - at - mark.size());
  }
  [[nodiscard]] std::string field(const std::string& name) const {
    const auto at = body.find("name=\"" + name + "\"");
    if (at == std::string::npos) return {};
    const auto begin = body.find("value=\"", at) + 7;
    return body.substr(begin, body.find('"', begin) - begin);
  }
  [[nodiscard]] bool has(std::string_view text) const { return body.find(text) != std::string::npos; }
};

class Wire {  // one TCP connection
 public:
  explicit Wire(std::uint16_t port, const char* from = "127.0.0.1") : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    inet_pton(AF_INET, from, &here.sin_addr);
    auto* raw = reinterpret_cast<sockaddr*>(&here);  // NOLINT: the socket API's own way
    EXPECT_EQ(bind(fd_.get(), raw, sizeof here), 0);
    inet_pton(AF_INET, "127.0.0.1", &here.sin_addr);
    here.sin_port = htons(port);
    EXPECT_EQ(connect(fd_.get(), raw, sizeof here), 0);
    const timeval limit{20, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  void send(std::string_view bytes) const {
    (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void end() const { shutdown(fd_.get(), SHUT_WR); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  bool more() {  // false at the end, or after the limit
    char buffer[4096];
    const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  [[nodiscard]] bool at_end() { return in_.empty() && !more(); }

  Reply read(bool head = false) {
    Reply reply;
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return reply;
    }
    const std::string top = in_.substr(0, end);
    in_.erase(0, end + 4);
    const auto lines = split(top, '\n');
    reply.status = std::atoi(std::string(lines[0]).substr(9, 3).c_str());
    std::size_t length = 0;
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto colon = lines[i].find(':');
      reply.headers.emplace_back(lower(lines[i].substr(0, colon)), trim(lines[i].substr(colon + 1)));
      if (reply.headers.back().first == "content-length") {
        length = std::strtoul(reply.headers.back().second.c_str(), nullptr, 10);
      }
    }
    if (head || reply.status == 100) return reply;
    while (in_.size() < length) {
      if (!more()) break;
    }
    reply.body = in_.substr(0, length);
    in_.erase(0, length);
    return reply;
  }

 private:
  Fd fd_;
  std::string in_;
};

inline std::string form_encode(const std::map<std::string, std::string>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += name + "=";
    for (const char c : value) {
      const bool plain =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
      if (plain) {
        out += c;
      } else {
        const auto byte = static_cast<unsigned char>(c);
        out += "%" + hex({&byte, 1});
      }
    }
  }
  return out;
}

class BrowserStandIn {
 public:
  BrowserStandIn(std::uint16_t port, const char* from = "127.0.0.1") : port_(port), from_(from) {}
  std::string host = "gate.test";
  std::string accept = "text/html,application/xhtml+xml,*/*;q=0.8";
  std::map<std::string, std::string> cookies;

  Reply ask(const std::string& method, const std::string& path, const std::string& body = {},
            const std::vector<std::string>& extra = {}) {
    Wire wire = begin(method, path, body, extra);
    return end(wire, method == "HEAD");
  }
  // The two halves of ask(), for what happens in between.
  [[nodiscard]] Wire begin(const std::string& method, const std::string& path, const std::string& body = {},
                           const std::vector<std::string>& extra = {}) const {
    std::string request =
        method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: " + accept + "\r\n";
    std::string jar;
    for (const auto& [name, value] : cookies) jar += (jar.empty() ? "" : "; ") + name + "=" + value;
    if (!jar.empty()) request += "Cookie: " + jar + "\r\n";
    for (const std::string& line : extra) request += line + "\r\n";
    if (method == "POST") {
      request += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n";
    }
    Wire wire(port_, from_);
    wire.send(request + "Connection: close\r\n\r\n" + body);
    return wire;
  }
  Reply end(Wire& wire, bool head = false) {
    Reply reply = wire.read(head);
    for (const auto& [name, value] : reply.headers) {
      if (name != "set-cookie") continue;
      const auto equals = value.find('=');
      const std::string content = value.substr(equals + 1, value.find(';') - equals - 1);
      if (content.empty()) {
        cookies.erase(value.substr(0, equals));
      } else {
        cookies[value.substr(0, equals)] = content;
      }
    }
    return reply;
  }
  Reply get(const std::string& path, const std::vector<std::string>& extra = {}) {
    return ask("GET", path, {}, extra);
  }
  Reply post(const std::string& path, const std::map<std::string, std::string>& fields,
             const std::vector<std::string>& extra = {}) {
    return ask("POST", path, form_encode(fields), extra);
  }
  // Fills in the page's form.
  Reply sign_in(const Reply& page, const std::string& name, const std::string& password) {
    return post("/sign-in", {{"token", page.field("token")},
                             {"hold", page.field("hold")},
                             {"name", name},
                             {"password", password}});
  }

 private:
  std::uint16_t port_;
  const char* from_;
};

}  // namespace nightlatch
