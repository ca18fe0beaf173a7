// SPDX-License-Identifier: Apache-2.0
// The tree of a template: expressions that have values, statements that print and assign.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trine/text/jinja/value.hpp>

namespace trine::inline TRINE_ABI::templates {

struct Expression;
using ExpressionPointer = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind : std::uint8_t {
    constant,     // value
    name,         // name
    list,         // parts
    tuple,        // parts
    dict,         // parts: key, value, key, value, ...
    attribute,    // parts[0].name
    item,         // parts[0][parts[1]]
    slice,        // parts[0][parts[1]:parts[2]:parts[3]], of which each may be absent
    call,         // parts[0](parts[1], ..., keywords)
    filter,       // parts[0] | name(parts[1], ..., keywords); parts[0] is absent in {% filter %}
    test,         // parts[0] is name(parts[1], ..., keywords)
    negate,       // -parts[0]
    plus,         // +parts[0]
    arithmetic,   // parts[0] name parts[1], name one of + - * / // % **
    concat,       // parts[0] ~ parts[1] ~ ...
    comparison,   // parts[0] names[0] parts[1] names[1] parts[2] ...: each with the next
    logical_and,  // parts[0] and parts[1]
    logical_or,   // parts[0] or parts[1]
    logical_not,  // not parts[0]
    conditional,  // parts[0] if parts[1] else parts[2], of which the last may be absent
  };

  Kind kind = Kind::constant;
  std::size_t line = 1;
  std::size_t depth = 1;  // levels of expressions in it
  std::string name;
  Value value;
  std::vector<ExpressionPointer> parts;
  std::vector<std::pair<std::string, ExpressionPointer>> keywords;  // named arguments
  std::vector<std::string> names;                                   // operators of a comparison
};

/// Where an assignment goes: one name, an attribute of a namespace, or several of these.
struct Target {
  std::string name;
  std::string attribute;      // of the namespace `name`; empty: the name itself
  std::vector<Target> parts;  // not empty: unpack into these
};

struct Statement;
using Body = std::vector<Statement>;

/// What {% macro %} defines. Also the body of {% call %}, which the macro knows as `caller`.
struct Macro {
  struct Parameter {
    std::string name;
    ExpressionPointer otherwise;  // may be absent
  };
  std::string name;
  std::vector<Parameter> parameters;
  Body body;
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
};

struct Branch {
  ExpressionPointer condition;  // absent for else
  Body body;
};

struct Statement {
  enum class Kind : std::uint8_t {
    text,     // print `text`
    print,    // print expressions[0]
    branch,   // if, elif, else: the first branch whose condition holds
    loop,     // for target in expressions[0] if expressions[1], which may be absent: body, or `otherwise`
    assign,   // target = expressions[0]
    capture,  // target = what the body prints, through the filter expressions[0], which may be absent
    macro,    // define `macro`
    call,     // expressions[0], a call, with `macro` as its caller
    filter,   // print what the body prints, through the filter expressions[0]
    with,     // bind targets to expressions, in the body
    scope,    // the body, with variables of its own
    leave,    // break
    next,     // continue
  };

  Kind kind = Kind::text;
  std::size_t line = 1;
  std::shared_ptr<const Text> text;
  std::vector<ExpressionPointer> expressions;
  std::vector<Target> targets;
  Body body;
  Body otherwise;
  std::vector<Branch> branches;
  std::unique_ptr<Macro> macro;
};

}  // namespace trine::inline TRINE_ABI::templates
