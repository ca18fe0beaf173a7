// SPDX-License-Identifier: Apache-2.0
// `value is name`. Jinja 3.1 documentation, "List of Builtin Tests".
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/nearest_name.hpp>
#include <trine/text/jinja/arguments.hpp>
#include <trine/text/jinja/arithmetic.hpp>
#include <trine/text/jinja/methods.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

using TestFunction = bool (*)(const Value& value, const Arguments& arguments, Budget& budget);
using Tests = std::pair<std::string_view, TestFunction>;

[[nodiscard]] inline Value only_argument(std::string_view name, const Arguments& arguments) {
  return Bound(name, arguments, {"other"}).get(0);
}

/// A test without arguments.
template <bool (*Holds)(const Value&)>
bool simple_test(const Value& value, const Arguments& arguments, Budget&) {
  static_cast<void>(Bound("test", arguments, {}));
  return Holds(value);
}

template <class Holds>
bool ordered_test(const Value& value, const Arguments& arguments, Budget& budget, Holds holds) {
  return holds(compare(value, only_argument("test", arguments), budget));
}

[[nodiscard]] inline bool divisible(const Value& value, const Value& by) {
  if (!is_number_like(value)) fail_type("a number", value);
  if (!is_number_like(by)) fail_type("a number", by);
  return !is_true(number_arithmetic("%", value, by));
}
[[nodiscard]] inline bool is_even(const Value& value) { return divisible(value, std::int64_t{2}); }
[[nodiscard]] inline bool is_odd(const Value& value) {
  const Value rest = is_number_like(value) ? number_arithmetic("%", value, std::int64_t{2}) : value;
  if (!is_number_like(rest)) fail_type("a number", value);
  return as_double(rest) == 1.0;
}
[[nodiscard]] inline bool is_iterable(const Value& value) {
  return value.text() != nullptr || value.list() != nullptr || value.dict() != nullptr || value.is_undefined() ||
         value.loop() != nullptr;
}

/// Is every cased character in this case, and is there one?
[[nodiscard]] inline bool is_in_case(const Value& value, Case which, Budget& budget) {
  const Text text = to_text(value, budget);
  const Text other = in_case(text, which == Case::upper ? Case::lower : Case::upper, budget);
  return in_case(text, which, budget).view() == text.view() && other.view() != text.view();
}

inline constexpr auto kTests = std::to_array<Tests>({
    {"defined", simple_test<[](const Value& v) { return !v.is_undefined(); }>},
    {"undefined", simple_test<[](const Value& v) { return v.is_undefined(); }>},
    {"none", simple_test<[](const Value& v) { return v.is_none(); }>},
    {"boolean", simple_test<[](const Value& v) { return v.boolean() != nullptr; }>},
    {"true", simple_test<[](const Value& v) { return v.boolean() != nullptr && *v.boolean(); }>},
    {"false", simple_test<[](const Value& v) { return v.boolean() != nullptr && !*v.boolean(); }>},
    {"integer", simple_test<[](const Value& v) { return v.integer() != nullptr; }>},
    {"float", simple_test<[](const Value& v) { return v.floating() != nullptr; }>},
    {"number", simple_test<is_number_like>},
    {"string", simple_test<[](const Value& v) { return v.text() != nullptr; }>},
    {"mapping", simple_test<[](const Value& v) { return v.dict() != nullptr; }>},
    {"iterable", simple_test<is_iterable>},
    {"sequence", simple_test<[](const Value& v) { return is_iterable(v) && v.loop() == nullptr; }>},
    {"callable", simple_test<[](const Value& v) { return v.function() != nullptr; }>},
    {"even", simple_test<is_even>},
    {"odd", simple_test<is_odd>},
    {"divisibleby",
     [](const Value& v, const Arguments& a, Budget&) { return divisible(v, only_argument("divisibleby", a)); }},
    {"lower", [](const Value& v, const Arguments&, Budget& b) { return is_in_case(v, Case::lower, b); }},
    {"upper", [](const Value& v, const Arguments&, Budget& b) { return is_in_case(v, Case::upper, b); }},
    {"in", [](const Value& v, const Arguments& a, Budget& b) { return contains(only_argument("in", a), v, b); }},
    {"eq", [](const Value& v, const Arguments& a, Budget& b) { return equal(v, only_argument("eq", a), b); }},
    {"equalto", [](const Value& v, const Arguments& a, Budget& b) { return equal(v, only_argument("equalto", a), b); }},
    {"==", [](const Value& v, const Arguments& a, Budget& b) { return equal(v, only_argument("==", a), b); }},
    {"ne", [](const Value& v, const Arguments& a, Budget& b) { return !equal(v, only_argument("ne", a), b); }},
    {"!=", [](const Value& v, const Arguments& a, Budget& b) { return !equal(v, only_argument("!=", a), b); }},
    {"gt", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_gt); }},
    {"greaterthan", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_gt); }},
    {">", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_gt); }},
    {"ge", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_gteq); }},
    {">=", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_gteq); }},
    {"lt", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_lt); }},
    {"lessthan", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_lt); }},
    {"<", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_lt); }},
    {"le", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_lteq); }},
    {"<=", [](const Value& v, const Arguments& a, Budget& b) { return ordered_test(v, a, b, std::is_lteq); }},
});

/// The entry of a table of names; throws TemplateError naming the nearest when there is none.
template <class Table>
[[nodiscard]] const auto& named(const Table& table, std::string_view name, const char* what) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.first == name; });
  if (found != table.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& entry : table) names.push_back(entry.first);
  throw TemplateError("no " + std::string(what) + " named " + in_quotes(name) + nearest_hint(name, names),
                      {ErrorKind::unsupported});
}

}  // namespace detail

/// Throws TemplateError unless there is such a test.
inline void require_test(std::string_view name) { static_cast<void>(detail::named(detail::kTests, name, "test")); }

[[nodiscard]] inline bool run_test(std::string_view name, const Value& value, const Arguments& arguments,
                                   Budget& budget) {
  return detail::named(detail::kTests, name, "test")(value, arguments, budget);
}

}  // namespace trine::inline TRINE_ABI::templates
