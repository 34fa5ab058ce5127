#include "proxy/http_proxy_reply.h"

#include "base/text.h"
#include "proxy/refusal.h"

namespace nightlatch {

namespace {
std::string_view fields_for(int status) {
  if (status == 405) return "Allow: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\n";
  if (status == 407) {
    return "Proxy-Authenticate: Basic realm=\"nightlatch\", charset=\"UTF-8\"\r\n"
           "Proxy-Authenticate: Bearer realm=\"nightlatch\"\r\n";
  }
  return {};
}
}  // namespace

std::string proxy_reply(int status, std::string_view line, bool is_head) {
  return http_refusal(status, line, fields_for(status), is_head);
}

std::string proxy_refusal(const ProxyRequest& request, std::string_view line, std::string_view page_url) {
  const bool is_head = request.method == "HEAD";
  const bool reading = is_head || request.method == "GET";
  const std::string accept = lower(find_field(request.fields, "Accept"));
  if (reading && !page_url.empty() && accept.find("text/html") != std::string::npos)
    return http_redirect(page_url);
  return proxy_reply(511, line, is_head);
}

}  // namespace nightlatch
