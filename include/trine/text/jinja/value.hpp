// SPDX-License-Identifier: Apache-2.0
// The values of a template: those of Python that JSON can express, tuples, and what only templates have.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/text/jinja/budget.hpp>
#include <trine/text/jinja/text.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI::templates {

class Value;
struct List;
struct Dict;
struct Function;
struct Loop;
struct Namespace;

/// The absence of a value; prints as nothing. `what` says of what, for errors: "'message' is undefined".
struct Undefined {
  std::shared_ptr<const std::string> what;
};
struct None {};

/// A value, cheap to copy. Text, lists and mappings never change, so nothing that is made can contain itself.
class Value {
 public:
  Value() = default;
  Value(None none) : data_(none) {}                                           // NOLINT
  Value(bool value) : data_(value) {}                                         // NOLINT
  Value(std::int64_t value) : data_(value) {}                                 // NOLINT
  Value(double value) : data_(value) {}                                       // NOLINT
  Value(Text text) : data_(std::make_shared<const Text>(std::move(text))) {}  // NOLINT
  Value(std::shared_ptr<const Text> text) : data_(std::move(text)) {}         // NOLINT
  Value(List list);                                                           // NOLINT
  Value(Dict dict);                                                           // NOLINT
  Value(Function function);                                                   // NOLINT
  Value(std::shared_ptr<const Loop> loop) : data_(std::move(loop)) {}         // NOLINT
  Value(const char*) = delete;                                                // would be a boolean
  explicit Value(Namespace* space) : data_(space) {}
  [[nodiscard]] static Value undefined(std::string what) {
    Value value;
    value.data_ = Undefined{std::make_shared<const std::string>(std::move(what))};
    return value;
  }
  [[nodiscard]] static Value text(std::string_view bytes) { return Value(Text(std::string(bytes))); }
  [[nodiscard]] static Value count(std::size_t number) { return Value(static_cast<std::int64_t>(number)); }

  template <class T>
  [[nodiscard]] const T* get_if() const noexcept {
    return std::get_if<T>(&data_);
  }
  [[nodiscard]] bool is_undefined() const noexcept { return get_if<Undefined>() != nullptr; }
  [[nodiscard]] bool is_none() const noexcept { return get_if<None>() != nullptr; }
  [[nodiscard]] const bool* boolean() const noexcept { return get_if<bool>(); }
  [[nodiscard]] const std::int64_t* integer() const noexcept { return get_if<std::int64_t>(); }
  [[nodiscard]] const double* floating() const noexcept { return get_if<double>(); }
  [[nodiscard]] const Text* text() const noexcept { return pointer<Text>(); }
  [[nodiscard]] const List* list() const noexcept { return pointer<List>(); }
  [[nodiscard]] const Dict* dict() const noexcept { return pointer<Dict>(); }
  [[nodiscard]] const Function* function() const noexcept { return pointer<Function>(); }
  [[nodiscard]] const Loop* loop() const noexcept { return pointer<Loop>(); }
  [[nodiscard]] Namespace* space() const noexcept {
    const auto* found = get_if<Namespace*>();
    return found == nullptr ? nullptr : *found;
  }

  /// Levels of lists and mappings in it: 0 for all else.
  [[nodiscard]] std::size_t depth() const noexcept;

 private:
  template <class T>
  [[nodiscard]] const T* pointer() const noexcept {
    const auto* found = get_if<std::shared_ptr<const T>>();
    return found == nullptr ? nullptr : found->get();
  }

  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, std::shared_ptr<const Function>, std::shared_ptr<const Loop>, Namespace*>
      data_;
};

/// Comparing, printing and destroying a value recurse by its levels.
inline constexpr std::size_t kMaxValueDepth = 150;

[[nodiscard]] inline std::size_t deeper_than(std::size_t depth) {
  if (depth >= kMaxValueDepth)
    throw TemplateError("lists and mappings are nested more than " + std::to_string(kMaxValueDepth) + " deep",
                        {ErrorKind::does_not_fit});
  return depth + 1;
}

struct List {
  List() = default;
  explicit List(std::vector<Value> from, bool is_tuple = false) : items(std::move(from)), tuple(is_tuple) {
    for (const Value& item : items) depth = std::max(depth, deeper_than(item.depth()));
  }
  std::vector<Value> items;
  bool tuple = false;
  std::size_t depth = 1;
};

/// In the order of insertion, as in Python.
struct Dict {
  using Entry = std::pair<Value, Value>;
  Dict() = default;
  explicit Dict(std::vector<Entry> from) : entries(std::move(from)) {
    for (const auto& [key, value] : entries) depth = std::max(depth, deeper_than(std::max(key.depth(), value.depth())));
  }
  std::vector<Entry> entries;
  std::size_t depth = 1;
};

/// namespace(...): the one thing that assignments change. It belongs to the rendering, and values only point to it: so
/// it may hold itself.
struct Namespace {
  std::vector<Dict::Entry> entries;
};

struct Macro;
struct Scope;

/// Something that can be called: a method of a value, a function that templates have, or a macro.
struct Function {
  enum class Kind : std::uint8_t { method, global, macro };
  Kind kind;
  std::string name;
  Value receiver = {};           // of a method
  const Macro* macro = nullptr;  // belongs to the template
  Scope* scope = nullptr;        // where the macro was defined; belongs to the rendering
};

/// The variable `loop` of one round.
struct Loop {
  std::shared_ptr<const List> items;
  std::size_t index = 0;  // from 0
};

inline Value::Value(List list) : data_(std::make_shared<const List>(std::move(list))) {}
inline Value::Value(Dict dict) : data_(std::make_shared<const Dict>(std::move(dict))) {}
inline Value::Value(Function function) : data_(std::make_shared<const Function>(std::move(function))) {}

inline std::size_t Value::depth() const noexcept {
  if (const List* found = list()) return found->depth;
  if (const Dict* found = dict()) return found->depth;
  if (const Function* found = function()) return found->receiver.depth() + 1;
  if (const Loop* found = loop()) return found->items->depth + 1;
  return 0;
}

/// Which strings of a document are untrusted.
enum class Origin : std::uint8_t {
  trusted,
  untrusted,
  untrusted_but_roles,  // a list of objects, whose "role" may become part of a control token: a name is trusted there
};

namespace detail {

[[nodiscard]] inline bool is_role_name(std::string_view text) {
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

}  // namespace detail

/// A document as a value. Throws TemplateError when it is nested too deep, has an integer beyond 64 bits or a string
/// that is not valid UTF-8.
[[nodiscard]] inline Value value_of(const nlohmann::ordered_json& json, Origin origin, std::size_t level = 0) {
  static_cast<void>(deeper_than(level));
  switch (json.type()) {
    case nlohmann::ordered_json::value_t::boolean:
      return json.get<bool>();
    case nlohmann::ordered_json::value_t::number_integer:
      return json.get<std::int64_t>();
    case nlohmann::ordered_json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw TemplateError("integer " + json.dump() + " does not fit 64 bits", {ErrorKind::out_of_range});
      return json.get<std::int64_t>();
    case nlohmann::ordered_json::value_t::number_float:
      return json.get<double>();
    case nlohmann::ordered_json::value_t::string: {
      const auto& bytes = json.get_ref<const std::string&>();
      if (!is_valid_utf8(bytes))
        throw TemplateError("expected valid UTF-8, found " + in_quotes(bytes), {ErrorKind::out_of_range});
      return Text(bytes, origin != Origin::trusted);
    }
    case nlohmann::ordered_json::value_t::array: {
      List list;
      for (const auto& item : json) list.items.push_back(value_of(item, origin, level + 1));
      return List(std::move(list.items));
    }
    case nlohmann::ordered_json::value_t::object: {
      Dict dict;
      const Origin inside = origin == Origin::untrusted_but_roles ? Origin::untrusted : origin;
      for (const auto& [key, item] : json.items()) {
        const bool is_role = origin == Origin::untrusted_but_roles && key == "role" && item.is_string() &&
                             detail::is_role_name(item.get_ref<const std::string&>());
        if (!is_valid_utf8(key))
          throw TemplateError("expected a key of valid UTF-8, found " + in_quotes(key), {ErrorKind::out_of_range});
        dict.entries.emplace_back(Text(key, origin != Origin::trusted),
                                  value_of(item, is_role ? Origin::trusted : inside, level + 1));
      }
      return Dict(std::move(dict.entries));
    }
    default:
      return None{};
  }
}

}  // namespace trine::inline TRINE_ABI::templates
