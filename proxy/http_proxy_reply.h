// What the proxy port says itself. Every answer but kTunnelOpen ends the connection. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "proxy/http_proxy_request.h"

namespace nightlatch {

// RFC 9110 section 9.3.6: the tunnel begins behind the blank line.
inline constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

// 400, 403, 405, 407, 431, 501, 502, 503, 504, 505, or 200 for an OPTIONS that ends here. The line is what
// people read: see refusal_line(). A 407 asks for Basic or Bearer (RFC 7617, RFC 6750), a 405 says what is
// allowed.
[[nodiscard]] std::string proxy_reply(int status, std::string_view line, bool is_head = false);

// A request that the verdict holds up: the line names the hold's page. A browser that wants a page over
// http:// is sent there; everyone else, CONNECT included, is told with a 511.
[[nodiscard]] std::string proxy_refusal(const ProxyRequest& request, std::string_view line,
                                        std::string_view page_url);

}  // namespace nightlatch
