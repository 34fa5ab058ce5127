#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>

#include "base/text.h"

namespace nightlatch {

BootTime BootClock::now() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_BOOTTIME, &ts);
  return BootTime(Millis(static_cast<std::int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000));
}

WallTime wall_now() noexcept { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

namespace {
constexpr std::int64_t kLongest = 10LL * 366 * 86400;

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array<Unit, 5> kUnits{{{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};

Error bad_duration(std::string_view text, std::string_view what) {
  const std::string shown = text.size() > 100 ? "(too long)" : printable(text);
  return Error::usage(fmt::format("{}: '{}' is not a duration", what, shown),
                      "write a number with its unit, such as 90s, 15m, 8h or 7d; 0 means every time");
}
}  // namespace

Result<Seconds> parse_duration(std::string_view text, std::string_view what) {
  if (text == "0") return Seconds(0);
  std::int64_t total = 0;
  std::size_t last_unit = kUnits.size();  // units must shrink from left to right: 1h30m, not 30m1h
  bool first = true;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t number = 0;
    auto [next, ec] = std::from_chars(at, end, number);
    if (ec != std::errc{} || *at == '-' || next == end || number > kLongest) return bad_duration(text, what);
    std::size_t unit = 0;
    while (unit < kUnits.size() && kUnits[unit].letter != *next) ++unit;
    if (unit == kUnits.size() || (!first && unit <= last_unit)) return bad_duration(text, what);
    total += number * kUnits[unit].seconds;
    if (total > kLongest) return bad_duration(text, what);
    last_unit = unit;
    first = false;
    at = next + 1;
  }
  if (first) return bad_duration(text, what);
  return Seconds(total);
}

std::string format_duration(Seconds d) {
  if (d.count() <= 0) return "0";
  std::string out;
  std::int64_t rest = d.count();
  for (const Unit& u : kUnits) {
    if (u.letter == 'w') continue;
    if (rest >= u.seconds) {
      out += fmt::format("{}{}", rest / u.seconds, u.letter);
      rest %= u.seconds;
    }
  }
  return out;
}

std::string format_age(Millis d) {
  const std::int64_t s = d.count() / 1000;
  if (s < 1) return "0 s";
  std::string out;
  std::int64_t rest = s;
  int parts = 0;
  constexpr std::array<std::pair<const char*, std::int64_t>, 4> units{
      {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};
  for (const auto& [name, seconds] : units) {
    if (rest < seconds) {
      if (parts > 0) break;
      continue;
    }
    if (parts > 0) out += ' ';
    out += fmt::format("{} {}", rest / seconds, name);
    rest %= seconds;
    if (++parts == 2) break;
  }
  return out;
}

std::string format_rfc3339(WallTime t) {
  const std::time_t seconds = std::chrono::floor<Seconds>(t).time_since_epoch().count();
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                     tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  // YYYY-MM-DDTHH:MM:SS, a fraction that is ignored, then Z or +hh:mm (RFC 3339 section 5.6).
  const auto number = [&](std::size_t at, std::size_t n) -> int {
    int value = -1;
    if (at + n > text.size()) return -1;
    for (std::size_t i = at; i < at + n; ++i) {
      if (text[i] < '0' || text[i] > '9') return -1;
    }
    std::from_chars(text.data() + at, text.data() + at + n, value);
    return value;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (year < 1970 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  if (text[at] == '.') {
    ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  std::chrono::minutes offset{0};
  if (at < text.size() && (text[at] == 'Z' || text[at] == 'z') && at + 1 == text.size()) {
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    const int oh = number(at + 1, 2), om = number(at + 4, 2);
    if (oh < 0 || oh > 23 || om < 0 || om > 59) return std::nullopt;
    offset = std::chrono::minutes(oh * 60 + om) * (text[at] == '-' ? -1 : 1);
  } else {
    return std::nullopt;
  }
  const WallTime t = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                     std::chrono::seconds(second) - offset;
  // An offset or a leap second must not carry it out of the years that can be written.
  if (t < from_ms(0) || t >= WallTime(std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1)))
    return std::nullopt;
  return t;
}

}  // namespace nightlatch
