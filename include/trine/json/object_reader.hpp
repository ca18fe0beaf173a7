// SPDX-License-Identifier: Apache-2.0
// Strict reading of one JSON object: typed fields with ranges; unread keys are errors.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/nearest_name.hpp>
#include <trine/core/notes.hpp>
#include <trine/core/source_name.hpp>
#include <trine/json/parse.hpp>

namespace trine::inline TRINE_ABI {

/// A reader of a JSON object. Each getter checks the type and the range and records the key as known;
/// `reject_unknown_keys` then rejects every other key and names the nearest known one. Errors read "config.json:
/// moe.router.k: expected ..., found ...". Borrows the document.
///
/// Kinds of these errors: damaged for a missing value or a wrong type; out_of_range for a number; unsupported for an
/// unknown key or name, and for a number if only one value is allowed, such as the version of a format.
class ObjectReader {
 public:
  /// `source` is the file, `path` the keys that lead to `object` ("" for the root). `defaults` has the values of keys
  /// that `object` lacks; a key that is present with the value null is null. Throws ConfigError unless `object` is an
  /// object.
  ObjectReader(const Json& object, SourceName source, std::string path = {}, Json defaults = Json::object())
      : object_(object), source_(std::move(source)), path_(std::move(path)), defaults_(std::move(defaults)) {
    if (!object.is_object()) fail("", "a JSON object", object);
  }

  /// Returns whether the key has a value, its own or the default, that is not null.
  [[nodiscard]] bool has(std::string_view key) {
    known_.emplace_back(key);
    const Json* value = find(key);
    return value != nullptr && !value->is_null();
  }

  /// Returns whether the object itself has the key with a value other than null.
  [[nodiscard]] bool is_given(std::string_view key) {
    known_.emplace_back(key);
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }

  /// An integer in [least, most].
  [[nodiscard]] std::uint64_t integer(std::string_view key, std::uint64_t least, std::uint64_t most) {
    const Json& value = at(key);
    const bool in_range =
        value.is_number_unsigned() && value.get<std::uint64_t>() >= least && value.get<std::uint64_t>() <= most;
    if (!in_range)
      fail(key, "an integer from " + std::to_string(least) + " to " + std::to_string(most), value,
           !value.is_number_integer() ? ErrorKind::damaged : kind_outside(least == most));
    return value.get<std::uint64_t>();
  }
  /// The same; `otherwise` where the key has no value.
  [[nodiscard]] std::uint64_t integer_or(std::string_view key, std::uint64_t least, std::uint64_t most,
                                         std::uint64_t otherwise) {
    return has(key) ? integer(key, least, most) : otherwise;
  }

  /// A finite number in [least, most].
  [[nodiscard]] double number(std::string_view key, double least, double most) {
    const Json& value = at(key);
    const bool in_range = value.is_number() && value.get<double>() >= least && value.get<double>() <= most;
    if (!in_range)
      fail(key, "a number from " + Json(least).dump() + " to " + Json(most).dump(), value,
           !value.is_number() ? ErrorKind::damaged : kind_outside(least == most));
    return value.get<double>();
  }
  /// The same; `otherwise` where the key has no value.
  [[nodiscard]] double number_or(std::string_view key, double least, double most, double otherwise) {
    return has(key) ? number(key, least, most) : otherwise;
  }

  /// true or false.
  [[nodiscard]] bool boolean(std::string_view key) {
    const Json& value = at(key);
    if (!value.is_boolean()) fail(key, "true or false", value);
    return value.get<bool>();
  }
  /// The same; `otherwise` where the key has no value.
  [[nodiscard]] bool boolean_or(std::string_view key, bool otherwise) { return has(key) ? boolean(key) : otherwise; }

  /// A string, which may be empty.
  [[nodiscard]] std::string string(std::string_view key) {
    const Json& value = at(key);
    if (!value.is_string()) fail(key, "a string", value);
    return value.get<std::string>();
  }

  /// One of the named values: choice("score", {{"sigmoid", Score::sigmoid}, {"softmax", Score::softmax}}).
  template <class Value>
  [[nodiscard]] Value choice(std::string_view key, std::initializer_list<std::pair<std::string_view, Value>> values) {
    const Json& found = at(key);
    std::string names;
    for (const auto& [name, value] : values) {
      if (found.is_string() && found.get_ref<const std::string&>() == name) return value;
      names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    }
    fail(key, "one of " + names, found, found.is_string() ? ErrorKind::unsupported : ErrorKind::damaged);
  }

  /// An object, with its own reader, for which reject_unknown_keys must also be called.
  [[nodiscard]] ObjectReader object(std::string_view key) { return {at(key), source_, name_of(key)}; }
  /// The same for an object elsewhere in the document, used if `key` is absent.
  [[nodiscard]] ObjectReader beside(const Json& object, std::string_view key) const {
    return {object, source_, name_of(key)};
  }

  /// Element `index` of a list of objects.
  [[nodiscard]] ObjectReader element(std::string_view key, std::size_t index) {
    const Json& list = at(key);
    if (!list.is_array() || index >= list.size())
      fail(key, "a list of more than " + std::to_string(index) + " objects", list);
    return {list[index], source_, name_of(key) + "[" + std::to_string(index) + "]"};
  }

  /// The raw value, for lists and free forms. Throws ConfigError if it is missing.
  [[nodiscard]] const Json& at(std::string_view key) {
    if (!has(key)) fail(key, "expected a value, found none");
    return *find(key);
  }

  /// The default of a key that the object lacks; null if there is none.
  [[nodiscard]] Json default_of(std::string_view key) const {
    const auto found = defaults_.find(key);
    return found == defaults_.end() ? Json() : *found;
  }

  /// Throws ConfigError for the first key that no getter read.
  void reject_unknown_keys() const {
    for (const auto& [key, value] : object_.items())
      if (!is_known(key)) throw ConfigError(unknown(key), details(key, ErrorKind::unsupported));
  }
  /// The same for files whose writers add their own keys. A key is noted instead of rejected if its value has no effect
  /// (null, false, 0 or empty), if it is one of `ignored`, or if the caller of the load allows it.
  void reject_unknown_keys(Notes& notes, std::span<const IgnoredNames> ignored = {}) const {
    for (const auto& item : object_.items()) {
      const std::string& key = item.key();
      if (is_known(key)) continue;
      const std::string name = path_.empty() ? key : path_ + "." + key;
      const auto reason =
          std::ranges::find_if(ignored, [&](const IgnoredNames& names) { return matches_glob(names.pattern, key); });
      if (reason != ignored.end()) {
        notes.add(name, reason->text);
      } else if (asks_for_nothing(item.value())) {
        notes.add(name, "unknown, and asks for nothing");
      } else if (!notes.allows(name)) {
        throw ConfigError(unknown(key) + "; allow_unknown (--allow-unknown " + escaped(name) + ") ignores it",
                          details(key, ErrorKind::unsupported));
      }
    }
  }

  /// Throws "source: path.key: expected `expectation`, found `value`".
  [[noreturn]] void fail(std::string_view key, const std::string& expectation, const Json& value,
                         ErrorKind kind = ErrorKind::damaged) const {
    const bool is_default = object_.is_object() && !object_.contains(key) && defaults_.contains(key);
    fail(key, "expected " + expectation + ", found " + (is_default ? "none, which means " : "") + describe(value),
         kind);
  }
  /// Throws "source: path.key: `problem`", for inconsistent fields.
  [[noreturn]] void fail(std::string_view key, const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    throw ConfigError(name_with_source(key) + ": " + problem, details(key, kind));
  }

  /// A value in a message: lists by their length, objects as such, strings in quotes, anything else as written.
  [[nodiscard]] static std::string describe(const Json& value) {
    if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
    if (value.is_array()) return "a list of " + std::to_string(value.size());
    if (value.is_object()) return "an object";
    return value.dump();
  }

 private:
  [[nodiscard]] static ErrorKind kind_outside(bool only_one_allowed) noexcept {
    return only_one_allowed ? ErrorKind::unsupported : ErrorKind::out_of_range;
  }
  [[nodiscard]] const Json* find(std::string_view key) const {
    const auto found = object_.find(key);
    if (found != object_.end()) return &*found;
    const auto otherwise = defaults_.find(key);
    return otherwise == defaults_.end() ? nullptr : &*otherwise;
  }
  [[nodiscard]] bool is_known(std::string_view key) const {
    return std::find(known_.begin(), known_.end(), key) != known_.end();
  }
  [[nodiscard]] static bool asks_for_nothing(const Json& value) {
    return value.is_null() || value == false || (value.is_number() && value == 0) || value == "" ||
           (value.is_structured() && value.empty());
  }
  [[nodiscard]] std::string unknown(std::string_view key) const {
    const std::string message = name_with_source("") + ": unknown key " + in_quotes(key);
    return message + nearest_hint(key, known_, "; the nearest known key is '");
  }
  [[nodiscard]] std::string name_of(std::string_view key) const {
    if (path_.empty() || key.empty()) return path_ + escaped(key);
    return path_ + "." + escaped(key);
  }
  [[nodiscard]] std::string name_with_source(std::string_view key) const {
    const std::string name = name_of(key);
    return name.empty() ? source_.text : source_.text + ": " + name;
  }
  [[nodiscard]] ErrorDetails details(std::string_view key, ErrorKind kind) const {
    return source_.details(name_of(key), kind);
  }

  const Json& object_;
  SourceName source_;
  std::string path_;
  Json defaults_;
  std::vector<std::string> known_;
};

}  // namespace trine::inline TRINE_ABI
