// Weekly hours from text and back. Canonical: spans sorted, merged where they touch, so equal hours are equal
// values.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "policy/parse.h"

namespace nightlatch {

namespace {

constexpr std::size_t kLongestText = 4096;  // bytes
constexpr std::size_t kMostSpans = 100;
constexpr unsigned kDay = 24 * 60;
constexpr unsigned kWeek = 7 * kDay;
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

Error bad_hours(std::string_view clause, std::string_view what, std::string_view why) {
  const std::string shown = clause.size() > 100 ? "(too long)" : printable(clause);
  return Error::usage(fmt::format("{}: '{}': {}", what, shown, why),
                      "write days and times, such as \"mon-fri 07:00-19:00, sat 09:00-12:00\"");
}

std::optional<unsigned> parse_day(std::string_view text) {
  const std::string word = lower(text);
  const auto at = std::find(kDays.begin(), kDays.end(), word);
  if (at == kDays.end()) return std::nullopt;
  return static_cast<unsigned>(at - kDays.begin());
}

std::optional<unsigned> parse_clock(std::string_view text) {  // "07:00" to "24:00", as minutes
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const auto digit = [&](std::size_t i) { return static_cast<unsigned>(text[i] - '0'); };
  const unsigned hour = digit(0) * 10 + digit(1);
  const unsigned minute = digit(3) * 10 + digit(4);
  if (minute > 59 || hour * 60 + minute > kDay) return std::nullopt;
  return hour * 60 + minute;
}

void add(std::vector<Hours::Span>& spans, unsigned first, unsigned end) {
  if (first < end) spans.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(end)});
}

Status parse_clause(std::string_view clause, std::string_view what, std::vector<Hours::Span>& spans) {
  const auto space = clause.find(' ');
  if (space == std::string_view::npos) return bad_hours(clause, what, "it needs days and times");
  const std::string_view days = clause.substr(0, space);
  const std::string_view times = trim(clause.substr(space));
  const auto day_dash = days.find('-');
  const auto first_day = parse_day(days.substr(0, day_dash));
  const auto last_day = day_dash == std::string_view::npos ? first_day : parse_day(days.substr(day_dash + 1));
  if (!first_day || !last_day) return bad_hours(clause, what, "days are mon tue wed thu fri sat sun");
  const auto time_dash = times.find('-');
  if (time_dash == std::string_view::npos)
    return bad_hours(clause, what, "times are a span such as 07:00-19:00");
  const auto first = parse_clock(times.substr(0, time_dash));
  const auto end = parse_clock(times.substr(time_dash + 1));
  if (!first || !end) return bad_hours(clause, what, "times are written 07:00, from 00:00 to 24:00");
  if (*first == *end || *first == kDay) return bad_hours(clause, what, "the span is empty");
  for (unsigned day = *first_day;; day = (day + 1) % 7) {
    const unsigned begin = day * kDay;
    if (*first < *end) {
      add(spans, begin + *first, begin + *end);
    } else {  // past midnight, into the next day: "fri 22:00-06:00"
      add(spans, begin + *first, begin + kDay);
      add(spans, (begin + kDay) % kWeek, (begin + kDay) % kWeek + *end);
    }
    if (day == *last_day) break;
  }
  return Done{};
}

void merge(std::vector<Hours::Span>& spans) {
  std::sort(spans.begin(), spans.end());
  std::vector<Hours::Span> merged;
  for (const Hours::Span& span : spans) {
    if (!merged.empty() && span.first_minute <= merged.back().end_minute) {
      merged.back().end_minute = std::max(merged.back().end_minute, span.end_minute);
    } else {
      merged.push_back(span);
    }
  }
  spans = std::move(merged);
}

std::string clock_text(unsigned minute) { return fmt::format("{:02}:{:02}", minute / 60, minute % 60); }

}  // namespace

Result<Hours> parse_hours(std::string_view text, std::string_view what) {
  if (text.size() > kLongestText) {
    return Error::usage(
        fmt::format("{}: the hours have {} bytes, more than {}", what, text.size(), kLongestText));
  }
  Hours hours;
  for (const std::string_view clause : split(text, ','))
    NL_TRY(parse_clause(trim(clause), what, hours.spans));
  merge(hours.spans);
  if (hours.spans.size() > kMostSpans) {
    return Error::usage(fmt::format("{}: more than {} spans in a week", what, kMostSpans),
                        "join some of the spans");
  }
  return hours;
}

std::string to_text(const Hours& h) {
  std::map<std::pair<unsigned, unsigned>, std::bitset<7>> days_of;  // minutes of the day → days
  for (const Hours::Span& span : h.spans) {
    for (unsigned day = 0; day < 7; ++day) {
      const unsigned begin = std::max<unsigned>(span.first_minute, day * kDay);
      const unsigned end = std::min<unsigned>(span.end_minute, (day + 1) * kDay);
      if (begin < end) days_of[{begin - day * kDay, end - day * kDay}].set(day);
    }
  }
  std::vector<std::pair<unsigned, std::string>> clauses;  // ordered by their first minute
  for (const auto& [span, days] : days_of) {
    for (unsigned day = 0; day < 7; ++day) {
      if (!days[day]) continue;
      const unsigned from = day;
      while (day < 6 && days[day + 1]) ++day;
      clauses.emplace_back(
          from * kDay + span.first,
          fmt::format("{}{} {}-{}", kDays[from], day > from ? fmt::format("-{}", kDays[day]) : "",
                      clock_text(span.first), clock_text(span.second)));
    }
  }
  std::sort(clauses.begin(), clauses.end());
  std::string out;
  for (const auto& [minute, clause] : clauses) out += (out.empty() ? "" : ", ") + clause;
  return out;
}

}  // namespace nightlatch
