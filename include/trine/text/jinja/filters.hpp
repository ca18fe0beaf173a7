// SPDX-License-Identifier: Apache-2.0
// `value | name(arguments)`. Jinja 3.1 documentation, "List of Builtin Filters"; tojson as Hugging Face transformers
// replaces it: not escaped for HTML, non-ASCII text as it is.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/arithmetic.hpp>
#include <trine/text/jinja/sequence_filters.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

[[nodiscard]] inline Value tojson(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.flag(0);
  style.sort_keys = bound.flag(3);
  const Value indent = bound.get_or(1, None{});
  if (indent.text() != nullptr) {
    style.indent = indent.text()->bytes();
  } else if (!indent.is_none()) {
    const std::int64_t width = std::max<std::int64_t>(bound.integer_or(1, 0), 0);
    budget.charge_bytes(static_cast<std::size_t>(width));
    style.indent = std::string(static_cast<std::size_t>(width), ' ');
  }
  if (style.indent) style.comma = ",";
  if (const Value separators = bound.get_or(2, None{}); !separators.is_none()) {
    const List* both = separators.list();
    if (both == nullptr || both->items.size() != 2 || both->items[0].text() == nullptr ||
        both->items[1].text() == nullptr)
      fail_type("two strings as 'separators' of tojson", separators);
    style.comma = both->items[0].text()->bytes();
    style.colon = both->items[1].text()->bytes();
  }
  return to_json(value, style, budget);
}

[[nodiscard]] inline Value indent(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  if (value.text() == nullptr) fail_type("a str", value);
  Text margin;
  if (bound.has(0) && bound.get(0).text() != nullptr) {
    margin = bound.text(0);
  } else {
    const auto width = static_cast<std::size_t>(std::max<std::int64_t>(bound.integer_or(0, 4), 0));
    budget.charge_bytes(width);
    margin = Text(std::string(width, ' '));
  }
  Text text = *value.text();
  text.append("\n");  // Jinja's way to keep an empty last line
  const std::vector<ByteRange> lines = split_lines(text.view());
  Text result;
  if (bound.flag(1)) result.append(margin);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    budget.charge_bytes(margin.size() + lines[i].end - lines[i].begin);
    if (i > 0) result.append("\n");
    if (i > 0 && (bound.flag(2) || lines[i].begin < lines[i].end)) result.append(margin);
    result.append(text, lines[i].begin, lines[i].end);
    budget.require_fits(result.size());
  }
  return result;
}

/// Words begin behind white space and - ( { [ <, and are written with a capital.
[[nodiscard]] inline Value title(const Text& text, Budget& budget) {
  const auto is_between = [](char32_t c) {
    return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text result;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size();) {
    const Utf8Step step = i < text.size() ? decode_utf8(text.view().substr(i)) : Utf8Step{U' ', 1, Utf8Status::valid};
    if (is_between(step.code_point)) {
      if (begin < i) {
        const std::size_t second = begin + decode_utf8(text.view().substr(begin)).bytes;
        result.append(in_case(text.part(begin, second), Case::upper, budget));
        result.append(in_case(text.part(second, i), Case::lower, budget));
      }
      begin = std::min(i + step.bytes, text.size());
      if (i < text.size()) result.append(text, i, begin);
    }
    i += step.bytes;
  }
  return result;
}

[[nodiscard]] inline Value round(const Value& value, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::int64_t places = bound.integer_or(0, 0);
  const std::string_view method = bound.has(1) ? bound.text(1).view() : "common";
  if (!is_number_like(value)) fail_type("a number", value);
  if (method == "common") {
    if (as_integer(value) && places >= 0) return *as_integer(value);
    const double rounded = round_half_even(as_double(value), places);
    return as_integer(value) ? Value(to_integer(rounded)) : Value(rounded);
  }
  if (method != "ceil" && method != "floor")
    throw TemplateError("round: expected method 'common', 'ceil' or 'floor', found " + in_quotes(method));
  const double power = std::pow(10.0, static_cast<double>(places));
  const double scaled = as_double(value) * power;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / power;
}

[[nodiscard]] inline Value to_int(const Value& value, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  if (value.is_undefined()) fail_type("", value);
  if (const auto number = as_integer(value)) return *number;
  std::optional<double> real;
  if (value.floating() != nullptr) real = *value.floating();
  if (const Text* text = value.text()) {
    const std::int64_t base = bound.integer_or(1, 10);
    if (base != 0 && (base < 2 || base > 36))
      throw TemplateError("int: expected a base from 2 to 36, found " + std::to_string(base));
    if (const auto number = parse_integer(text->view(), static_cast<int>(base))) return *number;
    real = parse_float(text->view());
  }
  if (!real || !std::isfinite(*real)) return bound.get_or(0, std::int64_t{0});
  return to_integer(*real);
}

[[nodiscard]] inline Value to_float(const Value& value, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  if (value.is_undefined()) fail_type("", value);
  if (is_number_like(value)) return as_double(value);
  const auto real = value.text() != nullptr ? parse_float(value.text()->view()) : std::nullopt;
  return real ? Value(*real) : bound.get_or(0, 0.0);
}

[[nodiscard]] inline Value escape(const Value& value, Budget& budget) {
  const Text text = to_text(value, budget);
  return text.is_html() ? text : escaped_for_html(text, budget);
}

[[nodiscard]] inline Value safe(const Value& value, Budget& budget) { return to_text(value, budget).set_html(true); }

[[nodiscard]] inline Value items_filter(const Value& value, Budget& budget) {
  if (value.is_undefined()) return List();
  if (value.dict() == nullptr) fail_type("a dict", value);
  return call_dict_method(*value.dict(), "items", {}, budget);
}

[[nodiscard]] inline Value trim(const Value& value, const Arguments& arguments, Budget& budget) {
  return strip(to_text(value, budget), "trim", arguments, budget);
}

[[nodiscard]] inline Value replace(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  const std::int64_t most = bound.has(2) && bound.get(2).is_none() ? -1 : bound.integer_or(2, -1);
  const Text from = to_text(bound.get(0), budget);
  return replaced(to_text(value, budget), from.view(), to_text(bound.get(1), budget),
                  most < 0 ? kAllOccurrences : static_cast<std::size_t>(most), budget);
}

[[nodiscard]] inline Value absolute(const Value& value) {
  if (!is_number_like(value)) fail_type("a number", value);
  return signed_number(value, as_double(value) < 0.0);
}

[[nodiscard]] inline Value default_to(const Value& value, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool replace = value.is_undefined() || (bound.flag(1) && !is_true(value));
  return replace ? bound.get_or(0, Text()) : value;
}

using FilterFunction = Value (*)(const Value& value, const Arguments& arguments, Budget& budget);

/// A filter without arguments.
template <Value (*Filter)(const Value&, Budget&)>
Value simple_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  static_cast<void>(Bound("filter", arguments, {}));
  return Filter(value, budget);
}

inline constexpr auto kFilters = std::to_array<std::pair<std::string_view, FilterFunction>>({
    {"abs", simple_filter<[](const Value& v, Budget&) { return absolute(v); }>},
    {"batch", batch},
    {"capitalize", simple_filter<[](const Value& v, Budget& b) { return Value(capitalized(to_text(v, b), b)); }>},
    {"count", simple_filter<[](const Value& v, Budget&) { return Value::count(length_of(v)); }>},
    {"d", [](const Value& v, const Arguments& a, Budget&) { return default_to(v, a); }},
    {"default", [](const Value& v, const Arguments& a, Budget&) { return default_to(v, a); }},
    {"dictsort", dictsort},
    {"e", simple_filter<escape>},
    {"escape", simple_filter<escape>},
    {"first", simple_filter<[](const Value& v, Budget& b) { return end_of("first", v, b); }>},
    {"float", [](const Value& v, const Arguments& a, Budget&) { return to_float(v, a); }},
    {"indent", indent},
    {"int", [](const Value& v, const Arguments& a, Budget&) { return to_int(v, a); }},
    {"items", simple_filter<items_filter>},
    {"join", join_filter},
    {"last", simple_filter<[](const Value& v, Budget& b) { return end_of("last", v, b); }>},
    {"length", simple_filter<[](const Value& v, Budget&) { return Value::count(length_of(v)); }>},
    {"list", simple_filter<[](const Value& v, Budget& b) { return Value(List(elements_of(v, b)->items)); }>},
    {"lower", simple_filter<[](const Value& v, Budget& b) { return Value(in_case(to_text(v, b), Case::lower, b)); }>},
    {"map", map},
    {"max", [](const Value& v, const Arguments& a, Budget& b) { return extreme("max", v, a, b); }},
    {"min", [](const Value& v, const Arguments& a, Budget& b) { return extreme("min", v, a, b); }},
    {"reject", [](const Value& v, const Arguments& a, Budget& b) { return select("reject", v, a, b); }},
    {"rejectattr", [](const Value& v, const Arguments& a, Budget& b) { return select("rejectattr", v, a, b); }},
    {"replace", replace},
    {"reverse", simple_filter<reverse>},
    {"round", [](const Value& v, const Arguments& a, Budget&) { return round(v, a); }},
    {"safe", simple_filter<safe>},
    {"select", [](const Value& v, const Arguments& a, Budget& b) { return select("select", v, a, b); }},
    {"selectattr", [](const Value& v, const Arguments& a, Budget& b) { return select("selectattr", v, a, b); }},
    {"sort", sort},
    {"string", simple_filter<[](const Value& v, Budget& b) { return Value(to_text(v, b)); }>},
    {"sum", sum},
    {"title", simple_filter<[](const Value& v, Budget& b) { return title(to_text(v, b), b); }>},
    {"tojson", tojson},
    {"trim", trim},
    {"unique", unique},
    {"upper", simple_filter<[](const Value& v, Budget& b) { return Value(in_case(to_text(v, b), Case::upper, b)); }>},
});

}  // namespace detail

/// Throws TemplateError unless there is such a filter.
inline void require_filter(std::string_view name) {
  static_cast<void>(detail::named(detail::kFilters, name, "filter"));
}

inline Value run_filter(std::string_view name, const Value& value, const Arguments& arguments, Budget& budget) {
  const Budget::Level level(budget);  // map can run map
  budget.charge(1);
  return detail::named(detail::kFilters, name, "filter")(value, arguments, budget);
}

}  // namespace trine::inline TRINE_ABI::templates
