// SPDX-License-Identifier: Apache-2.0
// Python's numbers: exact comparison of integers with floats, floor division, and the shortest text of a float.
// Integers have 64 bits here; what does not fit is an error and never wraps.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <trine/text/jinja/value.hpp>

namespace trine::inline TRINE_ABI::templates {

/// An integer, where Python counts True and False among them.
[[nodiscard]] inline std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* number = value.integer()) return *number;
  if (const auto* flag = value.boolean()) return *flag ? 1 : 0;
  return std::nullopt;
}
[[nodiscard]] inline bool is_number_like(const Value& value) {
  return value.integer() != nullptr || value.boolean() != nullptr || value.floating() != nullptr;
}
[[nodiscard]] inline double as_double(const Value& number) {
  return number.floating() != nullptr ? *number.floating() : static_cast<double>(*as_integer(number));
}

/// a <=> b of numbers; unordered with NaN.
[[nodiscard]] inline std::partial_ordering compare_numbers(const Value& a, const Value& b) {
  const auto left = as_integer(a);
  const auto right = as_integer(b);
  if (left && right) return *left <=> *right;
  if (!left && !right) return *a.floating() <=> *b.floating();
  if (!left) return 0 <=> compare_numbers(b, a);
  const double other = *b.floating();
  if (std::isnan(other)) return std::partial_ordering::unordered;
  if (other >= 0x1p63) return std::partial_ordering::less;
  if (other < -0x1p63) return std::partial_ordering::greater;
  const auto whole = static_cast<std::int64_t>(other);  // towards zero
  if (*left != whole) return *left <=> whole;
  return 0.0 <=> other - std::trunc(other);
}

[[noreturn]] inline void fail_overflow() { throw TemplateError("an integer does not fit 64 bits"); }

/// floor(value) or the like as an integer.
[[nodiscard]] inline std::int64_t to_integer(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63)) fail_overflow();
  return static_cast<std::int64_t>(value);
}

/// repr(float): the fewest digits that give the number back, in scientific form below 1e-4 and from 1e16 on.
[[nodiscard]] inline std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));  // "-1.25e-07"
  std::string sign;
  if (text.front() == '-') {
    sign = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::string_view power = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(text.substr(0, 1));
  if (e > 1) digits += text.substr(2, e - 2);
  const auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string magnitude = std::to_string(std::abs(exponent));
    return sign + digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "") + (exponent < 0 ? "e-" : "e+") +
           (magnitude.size() < 2 ? "0" : "") + magnitude;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + (digits.size() > whole ? digits.substr(whole) : "0");
}

/// round(value, places): to the nearest decimal, exactly, halves to even.
[[nodiscard]] inline double round_half_even(double value, std::int64_t places) {
  if (!std::isfinite(value) || places > 330) return value;
  if (places < 0) {
    if (places < -308) return std::copysign(0.0, value);
    const double power = std::pow(10.0, static_cast<double>(-places));
    return std::nearbyint(value / power) * power;
  }
  char buffer[700];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, static_cast<int>(places));
  double rounded = value;
  if (written.ec == std::errc()) std::from_chars(buffer, written.ptr, rounded);
  return rounded;
}

/// int(text, base): decimal digits with a sign and spaces around, single underscores between digits; nothing otherwise.
[[nodiscard]] inline std::optional<std::int64_t> parse_integer(std::string_view text, int base = 10) {
  const auto is_blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  std::string digits;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    if (text.front() == '-') digits = "-";
    text.remove_prefix(1);
  }
  const char mark = text.size() > 1 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const int prefix = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  bool may_separate = false;
  if (prefix != 0 && (base == prefix || base == 0)) {
    base = prefix;
    text.remove_prefix(2);
    may_separate = true;
  } else if (base == 0) {
    base = 10;
  }
  if (text.empty()) return std::nullopt;
  for (const char c : text) {
    if (c == '_' && may_separate) {
      may_separate = false;
      continue;
    }
    if (c == '_' || c == '-' || c == '+') return std::nullopt;
    digits += c;
    may_separate = true;
  }
  if (!may_separate) return std::nullopt;
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error == std::errc::result_out_of_range) fail_overflow();
  if (error != std::errc() || rest != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// float(text), without underscores; nothing if it is no number.
[[nodiscard]] inline std::optional<double> parse_float(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  if (text.find('(') != std::string_view::npos) return std::nullopt;  // C's nan(...)
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (rest != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // Python gives inf or 0; either is far outside what templates use
    const bool small = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
    return std::copysign(small ? 0.0 : std::numeric_limits<double>::infinity(), text.front() == '-' ? -1.0 : 1.0);
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace trine::inline TRINE_ABI::templates
