// SPDX-License-Identifier: Apache-2.0
// Arguments of a call, matched with the names of parameters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/compare.hpp>

namespace trine::inline TRINE_ABI::templates {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// The values of the parameters of one call; those that were not given are absent.
class Bound {
 public:
  /// `callee` is named in errors. Throws TemplateError for too many, unknown or doubled arguments.
  Bound(std::string_view callee, const Arguments& arguments, std::initializer_list<std::string_view> parameters)
      : callee_(callee), names_(parameters), values_(parameters.size()) {
    if (arguments.positional.size() > values_.size())
      fail("expected at most " + std::to_string(values_.size()) + " arguments, found " +
           std::to_string(arguments.positional.size()));
    std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
    for (const auto& [name, value] : arguments.named) {
      const auto parameter = std::find(names_.begin(), names_.end(), name);
      if (parameter == names_.end()) fail("no argument named " + in_quotes(name));
      auto& slot = values_[static_cast<std::size_t>(parameter - names_.begin())];
      if (slot) fail("argument " + in_quotes(name) + " is given twice");
      slot = value;
    }
  }

  [[nodiscard]] bool has(std::size_t i) const { return values_[i].has_value(); }
  [[nodiscard]] Value get(std::size_t i) const {
    if (!has(i)) fail("argument " + in_quotes(names_[i]) + " is missing");
    return *values_[i];
  }
  [[nodiscard]] Value get_or(std::size_t i, Value otherwise) const { return has(i) ? *values_[i] : otherwise; }
  [[nodiscard]] bool flag(std::size_t i, bool otherwise = false) const {
    return has(i) ? is_true(*values_[i]) : otherwise;
  }
  [[nodiscard]] std::int64_t integer_or(std::size_t i, std::int64_t otherwise) const {
    if (!has(i)) return otherwise;
    const auto number = as_integer(*values_[i]);
    if (!number) fail_type("an int as " + in_quotes(names_[i]) + " of " + callee_, *values_[i]);
    return *number;
  }
  /// Borrowed. Throws TemplateError unless a str.
  [[nodiscard]] const Text& text(std::size_t i) const {
    if (!has(i)) fail("argument " + in_quotes(names_[i]) + " is missing");
    if (values_[i]->text() == nullptr) fail_type("a str as " + in_quotes(names_[i]) + " of " + callee_, *values_[i]);
    return *values_[i]->text();
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw TemplateError(callee_ + ": " + problem); }

  std::string callee_;
  std::vector<std::string_view> names_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace trine::inline TRINE_ABI::templates
