#include "net/http_message.h"

#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include "base/text.h"

namespace nightlatch {

std::string_view HttpRequest::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::string_view HttpRequest::cookie(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (field != "cookie") continue;
    for (const std::string_view pair : split(value, ';')) {
      const std::string_view trimmed = trim(pair);
      const auto equals = trimmed.find('=');
      if (equals != std::string_view::npos && trimmed.substr(0, equals) == name)
        return trimmed.substr(equals + 1);
    }
  }
  return {};
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 303:
      return "See Other";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

namespace {
// A control character in a value would end the field early and begin another one (RFC 9110 section 5.5).
std::string field_value(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

std::string http_date() {  // RFC 9110 section 5.6.7
  const std::time_t now = std::time(nullptr);
  std::tm tm{};
  gmtime_r(&now, &tm);
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[tm.tm_wday], tm.tm_mday,
                     months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::string head_of(const HttpResponse& response) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                reason_phrase(response.status), http_date());
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, field_value(value));
  }
  return out;
}
}  // namespace

std::string serialize_beginning(const HttpResponse& response) {
  return head_of(response) + "Connection: close\r\n\r\n" + response.body;
}

std::string serialize(const HttpResponse& response, bool with_body, bool keep_alive) {
  std::string out = head_of(response);
  if (response.status != 204)
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.body.size());
  out += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  if (with_body) out += response.body;
  return out;
}

}  // namespace nightlatch
