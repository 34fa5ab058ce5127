#include "net/http_parser.h"

#include <llhttp.h>

#include <algorithm>

#include "base/text.h"
#include "net/http_syntax.h"

namespace nightlatch {

struct HttpParser::Impl {
  explicit Impl(const HttpLimits& l) : limits(l) {
    llhttp_settings_init(&settings);
    settings.on_message_begin = [](llhttp_t* p) {
      self(p).started = true;
      return 0;
    };
    settings.on_url = [](llhttp_t* p, const char* at, size_t n) {
      return self(p).append(self(p).url, {at, n});
    };
    settings.on_header_field = [](llhttp_t* p, const char* at, size_t n) {
      Impl& me = self(p);
      if (me.head_done) return me.count(n);
      if (me.in_value) me.end_field();
      return me.append(me.field, {at, n});
    };
    settings.on_header_value = [](llhttp_t* p, const char* at, size_t n) {
      Impl& me = self(p);
      if (me.head_done) return me.count(n);
      me.in_value = true;
      return me.append(me.value, {at, n});
    };
    settings.on_header_value_complete = [](llhttp_t* p) {
      if (!self(p).head_done) self(p).in_value = true;  // also for an empty value
      return 0;
    };
    settings.on_headers_complete = [](llhttp_t* p) { return self(p).end_head(); };
    settings.on_body = [](llhttp_t* p, const char* at, size_t n) {
      Impl& me = self(p);
      if (me.request.body.size() + n > me.limits.body) return me.fail(413);
      me.request.body.append(at, n);
      return 0;
    };
    settings.on_message_complete = [](llhttp_t* p) {
      if (self(p).head_done) self(p).done = true;
      return static_cast<int>(HPE_PAUSED);
    };
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = this;
  }

  static Impl& self(llhttp_t* p) { return *static_cast<Impl*>(p->data); }

  int fail(int why) {
    if (failure == 0) failure = why;
    return HPE_USER;
  }

  // Trailer fields are counted and dropped: nothing here asks for any (RFC 9110 section 6.5.1).
  int count(std::size_t bytes) {
    head_bytes += bytes;
    return head_bytes > limits.head ? fail(431) : 0;
  }

  int append(std::string& to, std::string_view bytes) {
    if (const int why = count(bytes.size()); why != 0) return why;
    to.append(bytes);
    return 0;
  }

  void end_field() {
    head_bytes += 4;  // ": " and the line's end
    // RFC 9112 section 5.1, RFC 9110 section 5.5: llhttp lets some of these through.
    if (!is_token(field) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      fail(400);
    request.headers.emplace_back(lower(field), trim(value));
    field.clear();
    value.clear();
    in_value = false;
    if (request.headers.size() > limits.fields) fail(431);
  }

  int end_head() {
    if (head_done) return 0;
    if (in_value || !field.empty()) end_field();
    if (failure != 0) return HPE_USER;
    if (llhttp_get_http_major(&parser) != 1) return fail(505);
    // Expect other than 100-continue is left alone; an Upgrade is not taken up (RFC 9110 section 7.8).
    parser.upgrade = 0;
    const auto method = static_cast<llhttp_method_t>(llhttp_get_method(&parser));
    request.method = llhttp_method_name(method);
    if (method == HTTP_CONNECT) return fail(501);
    if (!split_target()) return fail(400);
    const auto hosts = std::count_if(request.headers.begin(), request.headers.end(),
                                     [](const auto& h) { return h.first == "host"; });
    const bool one_one = llhttp_get_http_minor(&parser) >= 1;
    if (hosts > 1 || (hosts == 0 && one_one)) return fail(400);  // RFC 9112 section 3.2
    if (request.host.empty()) request.host = lower(request.header("host"));
    request.keep_alive = llhttp_should_keep_alive(&parser) != 0;
    if ((parser.flags & F_CONTENT_LENGTH) != 0 && parser.content_length > limits.body) return fail(413);
    continue_due = one_one && lower(request.header("expect")) == "100-continue";
    head_done = true;
    return 0;
  }

  // RFC 9112 section 3.2: origin form, absolute form, or "*".
  bool split_target() {
    std::string_view target = url;
    if (std::any_of(target.begin(), target.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
      return false;
    if (target == "*") {
      request.path = "*";
      return request.method == "OPTIONS";
    }
    if (!target.starts_with('/')) {
      const std::string begin = lower(target.substr(0, 8));
      const std::size_t scheme = begin.starts_with("http://") ? 7 : begin.starts_with("https://") ? 8 : 0;
      if (scheme == 0) return false;
      target.remove_prefix(scheme);
      const auto end = target.find_first_of("/?#");
      request.host = lower(target.substr(0, end));
      if (request.host.empty() || request.host.find('@') != std::string::npos) return false;
      target = end == std::string_view::npos ? std::string_view() : target.substr(end);
    }
    target = target.substr(0, target.find('#'));
    const auto question = target.find('?');
    request.path = target.substr(0, question);
    if (request.path.empty()) request.path = "/";
    if (question != std::string_view::npos) request.query = target.substr(question + 1);
    return true;
  }

  void next() {
    request = {};
    url.clear();
    field.clear();
    value.clear();
    head_bytes = 0;
    in_value = started = head_done = done = continue_due = false;
  }

  HttpLimits limits;
  llhttp_settings_t settings{};
  llhttp_t parser{};
  HttpRequest request;
  std::string url, field, value;
  std::size_t head_bytes = 0;
  bool in_value = false, started = false, head_done = false, done = false, continue_due = false;
  int failure = 0;
};

HttpParser::HttpParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpParser::~HttpParser() = default;

HttpParser::Progress HttpParser::feed(std::string_view bytes, std::size_t& used) {
  used = 0;
  if (impl_->failure != 0) return Progress::failed;
  if (impl_->done) return Progress::complete;
  const llhttp_errno_t status = llhttp_execute(&impl_->parser, bytes.data(), bytes.size());
  if (status == HPE_OK && impl_->failure == 0) {
    used = bytes.size();
    return Progress::more;
  }
  if (status == HPE_PAUSED && impl_->done) {
    used = static_cast<std::size_t>(llhttp_get_error_pos(&impl_->parser) - bytes.data());
    llhttp_resume(&impl_->parser);
    return Progress::complete;
  }
  if (status == HPE_INVALID_VERSION) impl_->fail(505);
  if (status == HPE_INVALID_METHOD && impl_->url.empty()) impl_->fail(400);
  impl_->fail(400);  // unless a better reason is known
  return Progress::failed;
}

HttpRequest HttpParser::take() {
  HttpRequest request = std::move(impl_->request);
  impl_->next();
  return request;
}

bool HttpParser::started() const { return impl_->started; }
bool HttpParser::head_complete() const { return impl_->head_done; }
bool HttpParser::wants_continue() { return std::exchange(impl_->continue_due, false) && !impl_->done; }
int HttpParser::status() const { return impl_->failure; }

}  // namespace nightlatch
