// SPDX-License-Identifier: Apache-2.0
// The parts of values: attributes, items, slices, and what a loop goes through.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/compare.hpp>
#include <trine/text/jinja/strings.hpp>

namespace trine::inline TRINE_ABI::templates {

/// The names that Python gives methods. For those that templates may not call, the call is an error by name.
[[nodiscard]] inline bool is_method(const Value& object, std::string_view name) {
  constexpr std::array<std::string_view, 37> kOfText = {
      "capitalize",   "casefold",   "center",  "count",   "encode",     "endswith", "expandtabs", "find",
      "format",       "index",      "isalnum", "isalpha", "isdigit",    "islower",  "isnumeric",  "isspace",
      "istitle",      "isupper",    "join",    "ljust",   "lower",      "lstrip",   "partition",  "removeprefix",
      "removesuffix", "replace",    "rfind",   "rjust",   "rpartition", "rsplit",   "rstrip",     "split",
      "splitlines",   "startswith", "strip",   "title",   "upper"};
  constexpr std::array<std::string_view, 11> kOfDict = {"clear", "copy",    "fromkeys",   "get",    "items", "keys",
                                                        "pop",   "popitem", "setdefault", "update", "values"};
  constexpr std::array<std::string_view, 11> kOfList = {"append", "clear", "copy",   "count",   "extend", "index",
                                                        "insert", "pop",   "remove", "reverse", "sort"};
  const auto among = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (object.text() != nullptr) return among(kOfText);
  if (object.dict() != nullptr) return among(kOfDict);
  if (object.list() != nullptr) return among(kOfList);
  return object.loop() != nullptr && (name == "cycle" || name == "changed");
}

[[nodiscard]] inline Value method(const Value& object, std::string_view name) {
  return Function{Function::Kind::method, std::string(name), object};
}

[[nodiscard]] inline Value missing_attribute(const Value& object, std::string_view name) {
  return Value::undefined(type_name(object) + " has no attribute " + in_quotes(name));
}

/// loop.index and the like. Jinja 3.1 documentation, "Template Designer: For".
[[nodiscard]] inline Value loop_attribute(const Value& object, std::string_view name) {
  const Loop& loop = *object.loop();
  const auto& items = loop.items->items;
  if (name == "index0") return Value::count(loop.index);
  if (name == "index") return Value::count(loop.index + 1);
  if (name == "revindex0") return Value::count(items.size() - loop.index - 1);
  if (name == "revindex") return Value::count(items.size() - loop.index);
  if (name == "length") return Value::count(items.size());
  if (name == "first") return loop.index == 0;
  if (name == "last") return loop.index + 1 == items.size();
  if (name == "depth0") return Value::count(0);  // what deepens is only a recursive loop
  if (name == "depth") return Value::count(1);
  if (name == "previtem") return loop.index > 0 ? items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return loop.index + 1 < items.size() ? items[loop.index + 1] : Value::undefined("there is no next item");
  return missing_attribute(object, name);
}

/// object.name: a method if there is one of this name, otherwise the item; undefined when there is none.
[[nodiscard]] inline Value attribute(const Value& object, std::string_view name, Budget& budget) {
  if (object.is_undefined()) fail_type("", object);
  if (is_method(object, name)) return method(object, name);
  const Value* found = nullptr;
  if (object.dict() != nullptr) found = find(object.dict()->entries, name, budget);
  if (object.space() != nullptr) found = find(object.space()->entries, name, budget);
  if (object.loop() != nullptr) return loop_attribute(object, name);
  return found != nullptr ? *found : missing_attribute(object, name);
}

/// Element `index` of `count`, where negative ones count from the end.
[[nodiscard]] inline std::optional<std::size_t> element(std::int64_t index, std::size_t count) {
  const auto size = static_cast<std::int64_t>(count);
  if (index < -size || index >= size) return std::nullopt;
  return static_cast<std::size_t>(index < 0 ? index + size : index);
}

/// object[key]; undefined when there is no such item.
[[nodiscard]] inline Value item(const Value& object, const Value& key, Budget& budget) {
  if (object.is_undefined()) fail_type("", object);
  if (object.dict() != nullptr) {
    if (const Value* found = find(object.dict()->entries, key, budget)) return *found;
  } else if (const auto index = as_integer(key)) {
    if (const List* list = object.list()) {
      if (const auto i = element(*index, list->items.size())) return list->items[*i];
    } else if (const Text* text = object.text()) {
      const std::vector<std::size_t> offsets = character_offsets(text->view(), budget);
      if (const auto i = element(*index, offsets.size() - 1)) return text->part(offsets[*i], offsets[*i + 1]);
    }
  }
  if (key.text() != nullptr) return attribute(object, key.text()->view(), budget);
  return Value::undefined(type_name(object) + " has no such item");
}

/// Which of `count` elements object[start:stop:step] takes, in which order. Absent or None: Python's defaults.
[[nodiscard]] inline std::vector<std::size_t> slice_indices(const Value& start, const Value& stop, const Value& step,
                                                            std::size_t count, Budget& budget) {
  const auto bound = [](const Value& value) -> std::optional<std::int64_t> {
    if (value.is_none()) return std::nullopt;
    const auto number = as_integer(value);
    if (!number) fail_type("an int or None in a slice", value);
    return number;
  };
  const auto size = static_cast<std::int64_t>(count);
  const std::int64_t stride = bound(step).value_or(1);
  if (stride == 0) throw TemplateError("the step of a slice is 0");
  const std::int64_t least = stride > 0 ? 0 : -1;
  const std::int64_t most = stride > 0 ? size : size - 1;
  const auto position = [&](const Value& value, std::int64_t otherwise) {
    const auto index = bound(value);
    if (!index) return otherwise;
    return std::clamp(*index < 0 ? *index + size : *index, least, most);
  };
  const std::int64_t first = position(start, stride > 0 ? least : most);
  const std::int64_t end = position(stop, stride > 0 ? most : least);
  std::vector<std::size_t> indices;
  budget.charge(count / 4);
  if (stride > 0) {
    for (std::int64_t i = first; i<end; i = stride> end - i ? end : i + stride)
      indices.push_back(static_cast<std::size_t>(i));
  } else {
    for (std::int64_t i = first; i > end; i = stride < end - i ? end : i + stride)
      indices.push_back(static_cast<std::size_t>(i));
  }
  return indices;
}

/// object[start:stop:step]
[[nodiscard]] inline Value slice(const Value& object, const Value& start, const Value& stop, const Value& step,
                                 Budget& budget) {
  if (const List* list = object.list()) {
    const auto indices = slice_indices(start, stop, step, list->items.size(), budget);
    budget.charge_elements(indices.size());
    List result;
    for (const std::size_t i : indices) result.items.push_back(list->items[i]);
    return List(std::move(result.items), list->tuple);
  }
  if (const Text* text = object.text()) {
    const std::vector<std::size_t> offsets = character_offsets(text->view(), budget);
    Text result;
    for (const std::size_t i : slice_indices(start, stop, step, offsets.size() - 1, budget))
      result.append(*text, offsets[i], offsets[i + 1]);
    budget.charge_bytes(result.size());
    return result.set_html(text->is_html());
  }
  fail_type("a str, list or tuple to slice", object);
}

/// What `for` and the filters on sequences go through: elements, keys, characters; nothing of what is undefined.
[[nodiscard]] inline std::shared_ptr<const List> elements_of(const Value& value, Budget& budget) {
  if (const auto* list = value.get_if<std::shared_ptr<const List>>()) return *list;
  auto made = std::make_shared<List>();
  if (const Dict* dict = value.dict()) {
    budget.charge_elements(dict->entries.size());
    for (const auto& [key, entry] : dict->entries) made->items.push_back(key);
  } else if (const Text* text = value.text()) {
    const std::vector<std::size_t> offsets = character_offsets(text->view(), budget);
    budget.charge_elements(2 * offsets.size());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      made->items.emplace_back(text->part(offsets[i], offsets[i + 1]));
  } else if (!value.is_undefined()) {
    fail_type("something to go through", value);
  }
  return std::make_shared<const List>(std::move(made->items));
}

/// len(value)
[[nodiscard]] inline std::size_t length_of(const Value& value) {
  if (const Text* text = value.text()) return length_of(text->view());
  if (const List* list = value.list()) return list->items.size();
  if (const Dict* dict = value.dict()) return dict->entries.size();
  if (const Loop* loop = value.loop()) return loop->items->items.size();
  if (value.is_undefined()) return 0;
  fail_type("something with a length", value);
}

}  // namespace trine::inline TRINE_ABI::templates
