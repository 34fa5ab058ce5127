#include "net/http_head.h"

#include <fmt/format.h>
#include <llhttp.h>

#include <algorithm>
#include <utility>

#include "base/crypto.h"

namespace nightlatch {

namespace {

// What llhttp reads in one whole head.
struct Collector {
  std::string target;
  std::string name, value;
  std::vector<HttpField> fields;
  bool complete = false;

  static Collector& of(llhttp_t* p) { return *static_cast<Collector*>(p->data); }
  static int keep(std::string& to, const char* at, std::size_t n) {
    to.append(at, n);
    return 0;
  }

  static llhttp_settings_t settings() {
    llhttp_settings_t s{};
    llhttp_settings_init(&s);
    s.on_url = [](llhttp_t* p, const char* at, std::size_t n) { return keep(of(p).target, at, n); };
    s.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) { return keep(of(p).name, at, n); };
    s.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) { return keep(of(p).value, at, n); };
    s.on_header_value_complete = [](llhttp_t* p) {
      Collector& me = of(p);
      me.fields.push_back({std::exchange(me.name, {}), std::string(trim_blanks(me.value))});
      me.value.clear();
      return 0;
    };
    s.on_headers_complete = [](llhttp_t* p) {
      of(p).complete = true;
      return static_cast<int>(HPE_PAUSED);  // the body is not its business
    };
    return s;
  }
};

}  // namespace

HttpHeadReader::Progress HttpHeadReader::feed(std::string_view& bytes) {
  std::size_t used = 0;
  while (!done_ && fault_.status == 0 && used < bytes.size()) (void)accept(bytes[used++]);
  bytes.remove_prefix(used);
  if (fault_.status != 0) return Progress::failed;
  return done_ ? Progress::complete : Progress::more;
}

HttpHead HttpHeadReader::take() {
  wipe(bytes_);  // it may hold a password
  line_begin_ = lines_ = 0;
  done_ = false;
  return std::exchange(head_, {});
}

bool HttpHeadReader::accept(char c) {
  const std::size_t length = bytes_.size() - line_begin_;
  if (bytes_.size() == limits_.bytes) return fail(431, "the header section is too long");
  if (length == 0 && lines_ > 0 && (c == ' ' || c == '\t')) return fail(400, "a folded field line");
  bytes_ += c;
  switch (guard_.take(c)) {
    case LineGuard::At::inside:
      return true;
    case LineGuard::At::end:
      return end_line(std::string_view(bytes_).substr(line_begin_, length - 1));
    case LineGuard::At::bad:
      break;
  }
  return fail(400, "a control character, or a line that does not end with CR LF");
}

bool HttpHeadReader::end_line(std::string_view line) {
  line_begin_ = bytes_.size();
  if (lines_++ == 0) return kind_ == Kind::request ? check_request_line(line) : check_status_line(line);
  if (line.empty()) return parse();
  return lines_ - 1 <= limits_.fields || fail(431, "too many header fields");
}

// Told as soon as the first line is there: who speaks something else may never send a blank line.
bool HttpHeadReader::check_request_line(std::string_view line) {
  if (line.starts_with("PRI ")) return fail(400, "HTTP/2 is not spoken here");  // RFC 9113 section 3.4
  if (line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")) {
    head_.minor = line.back() - '0';
    return true;
  }
  if (line.find(" HTTP/") != std::string_view::npos)
    return fail(505, "only HTTP/1.1 and 1.0 are spoken here");
  return fail(400, "not an HTTP/1.1 request");
}

// RFC 9112 section 4. The blank behind the status may be missing together with the reason: many send it so.
bool HttpHeadReader::check_status_line(std::string_view line) {
  const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  const bool good = (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) && line.size() >= 12 &&
                    digit(9) && digit(10) && digit(11) && line[9] >= '1' && line[9] <= '5' &&
                    (line.size() == 12 || line[12] == ' ');
  if (!good) return fail(502, "the server's status line is malformed");
  head_.minor = line[7] - '0';
  head_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (line.size() > 13) head_.reason = line.substr(13);
  return true;
}

bool HttpHeadReader::parse() {
  Collector seen;
  const llhttp_settings_t settings = Collector::settings();
  llhttp_t parser{};
  llhttp_init(&parser, kind_ == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
  parser.data = &seen;
  const llhttp_errno_t error = llhttp_execute(&parser, bytes_.data(), bytes_.size());
  if (error == HPE_INVALID_METHOD) return fail(501, "this method is not known here");
  if (!seen.complete) return fail(400, "malformed");
  if (kind_ == Kind::request) {
    head_.method = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_get_method(&parser)));
    head_.target = std::move(seen.target);
    // One blank between each two parts, and nothing that was skipped: the line is what was understood.
    if (!bytes_.starts_with(fmt::format("{} {} HTTP/1.{}\r\n", head_.method, head_.target, head_.minor)))
      return fail(400, "malformed request line");
  }
  const bool named = std::all_of(seen.fields.begin(), seen.fields.end(),
                                 [](const HttpField& f) { return is_token(f.name); });
  if (!named || seen.fields.size() != lines_ - 2) return fail(400, "malformed header field");
  head_.fields = std::move(seen.fields);
  done_ = true;
  return true;
}

bool HttpHeadReader::fail(int status, std::string_view line) {
  fault_ = {status, line};
  wipe(bytes_);
  return false;
}

}  // namespace nightlatch
