// SPDX-License-Identifier: Apache-2.0
// A template as a tree: text, {{ expressions }} and {% blocks %}.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/nearest_name.hpp>
#include <trine/text/jinja/expression_parser.hpp>

namespace trine::inline TRINE_ABI::templates {

class Parser {
 public:
  /// Is there a filter, a test of this name? Throws if not; see NameRules.
  using NameCheck = std::function<void(std::string_view name, std::size_t line)>;

  Parser(std::string_view source, const TemplateLimits& limits, NameCheck use_filter, NameCheck use_test)
      : stream_(Lexer(source).tokens(), limits.nesting),
        rules_{std::move(use_filter), std::move(use_test), [this](std::string_view name) { note(name); }},
        expressions_(stream_, rules_) {}
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// The whole template. Throws TemplateError "line 3: expected ..., found ...".
  [[nodiscard]] Body parse() {
    Body body = parse_body({});
    if (!stream_.is(Token::Kind::end)) stream_.fail("the end of the template");
    return body;
  }

 private:
  /// Statements up to the tag that begins with one of `ends`, whose name is the next token then.
  [[nodiscard]] Body parse_body(std::initializer_list<std::string_view> ends) {
    const TokenStream::Level level(stream_);
    Body body;
    for (;;) {
      const std::size_t line = stream_.line();
      if (stream_.is(Token::Kind::data)) {
        body.push_back(make(Statement::Kind::text, line));
        body.back().text = std::make_shared<const Text>(stream_.take().text);
      } else if (stream_.is(Token::Kind::expression_begin)) {
        stream_.take();
        body.push_back(make(Statement::Kind::print, line, expressions_.parse_tuple()));
        stream_.expect(Token::Kind::expression_end, "'}}'");
      } else if (stream_.is(Token::Kind::statement_begin)) {
        stream_.take();
        if (stream_.is_one_of(ends)) return body;
        body.push_back(parse_statement());
        stream_.expect(Token::Kind::statement_end, "'%}'");
      } else {
        if (ends.size() > 0) stream_.fail("{% " + std::string(*(ends.end() - 1)) + " %}");
        return body;
      }
    }
  }

  /// A block and what it holds, up to its last tag, of which %} is left.
  [[nodiscard]] Statement parse_block_body(Statement statement, std::string_view end) {
    stream_.expect(Token::Kind::statement_end, "'%}'");
    statement.body = parse_body({end});
    stream_.expect_word(end);
    return statement;
  }

  template <class... Expressions>
  [[nodiscard]] static Statement make(Statement::Kind kind, std::size_t line, Expressions... expressions) {
    Statement statement;
    statement.kind = kind;
    statement.line = line;
    (statement.expressions.push_back(std::move(expressions)), ...);
    return statement;
  }

  [[nodiscard]] Statement parse_statement() {
    const std::size_t line = stream_.line();
    const std::string name = stream_.expect_name();
    if (name == "if") return parse_if(line);
    if (name == "for") return parse_for(line);
    if (name == "set") return parse_set(line);
    if (name == "macro") return parse_macro(line);
    if (name == "call") return parse_call(line);
    if (name == "filter")
      return parse_block_body(make(Statement::Kind::filter, line, parse_filters(expressions_.parse_filter(nullptr))),
                              "endfilter");
    if (name == "with") return parse_with(line);
    if (name == "generation") return parse_block_body(make(Statement::Kind::scope, line), "endgeneration");
    if (name == "print") return make(Statement::Kind::print, line, expressions_.parse_tuple());
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fail_at(line, in_quotes(name) + " outside a loop");
      return make(name == "break" ? Statement::Kind::leave : Statement::Kind::next, line);
    }
    constexpr std::array<std::string_view, 11> kNames = {"if",   "for",        "set", "macro", "call",    "filter",
                                                         "with", "generation", "raw", "break", "continue"};
    fail_at(line, "no tag named " + in_quotes(name) + nearest_hint(name, kNames));
  }

  [[nodiscard]] Statement parse_if(std::size_t line) {
    Statement statement = make(Statement::Kind::branch, line);
    const ExpressionParser::Conditional conditional(expressions_);
    for (bool has_condition = true;;) {
      ExpressionPointer condition = has_condition ? expressions_.parse_tuple(false) : nullptr;
      stream_.expect(Token::Kind::statement_end, "'%}'");
      Body body = has_condition ? parse_body({"elif", "else", "endif"}) : parse_body({"endif"});
      statement.branches.push_back({std::move(condition), std::move(body)});
      const std::string next = stream_.expect_name();
      if (next == "endif") return statement;
      has_condition = next == "elif";
    }
  }

  [[nodiscard]] Statement parse_for(std::size_t line) {
    Statement statement = make(Statement::Kind::loop, line);
    statement.targets.push_back(parse_targets("in"));
    stream_.expect_word("in");
    statement.expressions.push_back(expressions_.parse_tuple(false));
    statement.expressions.push_back(stream_.skip_word("if") ? expressions_.parse() : nullptr);
    if (stream_.is_word("recursive")) fail_at(line, "'recursive' loops are not supported", ErrorKind::unsupported);
    stream_.expect(Token::Kind::statement_end, "'%}'");
    ++loops_;
    statement.body = parse_body({"else", "endfor"});
    --loops_;
    if (stream_.skip_word("else")) return parse_else_of_loop(std::move(statement));
    stream_.expect_word("endfor");
    return statement;
  }
  [[nodiscard]] Statement parse_else_of_loop(Statement statement) {
    stream_.expect(Token::Kind::statement_end, "'%}'");
    statement.otherwise = parse_body({"endfor"});
    stream_.expect_word("endfor");
    return statement;
  }

  [[nodiscard]] Statement parse_set(std::size_t line) {
    Target target = parse_targets("=");
    if (stream_.skip_symbol("=")) {
      Statement statement = make(Statement::Kind::assign, line, expressions_.parse_tuple());
      statement.targets.push_back(std::move(target));
      return statement;
    }
    if (!target.parts.empty()) stream_.fail("'='");
    Statement statement = make(Statement::Kind::capture, line, parse_filters(nullptr));
    statement.targets.push_back(std::move(target));
    return parse_block_body(std::move(statement), "endset");
  }

  /// | a | b, applied to `input`, which may be absent.
  [[nodiscard]] ExpressionPointer parse_filters(ExpressionPointer input) {
    while (stream_.skip_symbol("|")) input = expressions_.parse_filter(std::move(input));
    return input;
  }

  /// One name or several with commas, up to the word or symbol `end`.
  [[nodiscard]] Target parse_targets(std::string_view end) {
    const TokenStream::Level level(stream_);
    Target first = parse_target(end);
    if (!stream_.is_symbol(",")) return first;
    Target all;
    all.parts.push_back(std::move(first));
    while (stream_.skip_symbol(",")) {
      if (stream_.is_word(end) || stream_.is_symbol(end)) break;
      all.parts.push_back(parse_target(end));
    }
    return all;
  }
  [[nodiscard]] Target parse_target(std::string_view end) {
    if (stream_.skip_symbol("(")) {
      Target inner = parse_targets(")");
      stream_.expect_symbol(")");
      return inner;
    }
    Target target;
    if (stream_.is_one_of({"true", "false", "none", "True", "False", "None"})) stream_.fail("a name to assign to");
    target.name = stream_.expect_name();
    if (end == "=" && stream_.skip_symbol(".")) {
      target.attribute = stream_.expect_name();
      note(target.name);
    }
    return target;
  }

  [[nodiscard]] Statement parse_macro(std::size_t line) {
    Statement statement = make(Statement::Kind::macro, line);
    statement.macro = std::make_unique<Macro>();
    statement.macro->name = stream_.expect_name();
    parse_macro_body(*statement.macro, true, "endmacro");
    return statement;
  }

  [[nodiscard]] Statement parse_call(std::size_t line) {
    Statement statement = make(Statement::Kind::call, line);
    statement.macro = std::make_unique<Macro>();
    statement.macro->name = "caller";
    const bool has_parameters = stream_.is_symbol("(");
    if (has_parameters) parse_parameters(*statement.macro);
    statement.expressions.push_back(expressions_.parse());
    if (statement.expressions.front()->kind != Expression::Kind::call) fail_at(line, "expected a call behind 'call'");
    parse_macro_body(*statement.macro, false, "endcall");
    return statement;
  }

  void parse_macro_body(Macro& macro, bool with_parameters, std::string_view end) {
    if (with_parameters) parse_parameters(macro);
    stream_.expect(Token::Kind::statement_end, "'%}'");
    Macro* const around = std::exchange(macro_, &macro);
    const std::size_t loops = std::exchange(loops_, 0);
    macro.body = parse_body({end});
    loops_ = loops;
    macro_ = around;
    stream_.expect_word(end);
  }

  void parse_parameters(Macro& macro) {
    stream_.expect_symbol("(");
    while (!stream_.is_symbol(")")) {
      Macro::Parameter parameter;
      parameter.name = stream_.expect_name();
      if (stream_.skip_symbol("=")) {
        parameter.otherwise = expressions_.parse();
      } else if (!macro.parameters.empty() && macro.parameters.back().otherwise != nullptr) {
        fail_at(stream_.line(), "a parameter without a default behind one with a default");
      }
      macro.parameters.push_back(std::move(parameter));
      if (!stream_.skip_symbol(",")) break;
    }
    stream_.expect_symbol(")");
  }

  [[nodiscard]] Statement parse_with(std::size_t line) {
    Statement statement = make(Statement::Kind::with, line);
    while (!stream_.is(Token::Kind::statement_end)) {
      if (!statement.targets.empty()) stream_.expect_symbol(",");
      statement.targets.push_back(parse_target(""));
      stream_.expect_symbol("=");
      statement.expressions.push_back(expressions_.parse());
    }
    return parse_block_body(std::move(statement), "endwith");
  }

  /// A macro takes more arguments than it lists, or a caller, when its body says so.
  void note(std::string_view variable) {
    if (macro_ == nullptr) return;
    macro_->uses_varargs |= variable == "varargs";
    macro_->uses_kwargs |= variable == "kwargs";
    macro_->uses_caller |= variable == "caller";
  }

  TokenStream stream_;
  NameRules rules_;
  ExpressionParser expressions_;
  Macro* macro_ = nullptr;  // around what is parsed
  std::size_t loops_ = 0;   // around it, inside that macro
};

}  // namespace trine::inline TRINE_ABI::templates
