// What of a message's header section a proxy reads, drops, and writes anew: RFC 9110 section 7.6, RFC 9112
// sections 6 and 7. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_body.h"
#include "net/http_head.h"

namespace nightlatch {

using HttpFields = std::vector<HttpField>;

[[nodiscard]] std::size_t count_fields(const HttpFields& fields, std::string_view name);
[[nodiscard]] std::string_view find_field(const HttpFields& fields,
                                          std::string_view name);  // the first, or ""

// What the message says of its content: nothing, one Content-Length, or `Transfer-Encoding: chunked` and
// nothing else. No value for everything that two readers could understand in two ways.
[[nodiscard]] std::optional<HttpFraming> declared_framing(const HttpHead& head);

// The Connection fields' options (RFC 9110 section 7.6.1); no value when one is not a token, or
// there are more than 32.
class ConnectionOptions {
 public:
  [[nodiscard]] static std::optional<ConnectionOptions> parse(const HttpFields& fields);
  [[nodiscard]] bool has(std::string_view option) const;

 private:
  std::vector<std::string> options_;
};

// The protocols of an Upgrade that goes together with `Connection: upgrade` (RFC 9110 section 7.8), or "".
// Not in HTTP/1.0, and not to h2c, which would carry requests that nobody here has seen (RFC 9113
// section 3.1).
[[nodiscard]] std::string wanted_upgrade(const HttpHead& head, const ConnectionOptions& options);

// Leaves what is meant for the other end: not the Connection field and what it names, nor the other fields of
// one hop, nor the framing, which is written anew. TE and Trailer go too: trailers are not passed on.
void keep_end_to_end(HttpFields& fields, const ConnectionOptions& options);

void write_field(std::string& out, std::string_view name, std::string_view value);
void write_fields(std::string& out, const HttpFields& fields);
void write_framing(std::string& out, const HttpFraming& framing);
void write_via(std::string& out, int received_minor);  // RFC 9110 section 7.6.3
void write_upgrade(std::string& out, std::string_view protocols);

}  // namespace nightlatch
