// SPDX-License-Identifier: Apache-2.0
// Filters that go through a sequence: map, select, sort and the like. Where Python gives a generator, which can only be
// gone through, these give a list.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/arithmetic.hpp>
#include <trine/text/jinja/tests.hpp>

namespace trine::inline TRINE_ABI::templates {

[[nodiscard]] Value run_filter(std::string_view name, const Value& value, const Arguments& arguments, Budget& budget);

namespace detail {

/// item["a"]["b"] for the path "a.b", numbers as indices.
[[nodiscard]] inline Value at_path(Value value, const Value& path, Budget& budget) {
  if (path.is_none()) return value;
  if (path.text() == nullptr) return item(value, path, budget);
  for (const ByteRange& range : split_at(path.text()->view(), ".", kAllOccurrences)) {
    const Text part = path.text()->part(range.begin, range.end);
    const bool is_index = !part.empty() && part.view().find_first_not_of("0123456789") == std::string_view::npos;
    value = item(value, is_index ? Value(parse_integer(part.view()).value_or(0)) : Value(part), budget);
  }
  return value;
}

[[nodiscard]] inline Arguments without_first(const Arguments& arguments, std::size_t count, Budget& budget) {
  budget.charge_elements(arguments.positional.size() + arguments.named.size());
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

[[nodiscard]] inline Value map(const Value& value, const Arguments& arguments, Budget& budget) {
  if (!is_true(value)) return List();  // also for None, which cannot be gone through
  const auto list = elements_of(value, budget);
  budget.charge_elements(list->items.size());
  List result;
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"});
    for (const Value& element : list->items) {
      Value found = at_path(element, bound.get(0), budget);
      const bool replace = found.is_undefined() && bound.has(1) && !bound.get(1).is_none();
      result.items.push_back(replace ? bound.get(1) : std::move(found));
    }
  } else {
    const Text* name = arguments.positional.front().text();
    if (name == nullptr) fail_type("the name of a filter for map", arguments.positional.front());
    const Arguments rest = without_first(arguments, 1, budget);
    for (const Value& element : list->items) result.items.push_back(run_filter(name->view(), element, rest, budget));
  }
  return List(std::move(result.items));
}

/// select, reject: by a test, or by truth; selectattr, rejectattr: of an attribute of each element.
[[nodiscard]] inline Value select(std::string_view filter, const Value& value, const Arguments& arguments,
                                  Budget& budget) {
  if (!is_true(value)) return List();
  const bool of_attribute = filter.ends_with("attr");
  const bool wanted = filter.starts_with("select");
  const std::size_t used = of_attribute ? 1 : 0;
  if (arguments.positional.size() < used)
    throw TemplateError(std::string(filter) + ": the name of an attribute is missing");
  const Text* test = nullptr;
  if (arguments.positional.size() > used) {
    test = arguments.positional[used].text();
    if (test == nullptr) fail_type("the name of a test for " + std::string(filter), arguments.positional[used]);
  }
  const Arguments rest = without_first(arguments, test == nullptr ? arguments.positional.size() : used + 1, budget);
  const auto list = elements_of(value, budget);
  budget.charge_elements(list->items.size());
  List result;
  for (const Value& element : list->items) {
    const Value tested = of_attribute ? at_path(element, arguments.positional.front(), budget) : element;
    const bool holds = test == nullptr ? is_true(tested) : run_test(test->view(), tested, rest, budget);
    if (holds == wanted) result.items.push_back(element);
  }
  return List(std::move(result.items));
}

/// What is compared when elements are ordered: an attribute if one is named, strings in lower case unless told.
[[nodiscard]] inline Value sort_key(const Value& element, const Value& attribute, bool case_sensitive, Budget& budget) {
  Value key = at_path(element, attribute, budget);
  if (case_sensitive || key.text() == nullptr) return key;
  return in_case(*key.text(), Case::lower, budget);
}

/// Elements with their keys, ordered by these; stable in both directions.
[[nodiscard]] inline Value sorted(std::vector<std::pair<Value, Value>> keyed, bool reverse, Budget& budget) {
  budget.charge_elements(2 * keyed.size());
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    budget.charge(1);
    return reverse ? compare(b.first, a.first, budget) < 0 : compare(a.first, b.first, budget) < 0;
  });
  List result;
  for (auto& [key, element] : keyed) result.items.push_back(std::move(element));
  return List(std::move(result.items));
}

[[nodiscard]] inline Value sort(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Value attribute = bound.get_or(2, None{});
  std::vector<std::pair<Value, Value>> keyed;
  const auto list = elements_of(value, budget);
  for (const Value& element : list->items) {
    Value key;
    if (attribute.text() != nullptr && attribute.text()->view().find(',') != std::string_view::npos) {
      List keys;  // "age,name": by age, then by name
      for (const ByteRange& part : split_at(attribute.text()->view(), ",", kAllOccurrences))
        keys.items.push_back(sort_key(element, attribute.text()->part(part.begin, part.end), bound.flag(1), budget));
      key = List(std::move(keys.items));
    } else {
      key = sort_key(element, attribute, bound.flag(1), budget);
    }
    keyed.emplace_back(std::move(key), element);
  }
  return sorted(std::move(keyed), bound.flag(0), budget);
}

[[nodiscard]] inline Value dictsort(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (value.dict() == nullptr) fail_type("a dict", value);
  const std::string_view by = bound.has(1) ? bound.text(1).view() : "key";
  if (by != "key" && by != "value")
    throw TemplateError("dictsort: expected by 'key' or 'value', found " + in_quotes(by));
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, entry] : value.dict()->entries)
    keyed.emplace_back(sort_key(by == "key" ? key : entry, None{}, bound.flag(0), budget), List({key, entry}, true));
  return sorted(std::move(keyed), bound.flag(2), budget);
}

[[nodiscard]] inline Value unique(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  List seen;
  List result;
  const auto list = elements_of(value, budget);
  for (const Value& element : list->items) {
    Value key = sort_key(element, bound.get_or(1, None{}), bound.flag(0), budget);
    budget.charge_elements(2);
    budget.charge(seen.items.size() / 4);
    if (std::any_of(seen.items.begin(), seen.items.end(),
                    [&](const Value& other) { return equal(key, other, budget); }))
      continue;
    seen.items.push_back(std::move(key));
    result.items.push_back(element);
  }
  return List(std::move(result.items));
}

/// min, max: the first of equals.
[[nodiscard]] inline Value extreme(std::string_view name, const Value& value, const Arguments& arguments,
                                   Budget& budget) {
  const Bound bound(name, arguments, {"case_sensitive", "attribute"});
  const auto list = elements_of(value, budget);
  if (list->items.empty()) return Value::undefined(std::string(name) + " of an empty sequence");
  const auto key_of = [&](const Value& element) {
    return sort_key(element, bound.get_or(1, None{}), bound.flag(0), budget);
  };
  Value best = list->items.front();
  for (const Value& element : list->items) {
    budget.charge(2);
    const auto order = compare(key_of(element), key_of(best), budget);
    if (name == "min" ? order < 0 : order > 0) best = element;
  }
  return best;
}

[[nodiscard]] inline Value sum(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value total = bound.get_or(1, std::int64_t{0});
  const auto list = elements_of(value, budget);
  for (const Value& element : list->items)
    total = arithmetic("+", total, at_path(element, bound.get_or(0, None{}), budget), budget);
  return total;
}

[[nodiscard]] inline Value join_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const Text separator = bound.has(0) ? to_text(bound.get(0), budget) : Text();
  const auto list = elements_of(value, budget);
  Text result;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Text element = to_text(at_path(list->items[i], bound.get_or(1, None{}), budget), budget);
    budget.charge_bytes(separator.size() + element.size());
    if (i > 0) result.append(separator);
    result.append(element);
    budget.require_fits(result.size());
  }
  return result;
}

/// batch(n, fill): lists of n elements.
[[nodiscard]] inline Value batch(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"});
  const std::int64_t count = bound.integer_or(0, 0);
  if (count < 1) throw TemplateError("batch: expected a number above 0, found " + std::to_string(count));
  const auto list = elements_of(value, budget);
  budget.charge_elements(3 * list->items.size());
  std::vector<Value> rows;
  std::vector<Value> row;
  for (const Value& element : list->items) {
    if (static_cast<std::int64_t>(row.size()) == count) rows.emplace_back(List(std::exchange(row, {})));
    row.push_back(element);
  }
  if (!row.empty()) {
    if (bound.has(1) && !bound.get(1).is_none()) {
      budget.charge_elements(static_cast<std::size_t>(count) - row.size());
      row.resize(static_cast<std::size_t>(count), bound.get(1));
    }
    rows.emplace_back(List(std::move(row)));
  }
  return List(std::move(rows));
}

[[nodiscard]] inline Value reverse(const Value& value, Budget& budget) {
  if (value.text() != nullptr) return slice(value, None{}, None{}, std::int64_t{-1}, budget);
  const auto list = elements_of(value, budget);
  budget.charge_elements(list->items.size());
  return List({list->items.rbegin(), list->items.rend()});
}

/// first, last.
[[nodiscard]] inline Value end_of(std::string_view name, const Value& value, Budget& budget) {
  const auto list = elements_of(value, budget);
  if (list->items.empty()) return Value::undefined("there is no " + std::string(name) + " item of an empty sequence");
  return name == "first" ? list->items.front() : list->items.back();
}

}  // namespace detail

}  // namespace trine::inline TRINE_ABI::templates
