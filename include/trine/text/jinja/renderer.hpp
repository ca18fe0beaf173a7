// SPDX-License-Identifier: Apache-2.0
// Runs the tree of a template: evaluates expressions, executes statements, and collects what they print.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/ast.hpp>
#include <trine/text/jinja/filters.hpp>
#include <trine/text/jinja/functions.hpp>
#include <trine/text/jinja/scope.hpp>

namespace trine::inline TRINE_ABI::templates {

/// One rendering of one template.
class Renderer {
 public:
  /// `context` are the variables of the template; borrowed while it renders.
  Renderer(const TemplateLimits& limits, const std::vector<std::pair<std::string, Value>>& context, const std::tm& now)
      : budget_(limits), now_(now) {
    for (const std::string_view name : kFunctions)
      scopes_.current().set(name, Function{Function::Kind::global, std::string(name)});
    for (const auto& [name, value] : context) scopes_.current().set(name, value);
  }
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  /// Throws TemplateError "line 3: ...".
  [[nodiscard]] Text render(const Body& body) {
    Text out;
    try {
      const Scopes::Inner inner(scopes_, scopes_.current());  // may hide what the context and Jinja define
      static_cast<void>(execute(body, out));
    } catch (const TemplateError& error) {
      throw TemplateError("line " + std::to_string(line_) + ": " + error.what(), error.details());
    }
    return out;
  }

 private:
  enum class Flow : std::uint8_t { on, leave, next };  // on: with the next statement; the others end a round of a loop

  // Statements

  [[nodiscard]] Flow execute(const Body& body, Text& out) {
    const Budget::Level level(budget_);
    for (const Statement& statement : body) {
      const Flow flow = execute(statement, out);
      if (flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  [[nodiscard]] Flow execute(const Statement& statement, Text& out) {
    budget_.charge(1);
    line_ = statement.line;
    switch (statement.kind) {
      case Statement::Kind::text:
        print(*statement.text, out);
        return Flow::on;
      case Statement::Kind::print:
        print(evaluate(*statement.expressions[0]), out);
        return Flow::on;
      case Statement::Kind::branch:
        return branch(statement, out);
      case Statement::Kind::loop:
        return loop(statement, out);
      case Statement::Kind::assign:
        assign(statement.targets[0], evaluate(*statement.expressions[0]));
        return Flow::on;
      case Statement::Kind::capture:
        return capture(statement);
      case Statement::Kind::macro:
        scopes_.keep();
        scopes_.current().set(statement.macro->name, function_of(*statement.macro));
        return Flow::on;
      case Statement::Kind::call:
        scopes_.keep();
        print(call(*statement.expressions[0], {{"caller", function_of(*statement.macro)}}), out);
        return Flow::on;
      case Statement::Kind::filter:
        return filter_block(statement, out);
      case Statement::Kind::with:
        return with(statement, out);
      case Statement::Kind::scope: {
        const Scopes::Inner inner(scopes_, scopes_.current());
        return execute(statement.body, out);
      }
      case Statement::Kind::leave:
        return Flow::leave;
      case Statement::Kind::next:
        return Flow::next;
    }
    return Flow::on;
  }

  void print(const Text& text, Text& out) {
    budget_.charge_bytes(text.size());
    out.append(text);
    budget_.require_fits(out.size());
  }
  void print(const Value& value, Text& out) { print(to_text(value, budget_), out); }

  [[nodiscard]] Flow branch(const Statement& statement, Text& out) {
    for (const Branch& candidate : statement.branches)
      if (candidate.condition == nullptr || is_true(evaluate(*candidate.condition)))
        return execute(candidate.body, out);
    return Flow::on;
  }

  [[nodiscard]] Flow loop(const Statement& statement, Text& out) {
    std::shared_ptr<const List> items = elements_of(evaluate(*statement.expressions[0]), budget_);
    if (statement.expressions[1] != nullptr) items = those_that_hold(statement, *items);
    bool finished = false;  // a round: one that ends with break or continue does not count, as in Jinja
    Flow flow = Flow::on;
    for (std::size_t i = 0; i < items->items.size() && flow != Flow::leave; ++i) {
      budget_.charge_elements(2);  // the scope
      const Scopes::Inner inner(scopes_, scopes_.current());
      line_ = statement.line;
      scopes_.current().set("loop", std::make_shared<const Loop>(Loop{items, i}));
      static_cast<void>(deeper_than(items->depth));
      assign(statement.targets[0], items->items[i]);
      flow = execute(statement.body, out);
      finished |= flow == Flow::on;
    }
    return finished ? Flow::on : execute(statement.otherwise, out);
  }

  /// for ... in items if condition
  [[nodiscard]] std::shared_ptr<const List> those_that_hold(const Statement& statement, const List& items) {
    List kept;
    budget_.charge_elements(items.items.size());
    for (const Value& item : items.items) {
      const Scopes::Inner inner(scopes_, scopes_.current());
      assign(statement.targets[0], item);
      if (is_true(evaluate(*statement.expressions[1]))) kept.items.push_back(item);
    }
    return std::make_shared<const List>(std::move(kept.items));
  }

  void assign(const Target& target, const Value& value) {
    budget_.charge_elements(1);
    if (!target.parts.empty()) return unpack(target, value);
    if (target.attribute.empty()) return scopes_.current().set(target.name, value);
    const Value* found = scopes_.current().find(target.name);
    if (found == nullptr || found->space() == nullptr)
      throw TemplateError(in_quotes(target.name) + ": only attributes of a namespace can be assigned to");
    put(found->space()->entries, Value::text(target.attribute), value, budget_);
  }

  void unpack(const Target& target, const Value& value) {
    const Budget::Level level(budget_);
    if (value.is_undefined()) fail_type("", value);
    const auto items = elements_of(value, budget_);
    if (items->items.size() != target.parts.size())
      throw TemplateError("expected " + std::to_string(target.parts.size()) + " values to unpack, found " +
                          std::to_string(items->items.size()));
    for (std::size_t i = 0; i < target.parts.size(); ++i) assign(target.parts[i], items->items[i]);
  }

  /// What the body prints, as text, from a scope of its own.
  [[nodiscard]] Flow print_apart(const Statement& statement, Text& captured) {
    const Scopes::Inner inner(scopes_, scopes_.current());
    return execute(statement.body, captured);
  }

  [[nodiscard]] Flow capture(const Statement& statement) {
    Text captured;
    const Flow flow = print_apart(statement, captured);
    if (flow != Flow::on) return flow;
    Value value = std::move(captured);
    if (statement.expressions[0] != nullptr) value = filtered(*statement.expressions[0], std::move(value));
    assign(statement.targets[0], value);
    return Flow::on;
  }

  [[nodiscard]] Flow filter_block(const Statement& statement, Text& out) {
    Text captured;
    const Flow flow = print_apart(statement, captured);
    if (flow == Flow::on) print(filtered(*statement.expressions[0], std::move(captured)), out);
    return flow;
  }

  [[nodiscard]] Flow with(const Statement& statement, Text& out) {
    std::vector<Value> values;
    for (const auto& expression : statement.expressions) values.push_back(evaluate(*expression));
    const Scopes::Inner inner(scopes_, scopes_.current());
    for (std::size_t i = 0; i < values.size(); ++i) assign(statement.targets[i], values[i]);
    return execute(statement.body, out);
  }

  [[nodiscard]] Value function_of(const Macro& macro) {
    return Function{Function::Kind::macro, macro.name, {}, &macro, &scopes_.current()};
  }

  // Expressions

  [[nodiscard]] Value evaluate(const Expression& expression) {
    const Budget::Level level(budget_);
    budget_.charge(1);
    line_ = expression.line;
    const auto part = [&](std::size_t i) { return evaluate(*expression.parts[i]); };
    switch (expression.kind) {
      case Expression::Kind::constant:
        return expression.value;
      case Expression::Kind::name:
        return variable(expression.name);
      case Expression::Kind::list:
        return List(values_of(expression, 0));
      case Expression::Kind::tuple:
        return List(values_of(expression, 0), true);
      case Expression::Kind::dict:
        return dict(expression);
      case Expression::Kind::attribute:
        return attribute(part(0), expression.name, budget_);
      case Expression::Kind::item:
        return item(part(0), part(1), budget_);
      case Expression::Kind::slice:
        return slice(part(0), bound(expression, 1), bound(expression, 2), bound(expression, 3), budget_);
      case Expression::Kind::call:
        return call(expression, {});
      case Expression::Kind::filter:
        return filtered(expression, {});
      case Expression::Kind::test:
        return test(expression);
      case Expression::Kind::negate:
      case Expression::Kind::plus:
        return signed_number(part(0), expression.kind == Expression::Kind::negate);
      case Expression::Kind::arithmetic: {
        const Value left = part(0);
        return arithmetic(expression.name, left, part(1), budget_);
      }
      case Expression::Kind::concat:
        return concat(expression);
      case Expression::Kind::comparison:
        return comparison(expression);
      case Expression::Kind::logical_and: {
        Value left = part(0);
        return is_true(left) ? part(1) : left;
      }
      case Expression::Kind::logical_or: {
        Value left = part(0);
        return is_true(left) ? left : part(1);
      }
      case Expression::Kind::logical_not:
        return !is_true(part(0));
      case Expression::Kind::conditional:
        if (is_true(part(1))) return part(0);
        return expression.parts[2] != nullptr ? part(2)
                                              : Value::undefined("the condition does not hold, and there is no else");
    }
    return {};
  }

  [[nodiscard]] Value variable(const std::string& name) {
    const Value* found = scopes_.current().find(name);
    return found != nullptr ? *found : Value::undefined(in_quotes(name) + " is undefined");
  }

  /// The parts from `first` on.
  [[nodiscard]] std::vector<Value> values_of(const Expression& expression, std::size_t first) {
    budget_.charge_elements(expression.parts.size());
    std::vector<Value> values;
    for (std::size_t i = first; i < expression.parts.size(); ++i) values.push_back(evaluate(*expression.parts[i]));
    return values;
  }
  [[nodiscard]] Arguments arguments_of(const Expression& expression) {
    Arguments arguments{values_of(expression, 1), {}};
    for (const auto& [name, value] : expression.keywords) arguments.named.emplace_back(name, evaluate(*value));
    return arguments;
  }
  [[nodiscard]] Value bound(const Expression& slice_expression, std::size_t i) {
    return slice_expression.parts[i] == nullptr ? Value(None{}) : evaluate(*slice_expression.parts[i]);
  }

  [[nodiscard]] Value dict(const Expression& expression) {
    std::vector<Dict::Entry> entries;
    for (std::size_t i = 0; i < expression.parts.size(); i += 2) {
      const Value key = evaluate(*expression.parts[i]);
      put(entries, key, evaluate(*expression.parts[i + 1]), budget_);
    }
    return Dict(std::move(entries));
  }

  [[nodiscard]] Value concat(const Expression& expression) {
    Text result;
    for (const Value& value : values_of(expression, 0)) print(value, result);
    return result;
  }

  [[nodiscard]] Value comparison(const Expression& expression) {
    Value left = evaluate(*expression.parts[0]);
    for (std::size_t i = 0; i < expression.names.size(); ++i) {
      Value right = evaluate(*expression.parts[i + 1]);
      if (!holds(left, expression.names[i], right)) return false;
      left = std::move(right);
    }
    return true;
  }
  [[nodiscard]] bool holds(const Value& left, const std::string& name, const Value& right) {
    if (name == "==") return equal(left, right, budget_);
    if (name == "!=") return !equal(left, right, budget_);
    if (name == "in") return contains(right, left, budget_);
    if (name == "not in") return !contains(right, left, budget_);
    const auto order = compare(left, right, budget_);
    if (name == "<") return order < 0;
    if (name == "<=") return order <= 0;
    return name == ">" ? order > 0 : order >= 0;
  }

  /// The filters of a chain, of which the first has no input of its own.
  [[nodiscard]] Value filtered(const Expression& filter, Value input) {
    const Budget::Level level(budget_);
    if (filter.parts[0] != nullptr) {
      const Expression& before = *filter.parts[0];
      const bool has_input = before.kind == Expression::Kind::filter && !input.is_undefined();
      input = has_input ? filtered(before, std::move(input)) : evaluate(before);
    }
    const Arguments arguments = arguments_of(filter);
    line_ = filter.line;
    return run_filter(filter.name, input, arguments, budget_);
  }

  [[nodiscard]] Value test(const Expression& expression) {
    const Value value = evaluate(*expression.parts[0]);
    const Arguments arguments = arguments_of(expression);
    line_ = expression.line;
    return run_test(expression.name, value, arguments, budget_);
  }

  // Calls

  /// `more`: named arguments beside those of the expression.
  [[nodiscard]] Value call(const Expression& expression, std::vector<std::pair<std::string, Value>> more) {
    const Value callee = evaluate(*expression.parts[0]);
    Arguments arguments = arguments_of(expression);
    std::move(more.begin(), more.end(), std::back_inserter(arguments.named));
    line_ = expression.line;
    const Function* function = callee.function();
    if (function == nullptr) fail_type("something to call", callee);
    switch (function->kind) {
      case Function::Kind::method:
        return call_method(function->receiver, function->name, arguments, budget_);
      case Function::Kind::macro:
        return call_macro(*function->macro, *function->scope, arguments);
      case Function::Kind::global:
        break;
    }
    if (function->name != "namespace") return call_function(function->name, arguments, now_, budget_);
    budget_.charge_elements(4);
    spaces_.push_back({detail::entries_from("namespace", arguments, budget_)});
    return Value(&spaces_.back());
  }

  [[nodiscard]] Value call_macro(const Macro& macro, Scope& defined_in, const Arguments& arguments) {
    budget_.charge_elements(4);
    const Scopes::Inner inner(scopes_, defined_in);
    const std::size_t listed = macro.parameters.size();
    std::vector<bool> given(listed);
    for (std::size_t i = 0; i < std::min(listed, arguments.positional.size()); ++i) {
      scopes_.current().set(macro.parameters[i].name, arguments.positional[i]);
      given[i] = true;
    }
    const std::vector<Dict::Entry> unlisted = bind_named(macro, arguments, given);
    if (arguments.positional.size() > listed && !macro.uses_varargs)
      throw TemplateError("macro " + in_quotes(macro.name) + ": expected at most " + std::to_string(listed) +
                          " arguments, found " + std::to_string(arguments.positional.size()));
    if (macro.uses_varargs) {
      const auto first =
          arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(listed, arguments.positional.size()));
      scopes_.current().set("varargs", List({first, arguments.positional.end()}, true));
    }
    if (macro.uses_kwargs) scopes_.current().set("kwargs", Dict(unlisted));
    for (std::size_t i = 0; i < listed; ++i) {  // in order: a default may use the parameters before
      if (given[i]) continue;
      const auto& otherwise = macro.parameters[i].otherwise;
      scopes_.current().set(macro.parameters[i].name,
                            otherwise != nullptr ? evaluate(*otherwise)
                                                 : Value::undefined("argument " + in_quotes(macro.parameters[i].name) +
                                                                    " was not given"));
    }
    Text out;
    static_cast<void>(execute(macro.body, out));
    return out;
  }

  /// Sets the parameters that are given by name; returns the others, for `kwargs`.
  [[nodiscard]] std::vector<Dict::Entry> bind_named(const Macro& macro, const Arguments& arguments,
                                                    std::vector<bool>& given) {
    std::vector<Dict::Entry> unlisted;
    if (macro.uses_caller) scopes_.current().set("caller", Value::undefined("no caller defined"));
    for (const auto& argument : arguments.named) {
      const std::string& name = argument.first;
      const Value& value = argument.second;
      const auto parameter = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                          [&](const Macro::Parameter& candidate) { return candidate.name == name; });
      const auto i = static_cast<std::size_t>(parameter - macro.parameters.begin());
      if (parameter != macro.parameters.end()) {
        if (given[i])
          throw TemplateError("macro " + in_quotes(macro.name) + ": argument " + in_quotes(name) + " is given twice");
        scopes_.current().set(parameter->name, value);
        given[i] = true;
      } else if (name == "caller" && macro.uses_caller) {
        scopes_.current().set("caller", value);
      } else if (macro.uses_kwargs) {
        unlisted.emplace_back(Value::text(name), value);
      } else {
        throw TemplateError("macro " + in_quotes(macro.name) + ": no parameter named " + in_quotes(name));
      }
    }
    return unlisted;
  }

  Budget budget_;
  std::tm now_;
  std::deque<Namespace> spaces_;  // before the scopes, whose values point to them
  Scopes scopes_;
  std::size_t line_ = 1;
};

}  // namespace trine::inline TRINE_ABI::templates
