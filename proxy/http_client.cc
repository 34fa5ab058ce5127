#include "proxy/http_client.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/http_forward.h"
#include "proxy/http_proxy_reply.h"
#include "proxy/proxy_credential.h"
#include "proxy/refusal.h"

namespace nightlatch {

namespace {
constexpr std::size_t kReadAtOnce = 16UL * 1024;

class ConnectIntroduction final : public Introduction {
 public:
  explicit ConnectIntroduction(std::unique_ptr<ProxyRequestReader> reader) : reader_(std::move(reader)) {}
  std::string opened(const Endpoint& /*bound*/) override { return std::string(kTunnelOpen); }
  std::string failed(int connect_errno) override {
    return unreachable_reply(connect_errno == ETIMEDOUT, false);
  }
  std::string refused(const Ruling& ruling, const std::string& page_url) override {
    return refusal_reply(reader_->request(), ruling, page_url);
  }
  [[nodiscard]] bool shows_page() const override { return true; }

 private:
  std::unique_ptr<ProxyRequestReader> reader_;
};
}  // namespace

std::string unreachable_reply(bool timed_out, bool is_head) {
  return timed_out ? proxy_reply(504, "The server does not answer", is_head)
                   : proxy_reply(502, "The server cannot be reached", is_head);
}

std::string refusal_reply(const ProxyRequest& request, const Ruling& ruling, const std::string& page_url) {
  const bool is_head = request.method == "HEAD";
  if (ruling.readable && ruling.reason == Reason::shared_device)
    return proxy_reply(407, "This address is shared: say who you are", is_head);
  const bool denied = !ruling.readable || ruling.direct || ruling.kind == VerdictKind::deny;
  const std::string line =
      refusal_line(denied ? VerdictKind::deny : ruling.kind, ruling.resource_name, page_url);
  return denied ? proxy_reply(403, line, is_head) : proxy_refusal(request, line, page_url);
}

bool check_proxy_credential(FlowHost& host, Accepted& accepted, const ProxyRequest& request) {
  accepted.credential.reset();
  const ProxyCredential sent = read_credential(request.authorization);
  if (sent.kind == ProxyCredential::Kind::none) return true;
  return sent.kind == ProxyCredential::Kind::password &&
         check_credential_of(host, accepted, sent.name, sent.secret);
}

HttpProxyClient::HttpProxyClient(FlowHost& host, std::string id, Accepted accepted)
    : Reception(host, std::move(id), std::move(accepted)), reader_(std::make_unique<ProxyRequestReader>()) {}

void HttpProxyClient::on_readable() {
  while (!over() && reader_) {
    const ssize_t n = recv(fd(), host_.scratch().data(), kReadAtOnce, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(n < 0);
      return;
    }
    std::string_view bytes(host_.scratch().data(), static_cast<std::size_t>(n));
    switch (reader_->next(bytes)) {
      case ProxyRequestReader::Step::connect:
        first_ = bytes;
        if (!check_proxy_credential(host_, accepted(), reader_->request())) {
          refuse_credential(proxy_reply(407, kWrongCredential));
          return;
        }
        locate(reader_->request().host);
        return;
      case ProxyRequestReader::Step::forward:
        HttpForward::begin(host_, release(), std::move(reader_), std::string(bytes));
        return;
      case ProxyRequestReader::Step::answer:
        farewell(proxy_reply(reader_->answer().status, reader_->answer().line));
        return;
      case ProxyRequestReader::Step::more:
      case ProxyRequestReader::Step::body:
      case ProxyRequestReader::Step::end:
        break;
    }
  }
}

void HttpProxyClient::located(const Result<IpAddress>& address) {
  if (!address) {
    farewell(unreachable_reply(address.error().kind != ErrorKind::not_found, false));
    return;
  }
  const Endpoint destination{*address, reader_->request().port};
  proceed(destination, std::make_unique<ConnectIntroduction>(std::move(reader_)), std::move(first_));
}

}  // namespace nightlatch
