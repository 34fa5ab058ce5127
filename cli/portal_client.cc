#include "cli/portal_client.h"

#include <fmt/format.h>

#include <optional>
#include <variant>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch::cli {

namespace {
Error error_of(const std::string& url, const FetchFault& fault) {
  const std::string message = fmt::format("{}: {}", url, fault.detail);
  switch (fault.kind) {
    case FetchFault::Kind::untrusted:
      return Error::failure(
          fmt::format("{}: its certificate is not to be trusted ({})", url, fault.detail),
          "nothing was sent. If the portal's certificate authority is new, compare its fingerprint with the "
          "gateway's:\nnightlatch login --pin");
    case FetchFault::Kind::too_slow:
      return Error::failure(url + ": no answer in time", "is this machine on the office's network?");
    case FetchFault::Kind::unreachable:
      return Error::failure(message, "is the address right, and this machine on the office's network?");
    case FetchFault::Kind::too_large:
    case FetchFault::Kind::busy:
      break;
  }
  return Error::failure(message);
}
}  // namespace

std::string PortalAnswer::text(const std::string& key) const {
  const Record::Value* value = json.find(key);
  const auto* text = value != nullptr ? std::get_if<std::string>(value) : nullptr;
  return text != nullptr ? *text : "";
}

std::int64_t PortalAnswer::number(const std::string& key, std::int64_t otherwise) const {
  const Record::Value* value = json.find(key);
  const auto* number = value != nullptr ? std::get_if<std::int64_t>(value) : nullptr;
  return number != nullptr ? *number : otherwise;
}

bool PortalAnswer::is_true(const std::string& key) const {
  const Record::Value* value = json.find(key);
  const auto* yes = value != nullptr ? std::get_if<bool>(value) : nullptr;
  return yes != nullptr && *yes;
}

Result<std::unique_ptr<PortalClient>> PortalClient::open(std::string url, std::string ca_pem) {
  std::unique_ptr<PortalClient> client(
      new PortalClient(std::move(url), std::move(ca_pem)));  // NOLINT: private
  auto http = HttpClient::open(client->loop_);
  if (!http) return http.error();
  client->http_ = std::move(*http);
  return client;
}

// Until the loop is stopped, or Ctrl-C: only here, so that a prompt's Ctrl-C stays the terminal's own.
void PortalClient::run() {
  const auto stop = [this] {
    interrupted_ = true;
    loop_.stop();
  };
  const SignalWatch interrupt(loop_, SIGINT, stop);
  const SignalWatch terminate(loop_, SIGTERM, stop);
  loop_.run();
}

void PortalClient::wait(Seconds how_long) {
  Timer timer(loop_, [this] { loop_.stop(); });
  timer.once(how_long);
  run();
}

Result<PortalAnswer> PortalClient::ask(HttpFetch what) {
  what.url = url_ + what.url;
  what.ca_pem = ca_pem_;
  what.headers.emplace_back("Accept: application/json");
  std::string jar;
  for (const auto& [name, value] : cookies_) {
    jar += fmt::format("{}{}={}", jar.empty() ? "" : "; ", name, value);
  }
  if (!jar.empty()) what.headers.push_back("Cookie: " + jar);

  struct Outcome {
    std::optional<std::variant<HttpReply, FetchFault>> result;
  };
  // The answer may come after this has given up waiting for it.
  const auto outcome = std::make_shared<Outcome>();
  http_->fetch(std::move(what), [this, outcome](std::variant<HttpReply, FetchFault> result) {
    outcome->result = std::move(result);
    loop_.stop();
  });
  const bool before = interrupted_;
  while (!outcome->result && interrupted_ == before) run();
  if (!outcome->result) return Error::failure("cancelled");
  if (const auto* fault = std::get_if<FetchFault>(&*outcome->result)) return error_of(url_, *fault);
  const HttpReply& reply = std::get<HttpReply>(*outcome->result);
  for (const auto& [name, value] : reply.headers) {
    if (name != "set-cookie") continue;
    const auto equals = value.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    cookies_[value.substr(0, equals)] = value.substr(equals + 1, value.find(';') - equals - 1);
  }
  if (reply.type != "application/json") {
    return Error::failure(fmt::format("{} answered {}, and not as a portal does", url_, reply.status),
                          "is it the address of nightlatch's portal?");
  }
  auto json = parse_json(reply.body);
  if (!json) return Error::failure(url_ + " answered what is no JSON object");
  return PortalAnswer{reply.status, std::move(*json)};
}

Result<PortalAnswer> PortalClient::get(const std::string& path) { return ask({.url = path}); }

Result<PortalAnswer> PortalClient::post(const std::string& path, const Fields& fields) {
  std::string form = "client=nightlatch";
  for (const auto& [name, value] : fields) {
    std::string encoded = percent_encode(value);
    form.append("&").append(name).append("=").append(encoded);
    wipe(encoded);
  }
  return ask({.url = path, .form = std::move(form)});
}

Result<std::string> fetch_plain(const std::string& url) {
  Loop loop;
  auto http = HttpClient::open(loop);
  if (!http) return http.error();
  std::optional<std::variant<HttpReply, FetchFault>> result;
  (*http)->fetch({.url = url, .plain = true}, [&](std::variant<HttpReply, FetchFault> answer) {
    result = std::move(answer);
    loop.stop();
  });
  loop.run();
  if (!result) return Error::failure(url + ": no answer");
  if (const auto* fault = std::get_if<FetchFault>(&*result)) return error_of(url, *fault);
  HttpReply& reply = std::get<HttpReply>(*result);
  if (reply.status == 404) return std::string();
  if (reply.status != 200) return Error::failure(fmt::format("{} answered {}", url, reply.status));
  return std::move(reply.body);
}

}  // namespace nightlatch::cli
