// SPDX-License-Identifier: Apache-2.0
// + - * / // % ** of values, as Python defines them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/compare.hpp>
#include <trine/text/jinja/strings.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

[[nodiscard]] inline std::int64_t checked(std::int64_t a, std::int64_t b,
                                          bool (*overflows)(std::int64_t, std::int64_t, std::int64_t*)) {
  std::int64_t result = 0;
  if (overflows(a, b, &result)) fail_overflow();
  return result;
}
[[nodiscard]] inline bool add(std::int64_t a, std::int64_t b, std::int64_t* sum) {
  return __builtin_add_overflow(a, b, sum);
}
[[nodiscard]] inline bool subtract(std::int64_t a, std::int64_t b, std::int64_t* difference) {
  return __builtin_sub_overflow(a, b, difference);
}
[[nodiscard]] inline bool multiply(std::int64_t a, std::int64_t b, std::int64_t* product) {
  return __builtin_mul_overflow(a, b, product);
}

/// The quotient towards minus infinity, and the remainder with the sign of the divisor.
[[nodiscard]] inline std::pair<std::int64_t, std::int64_t> floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) return {checked(0, a, subtract), 0};  // the machine's division would trap for the least integer
  std::int64_t quotient = a / b;
  std::int64_t remainder = a % b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    --quotient;
    remainder += b;
  }
  return {quotient, remainder};
}
[[nodiscard]] inline std::pair<double, double> floor_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0.0 && (remainder < 0.0) != (b < 0.0)) {
    remainder += b;
    quotient -= 1.0;
  } else if (remainder == 0.0) {
    remainder = std::copysign(0.0, b);
  }
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1.0;
  return {quotient == 0.0 ? std::copysign(0.0, a / b) : whole, remainder};
}

[[nodiscard]] inline Value power(const Value& a, const Value& b) {
  const auto base = as_integer(a);
  const auto exponent = as_integer(b);
  if (!base || !exponent || *exponent < 0) {
    const double x = as_double(a);
    const double y = as_double(b);
    if (x == 0.0 && y < 0.0) throw TemplateError("0 to a negative power");
    if (x < 0.0 && std::isfinite(x) && std::isfinite(y) && y != std::floor(y))
      throw TemplateError("a negative number to a fraction");
    const double result = std::pow(x, y);
    if (std::isinf(result) && std::isfinite(x) && std::isfinite(y))
      throw TemplateError("a power too large for a float");
    return result;
  }
  std::int64_t result = 1;
  std::int64_t square = *base;
  for (std::int64_t left = *exponent; left > 0; left /= 2) {
    if (left % 2 == 1) result = checked(result, square, multiply);
    if (left > 1) square = checked(square, square, multiply);
  }
  return result;
}

[[nodiscard]] inline Value number_arithmetic(std::string_view name, const Value& a, const Value& b) {
  if (name == "**") return power(a, b);
  const bool divides = name == "/" || name == "//" || name == "%";
  if (divides && !is_true(b)) throw TemplateError("division by zero");
  if (name == "/") return as_double(a) / as_double(b);
  const auto left = as_integer(a);
  const auto right = as_integer(b);
  if (left && right) {
    if (name == "+") return checked(*left, *right, add);
    if (name == "-") return checked(*left, *right, subtract);
    if (name == "*") return checked(*left, *right, multiply);
    return name == "%" ? floor_divide(*left, *right).second : floor_divide(*left, *right).first;
  }
  const double x = as_double(a);
  const double y = as_double(b);
  if (name == "+") return x + y;
  if (name == "-") return x - y;
  if (name == "*") return x * y;
  return name == "%" ? floor_divide(x, y).second : floor_divide(x, y).first;
}

/// text * count or list * count.
[[nodiscard]] inline Value repeated(const Value& sequence, std::int64_t count, Budget& budget) {
  const std::size_t size = sequence.text() != nullptr ? sequence.text()->size() : sequence.list()->items.size();
  const std::size_t times = count > 0 && size > 0 ? static_cast<std::size_t>(count) : 0;
  const std::size_t most = budget.limits().output_bytes;
  const std::size_t total = times > most / std::max<std::size_t>(size, 1) ? most + 1 : times * size;
  if (const Text* text = sequence.text()) {
    budget.charge_bytes(total);
    Text result;
    for (std::size_t i = 0; i < times; ++i) result.append(*text);
    return result;
  }
  budget.charge_elements(total);
  List result;
  for (std::size_t i = 0; i < times; ++i)
    result.items.insert(result.items.end(), sequence.list()->items.begin(), sequence.list()->items.end());
  return List(std::move(result.items), sequence.list()->tuple);
}

}  // namespace detail

/// a + b of what is not a number: text, lists, tuples.
[[nodiscard]] inline Value joined(const Value& a, const Value& b, Budget& budget) {
  if (a.text() != nullptr && b.text() != nullptr) {
    budget.charge_bytes(a.text()->size() + b.text()->size());
    if (a.text()->is_html() == b.text()->is_html()) return Text(*a.text()).append(*b.text());
    const auto as_html = [&](const Text& text) { return text.is_html() ? text : escaped_for_html(text, budget); };
    return as_html(*a.text()).append(as_html(*b.text()));
  }
  if (a.list() != nullptr && b.list() != nullptr && a.list()->tuple == b.list()->tuple) {
    budget.charge_elements(a.list()->items.size() + b.list()->items.size());
    std::vector<Value> items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return List(std::move(items), a.list()->tuple);
  }
  if (a.is_undefined()) fail_type("", a);
  if (b.is_undefined()) fail_type("", b);
  throw TemplateError("cannot add " + type_name(a) + " and " + type_name(b));
}

/// a `name` b, `name` one of + - * / // % **. Throws TemplateError for kinds that have no such operation, a result
/// beyond 64 bits, a division by zero.
[[nodiscard]] inline Value arithmetic(std::string_view name, const Value& a, const Value& b, Budget& budget) {
  if (is_number_like(a) && is_number_like(b)) return detail::number_arithmetic(name, a, b);
  if (name == "+") return joined(a, b, budget);
  const auto is_sequence = [](const Value& value) { return value.text() != nullptr || value.list() != nullptr; };
  if (name == "*" && is_sequence(a) && as_integer(b)) return detail::repeated(a, *as_integer(b), budget);
  if (name == "*" && is_sequence(b) && as_integer(a)) return detail::repeated(b, *as_integer(a), budget);
  if (name == "%" && a.text() != nullptr)
    throw TemplateError("formatting of text with '%' is not supported", {ErrorKind::unsupported});
  if (a.is_undefined()) fail_type("", a);
  if (b.is_undefined()) fail_type("", b);
  throw TemplateError("no operation " + in_quotes(name) + " of " + type_name(a) + " and " + type_name(b));
}

/// -a or +a.
[[nodiscard]] inline Value signed_number(const Value& a, bool negative) {
  if (!is_number_like(a)) fail_type("a number", a);
  if (a.floating() != nullptr) return negative ? -*a.floating() : *a.floating();
  return negative ? detail::checked(0, *as_integer(a), detail::subtract) : *as_integer(a);
}

}  // namespace trine::inline TRINE_ABI::templates
