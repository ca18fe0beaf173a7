// SPDX-License-Identifier: Apache-2.0
// Variables of a template while it is rendered.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/value.hpp>

namespace trine::inline TRINE_ABI::templates {

/// Loops, macros and captures have variables of their own: what is set there is gone behind them.
struct Scope {
  explicit Scope(Scope* around) : parent(around) {}

  /// The value of a variable here or around, or nullptr.
  [[nodiscard]] const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
      const auto found = scope->variables.find(name);
      if (found != scope->variables.end()) return &found->second;
    }
    return nullptr;
  }
  void set(std::string_view name, Value value) { variables.insert_or_assign(name, std::move(value)); }

  Scope* parent;
  std::map<std::string_view, Value> variables;  // names are of the template or the context, which live longer
  bool has_macros = false;                      // which remember it, and may be called when it has ended
};

/// Owns the scopes of one rendering: those that end are freed, unless a macro remembers them.
class Scopes {
 public:
  Scopes() : current_(std::make_unique<Scope>(nullptr)) {}

  [[nodiscard]] Scope& current() noexcept { return *current_; }
  /// A macro is defined here: this scope and those around it stay.
  void keep() noexcept {
    for (Scope* scope = current_.get(); scope != nullptr && !scope->has_macros; scope = scope->parent)
      scope->has_macros = true;
  }

  /// While it lives, there is a new scope inside `parent`.
  class Inner {
   public:
    Inner(Scopes& scopes, Scope& parent)
        : scopes_(scopes), before_(std::exchange(scopes.current_, std::make_unique<Scope>(&parent))) {}
    ~Inner() {
      if (scopes_.current_->has_macros) scopes_.kept_.push_back(std::move(scopes_.current_));
      scopes_.current_ = std::move(before_);
    }
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;

   private:
    Scopes& scopes_;
    std::unique_ptr<Scope> before_;
  };

 private:
  std::unique_ptr<Scope> current_;
  std::vector<std::unique_ptr<Scope>> kept_;
};

}  // namespace trine::inline TRINE_ABI::templates
