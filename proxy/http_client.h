// HttpProxyClient: a connection to the HTTP proxy port, until its first request is understood: CONNECT
// becomes a TcpFlow, a request in absolute form an HttpForward (RFC 9110 section 9.3.6, RFC 9112
// section 3.2.2). Worker's thread.
#pragma once

#include <memory>
#include <string>

#include "proxy/http_proxy_request.h"
#include "proxy/reception.h"

namespace nightlatch {

class HttpProxyClient final : public Reception {
 public:
  HttpProxyClient(FlowHost& host, std::string id, Accepted accepted);

 private:
  void on_readable() override;
  void located(const Result<IpAddress>& address) override;

  std::unique_ptr<ProxyRequestReader> reader_;
  std::string first_;  // what came behind the request
};

inline constexpr std::string_view kWrongCredential = "Name and application password do not fit";
// What the request says of its sender, into accepted.credential; false when it proves nobody (407).
[[nodiscard]] bool check_proxy_credential(FlowHost& host, Accepted& accepted, const ProxyRequest& request);
// What a refused request is told: 407, 403, or what names the page (511, 302).
[[nodiscard]] std::string refusal_reply(const ProxyRequest& request, const Ruling& ruling,
                                        const std::string& page_url);
// What a proxy client is told when its server cannot be reached: 502, or 504 when time ran out. `why` is a
// name's error or an errno's.
[[nodiscard]] std::string unreachable_reply(bool timed_out, bool is_head);

}  // namespace nightlatch
