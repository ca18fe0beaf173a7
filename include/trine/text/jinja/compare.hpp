// SPDX-License-Identifier: Apache-2.0
// Truth, equality, order and membership of values, as Python defines them.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <trine/text/jinja/numbers.hpp>
#include <trine/text/jinja/value.hpp>

namespace trine::inline TRINE_ABI::templates {

/// "str", "list": as in Python's messages.
[[nodiscard]] inline std::string type_name(const Value& value) {
  if (value.is_undefined()) return "an undefined value";
  if (value.is_none()) return "None";
  if (value.boolean() != nullptr) return "bool";
  if (value.integer() != nullptr) return "int";
  if (value.floating() != nullptr) return "float";
  if (value.text() != nullptr) return "str";
  if (value.list() != nullptr) return value.list()->tuple ? "tuple" : "list";
  if (value.dict() != nullptr) return "dict";
  if (value.space() != nullptr) return "namespace";
  return value.loop() != nullptr ? "loop" : "function";
}

/// Throws TemplateError "expected `expectation`, found ..."; of what is undefined, it says what that is.
[[noreturn]] inline void fail_type(const std::string& expectation, const Value& found) {
  const auto* undefined = found.get_if<Undefined>();
  if (undefined != nullptr && undefined->what != nullptr) throw TemplateError(*undefined->what);
  throw TemplateError("expected " + expectation + ", found " + type_name(found));
}

[[nodiscard]] inline bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto* flag = value.boolean()) return *flag;
  if (const auto* number = value.integer()) return *number != 0;
  if (const auto* number = value.floating()) return *number != 0.0;
  if (const Text* text = value.text()) return !text->empty();
  if (const List* list = value.list()) return !list->items.empty();
  if (const Dict* dict = value.dict()) return !dict->entries.empty();
  return true;
}

[[nodiscard]] bool equal(const Value& a, const Value& b, Budget& budget);

/// The value at a key, or nullptr. Keys are compared one by one: mappings of templates are small.
[[nodiscard]] inline const Value* find(const std::vector<Dict::Entry>& entries, const Value& key, Budget& budget) {
  budget.charge(entries.size() / 8);
  for (const auto& [candidate, value] : entries)
    if (equal(candidate, key, budget)) return &value;
  return nullptr;
}
[[nodiscard]] inline const Value* find(const std::vector<Dict::Entry>& entries, std::string_view key, Budget& budget) {
  budget.charge(entries.size() / 8);
  for (const auto& [candidate, value] : entries)
    if (candidate.text() != nullptr && candidate.text()->view() == key) return &value;
  return nullptr;
}

/// Adds an entry, or changes the value of the one with an equal key. Throws TemplateError for a list or dict as a key.
inline void put(std::vector<Dict::Entry>& entries, const Value& key, const Value& value, Budget& budget) {
  if (key.dict() != nullptr || (key.list() != nullptr && !key.list()->tuple))
    throw TemplateError("a " + type_name(key) + " cannot be a key");
  budget.charge_elements(2);
  budget.charge(entries.size() / 8);
  for (auto& [candidate, old] : entries) {
    if (!equal(candidate, key, budget)) continue;
    old = value;
    return;
  }
  entries.emplace_back(key, value);
}

[[nodiscard]] inline bool equal(const Value& a, const Value& b, Budget& budget) {
  if (is_number_like(a) && is_number_like(b)) return compare_numbers(a, b) == std::partial_ordering::equivalent;
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->view() == b.text()->view();
  if (a.list() != nullptr && b.list() != nullptr) {
    const List& left = *a.list();
    const List& right = *b.list();
    budget.charge(std::min(left.items.size(), right.items.size()));
    return left.tuple == right.tuple &&
           std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(),
                      [&](const Value& x, const Value& y) { return equal(x, y, budget); });
  }
  if (a.dict() != nullptr && b.dict() != nullptr) {
    const auto& left = a.dict()->entries;
    const auto& right = b.dict()->entries;
    budget.charge(left.size());
    return left.size() == right.size() && std::all_of(left.begin(), left.end(), [&](const Dict::Entry& entry) {
             const Value* other = find(right, entry.first, budget);
             return other != nullptr && equal(entry.second, *other, budget);
           });
  }
  if (a.is_undefined() || a.is_none()) return a.is_undefined() == b.is_undefined() && a.is_none() == b.is_none();
  if (a.space() != nullptr) return a.space() == b.space();
  if (a.function() != nullptr && b.function() != nullptr)
    return a.function() == b.function() ||
           (a.function()->macro != nullptr && a.function()->macro == b.function()->macro);
  return a.loop() != nullptr && a.loop() == b.loop();
}

/// a <=> b. Throws TemplateError for what has no order.
[[nodiscard]] inline std::partial_ordering compare(const Value& a, const Value& b, Budget& budget) {
  if (is_number_like(a) && is_number_like(b)) return compare_numbers(a, b);
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->view().compare(b.text()->view()) <=> 0;
  if (a.list() != nullptr && b.list() != nullptr && a.list()->tuple == b.list()->tuple) {
    const auto& left = a.list()->items;
    const auto& right = b.list()->items;
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      budget.charge(1);
      if (!equal(left[i], right[i], budget)) return compare(left[i], right[i], budget);
    }
    return left.size() <=> right.size();
  }
  if (a.is_undefined()) fail_type("", a);
  if (b.is_undefined()) fail_type("", b);
  throw TemplateError("cannot order " + type_name(a) + " and " + type_name(b));
}

/// `item in container`.
[[nodiscard]] inline bool contains(const Value& container, const Value& item, Budget& budget) {
  if (const Text* text = container.text()) {
    if (item.text() == nullptr) fail_type("a str to look for in a str", item);
    budget.charge(text->size() / 16);
    return text->view().find(item.text()->view()) != std::string_view::npos;
  }
  if (const List* list = container.list()) {
    budget.charge(list->items.size() / 8);
    return std::any_of(list->items.begin(), list->items.end(),
                       [&](const Value& candidate) { return equal(candidate, item, budget); });
  }
  if (const Dict* dict = container.dict()) return find(dict->entries, item, budget) != nullptr;
  if (container.is_undefined()) return false;
  fail_type("a str, list, tuple or dict to look in", container);
}

}  // namespace trine::inline TRINE_ABI::templates
