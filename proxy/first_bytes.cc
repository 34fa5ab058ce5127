#include "proxy/first_bytes.h"

#include <algorithm>

namespace nightlatch {

namespace {

// A host as a link may show it: no credentials, no spaces, nothing that could end an attribute or a header.
bool safe_host(std::string_view host) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']';
  };
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), good);
}

bool safe_path(std::string_view path) {
  const auto good = [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\';
  };
  return path.starts_with('/') && !path.starts_with("//") && path.size() <= 1500 &&
         std::all_of(path.begin(), path.end(), good);
}

}  // namespace

std::string link_to(std::string_view host, std::string_view target) {
  if (!safe_host(host) || !safe_path(target)) return {};
  return "http://" + std::string(host) + std::string(target);
}

FirstBytes::FirstBytes() = default;

Speech FirstBytes::feed(std::string_view bytes) {
  if (speech_ != Speech::unknown || bytes.empty()) return speech_;
  if (http_ != nullptr) return feed_http(bytes);
  if (start_.empty() && bytes.front() >= 'A' && bytes.front() <= 'Z') {
    http_ = std::make_unique<HttpParser>(HttpLimits{});
    return feed_http(bytes);
  }
  start_.append(bytes.substr(0, 3 - std::min<std::size_t>(3, start_.size())));
  if (start_[0] != '\x16') return speech_ = Speech::other;
  if (start_.size() >= 2 && start_[1] != '\x03') return speech_ = Speech::other;
  if (start_.size() == 3) speech_ = start_[2] <= '\x04' ? Speech::tls : Speech::other;
  return speech_;
}

Speech FirstBytes::feed_http(std::string_view bytes) {
  std::size_t used = 0;
  const auto progress = http_->feed(bytes, used);
  if (progress == HttpParser::Progress::failed) {
    // Once a request line was well formed it is HTTP, however bad the rest; before that it may be anything.
    return speech_ = http_->status() == 431 ? Speech::http : Speech::other;
  }
  if (progress == HttpParser::Progress::more) {
    return speech_ = http_->head_complete() ? Speech::http : Speech::unknown;
  }
  const HttpRequest request = http_->take();
  is_head_ = request.method == "HEAD";
  const bool reading = is_head_ || request.method == "GET";
  wants_html_ = reading && request.header("accept").find("text/html") != std::string_view::npos;
  if (request.method == "GET")
    url_ = link_to(request.host, request.query.empty() ? request.path : request.path + "?" + request.query);
  return speech_ = Speech::http;
}

Speech FirstBytes::give_up() {
  if (speech_ == Speech::unknown)
    speech_ = http_ != nullptr && http_->started() ? Speech::http : Speech::other;
  return speech_;
}

}  // namespace nightlatch
