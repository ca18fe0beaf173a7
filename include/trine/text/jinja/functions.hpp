// SPDX-License-Identifier: Apache-2.0
// The functions that every template has: those of Jinja that chat templates use, and two that Hugging Face adds.
// (namespace, which makes something that changes, is a matter of the renderer.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/access.hpp>
#include <trine/text/jinja/arguments.hpp>
#include <trine/text/jinja/print.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

/// range(stop), range(start, stop, step), as a list.
[[nodiscard]] inline Value range(const Arguments& arguments, Budget& budget) {
  constexpr std::size_t kMost = 100'000;  // as in Jinja's sandbox
  const Bound bound("range", arguments, {"start", "stop", "step"});
  static_cast<void>(bound.get(0));
  const std::int64_t start = bound.has(1) ? bound.integer_or(0, 0) : 0;
  const std::int64_t stop = bound.has(1) ? bound.integer_or(1, 0) : bound.integer_or(0, 0);
  const std::int64_t step = bound.integer_or(2, 1);
  if (step == 0) throw TemplateError("range: the step is 0");
  const auto distance = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                                 : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : ~static_cast<std::uint64_t>(step) + 1;
  const bool is_empty = step > 0 ? start >= stop : start <= stop;
  const std::uint64_t count = is_empty ? 0 : (distance - 1) / stride + 1;
  if (count > kMost)
    throw TemplateError("range: expected at most " + std::to_string(kMost) + " numbers, found " + std::to_string(count),
                        {ErrorKind::does_not_fit});
  budget.charge_elements(count);
  std::vector<Value> items;
  for (std::uint64_t i = 0; i < count; ++i) items.emplace_back(start + static_cast<std::int64_t>(i) * step);
  return List(std::move(items));
}

[[nodiscard]] inline std::string two_digits(int number, char padding = '0') {
  return (number < 10 ? std::string(padding == '\0' ? 0 : 1, padding) : "") + std::to_string(number);
}

/// One field of strftime in the "C" locale, with glibc's flag '-' for "not padded". Empty for an unknown one.
[[nodiscard]] inline std::string time_field(char field, bool padded, const std::tm& time) {
  constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                     "Thursday", "Friday", "Saturday"};
  constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                        "May",       "June",     "July",     "August",
                                                        "September", "October",  "November", "December"};
  const char zero = padded ? '0' : '\0';
  const std::string day(kDays[static_cast<std::size_t>(time.tm_wday) % 7]);
  const std::string month(kMonths[static_cast<std::size_t>(time.tm_mon) % 12]);
  const int hour12 = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  const int day_of_year = time.tm_yday + 1;
  switch (field) {
    case 'a':
      return day.substr(0, 3);
    case 'A':
      return day;
    case 'b':
      return month.substr(0, 3);
    case 'B':
      return month;
    case 'd':
      return two_digits(time.tm_mday, zero);
    case 'e':
      return two_digits(time.tm_mday, padded ? ' ' : '\0');
    case 'm':
      return two_digits(time.tm_mon + 1, zero);
    case 'y':
      return two_digits(time.tm_year % 100, zero);
    case 'Y':
      return std::to_string(time.tm_year + 1900);
    case 'H':
      return two_digits(time.tm_hour, zero);
    case 'I':
      return two_digits(hour12, zero);
    case 'M':
      return two_digits(time.tm_min, zero);
    case 'S':
      return two_digits(time.tm_sec, zero);
    case 'p':
      return time.tm_hour < 12 ? "AM" : "PM";
    case 'j':
      return (padded && day_of_year < 100 ? "0" : "") + two_digits(day_of_year, zero);
    case 'F':
      return time_field('Y', true, time) + "-" + time_field('m', true, time) + "-" + time_field('d', true, time);
    case 'T':
      return time_field('H', true, time) + ":" + time_field('M', true, time) + ":" + time_field('S', true, time);
    case '%':
      return "%";
    default:
      return "";
  }
}

[[nodiscard]] inline Value strftime_now(const Arguments& arguments, const std::tm& now, Budget& budget) {
  const Bound bound("strftime_now", arguments, {"format"});
  const Text& format = bound.text(0);
  budget.charge_bytes(10 * format.size());
  Text result;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format.view()[i] != '%') {
      result.append(format, i, i + 1);
      continue;
    }
    const bool padded = i + 1 >= format.size() || format.view()[i + 1] != '-';
    i += padded ? 1 : 2;
    const std::string field = i < format.size() ? time_field(format.view()[i], padded, now) : "";
    if (field.empty())
      throw TemplateError("strftime_now: the format " + in_quotes(format.view()) + " is not supported",
                          {ErrorKind::unsupported});
    result.append(field);
  }
  return result;
}

/// The message of a template for people: control characters and what is long are cut.
[[nodiscard]] inline std::string readable(std::string_view text) {
  constexpr std::size_t kMost = 500;
  std::string result;
  while (!text.empty() && result.size() < kMost) {
    const Utf8Step step = decode_utf8(text);
    result += is_printable(step.code_point) ? std::string(text.substr(0, step.bytes)) : " ";
    text.remove_prefix(step.bytes);
  }
  return text.empty() ? result : result + "...";
}

/// The entries of dict(mapping, name=value, ...) and namespace(...).
[[nodiscard]] inline std::vector<Dict::Entry> entries_from(std::string_view callee, const Arguments& arguments,
                                                           Budget& budget) {
  if (arguments.positional.size() > 1) throw TemplateError(std::string(callee) + ": expected at most one mapping");
  std::vector<Dict::Entry> entries;
  if (!arguments.positional.empty()) {
    const Dict* from = arguments.positional.front().dict();
    if (from == nullptr) fail_type("a dict for " + std::string(callee), arguments.positional.front());
    budget.charge_elements(2 * from->entries.size());
    entries = from->entries;
  }
  for (const auto& [name, value] : arguments.named) put(entries, Value::text(name), value, budget);
  return entries;
}

}  // namespace detail

/// A function that needs nothing but its arguments. `now`: what strftime_now shows.
[[nodiscard]] inline Value call_function(std::string_view name, const Arguments& arguments, const std::tm& now,
                                         Budget& budget) {
  if (name == "range") return detail::range(arguments, budget);
  if (name == "dict") return Dict(detail::entries_from("dict", arguments, budget));
  if (name == "strftime_now") return detail::strftime_now(arguments, now, budget);
  const Value message = Bound(name, arguments, {"message"}).get(0);
  throw TemplateError(detail::readable(to_text(message, budget).view()), {ErrorKind::rejected});  // raise_exception
}

inline constexpr std::array<std::string_view, 5> kFunctions = {"range", "dict", "namespace", "strftime_now",
                                                               "raise_exception"};

}  // namespace trine::inline TRINE_ABI::templates
