// PortalClient: a command's conversation with a portal, over HTTPS: one request after another, each waited
// for. Keeps the cookies that the portal gives, in memory only. Ctrl-C ends the waiting, not the program.
// Main thread.
#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/output.h"
#include "net/http_client.h"
#include "net/loop.h"

namespace nightlatch::cli {

struct PortalAnswer {
  int status = 0;
  Record json;

  [[nodiscard]] std::string text(const std::string& key) const;  // "" when it is not there, or no text
  [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t otherwise) const;
  [[nodiscard]] bool is_true(const std::string& key) const;
};

class PortalClient {
 public:
  // `ca_pem`: what alone vouches for the portal; empty: the system's authorities.
  [[nodiscard]] static Result<std::unique_ptr<PortalClient>> open(std::string url, std::string ca_pem);

  using Fields = std::map<std::string, std::string>;
  [[nodiscard]] Result<PortalAnswer> get(const std::string& path);
  [[nodiscard]] Result<PortalAnswer> post(const std::string& path, const Fields& fields);
  void wait(Seconds how_long);
  // Somebody has pressed Ctrl-C; what is asked after that is still done.
  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  PortalClient(std::string url, std::string ca_pem) : url_(std::move(url)), ca_pem_(std::move(ca_pem)) {}
  Result<PortalAnswer> ask(HttpFetch what);
  void run();

  std::string url_, ca_pem_;
  std::map<std::string, std::string> cookies_;
  bool interrupted_ = false;
  Loop loop_;
  std::unique_ptr<HttpClient> http_;  // before the loop goes
};

// What is public, without TLS: the body, or "" when there is no such thing (404).
[[nodiscard]] Result<std::string> fetch_plain(const std::string& url);

}  // namespace nightlatch::cli
