// SPDX-License-Identifier: Apache-2.0
// Expressions of a template, with the precedence that Jinja gives them, which differs from Python's: from weak to
// strong
//   a if b else c,  or,  and,  not,  comparisons and `in`,  + -,  ~,  * / // %,  **,  unary - and +,  then . [] () | is
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/ast.hpp>
#include <trine/text/jinja/token_stream.hpp>

namespace trine::inline TRINE_ABI::templates {

/// What a parser asks about names and tells about them.
struct NameRules {
  std::function<void(std::string_view filter, std::size_t line)> use_filter;  // throws for one that does not exist
  std::function<void(std::string_view test, std::size_t line)> use_test;
  std::function<void(std::string_view variable)> use_variable;
};

class ExpressionParser {
 public:
  /// Borrows both.
  ExpressionParser(TokenStream& stream, const NameRules& rules) : stream_(stream), rules_(rules) {}

  /// A whole expression, without a comma outside brackets.
  [[nodiscard]] ExpressionPointer parse() {
    const TokenStream::Level level(stream_);
    ExpressionPointer value = parse_or();
    while (stream_.is_word("if")) {
      const std::size_t line = stream_.take().line;
      ++conditional_;
      ExpressionPointer condition = parse_or();
      ExpressionPointer otherwise = stream_.skip_word("else") ? parse() : nullptr;
      --conditional_;
      value = make(Expression::Kind::conditional, line, std::move(value), std::move(condition), std::move(otherwise));
    }
    return value;
  }

  /// `or` and what binds stronger: where `if` means something else.
  [[nodiscard]] ExpressionPointer parse_or() {
    ExpressionPointer left = parse_and();
    while (stream_.is_word("or")) {
      const std::size_t line = stream_.take().line;
      left = make(Expression::Kind::logical_or, line, std::move(left), parse_and());
    }
    return left;
  }

  /// Expressions with commas between are a tuple.
  [[nodiscard]] ExpressionPointer parse_tuple(bool with_conditional = true, bool in_parentheses = false) {
    const std::size_t line = stream_.line();
    std::vector<ExpressionPointer> items;
    bool has_comma = false;
    while (!ends_tuple()) {
      items.push_back(with_conditional ? parse() : parse_guarded_or());
      if (!stream_.skip_symbol(",")) break;
      has_comma = true;
    }
    if (!has_comma && items.size() == 1) return std::move(items.front());
    if (items.empty() && !in_parentheses) stream_.fail("an expression");
    ExpressionPointer tuple = make(Expression::Kind::tuple, line);
    tuple->parts = std::move(items);
    return measured(std::move(tuple));
  }

  /// name(arguments) behind a |, applied to `input`, which may be absent.
  [[nodiscard]] ExpressionPointer parse_filter(ExpressionPointer input) {
    const std::size_t line = stream_.line();
    ExpressionPointer filter = make(Expression::Kind::filter, line, std::move(input));
    filter->name = parse_dotted_name();
    if (conditional_ == 0) rules_.use_filter(filter->name, line);
    if (stream_.is_symbol("(")) parse_arguments(*filter);
    return measured(std::move(filter));
  }

  /// What is parsed while it lives may never run: an unknown filter in it is an error only when it does, as in Jinja.
  class Conditional {
   public:
    explicit Conditional(ExpressionParser& parser) : parser_(parser) { ++parser_.conditional_; }
    ~Conditional() { --parser_.conditional_; }
    Conditional(const Conditional&) = delete;
    Conditional& operator=(const Conditional&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  template <class... Parts>
  [[nodiscard]] ExpressionPointer make(Expression::Kind kind, std::size_t line, Parts... parts) const {
    auto node = std::make_unique<Expression>();
    node->kind = kind;
    node->line = line;
    (node->parts.push_back(std::move(parts)), ...);
    return measured(std::move(node));
  }

  /// Sets the depth from the parts. Chains such as a + b + c nest without recursion of the parser, but running and
  /// destroying them recurses.
  [[nodiscard]] ExpressionPointer measured(ExpressionPointer node) const {
    const auto include = [&](const ExpressionPointer& part) {
      if (part != nullptr) node->depth = std::max(node->depth, part->depth + 1);
    };
    for (const auto& part : node->parts) include(part);
    for (const auto& [name, part] : node->keywords) include(part);
    if (node->depth > 2 * stream_.nesting())
      fail_at(node->line, "an expression of more than " + std::to_string(2 * stream_.nesting()) + " levels");
    return node;
  }

  [[nodiscard]] ExpressionPointer parse_guarded_or() {
    const TokenStream::Level level(stream_);
    return parse_or();
  }
  [[nodiscard]] bool ends_tuple() const {
    return stream_.is(Token::Kind::expression_end) || stream_.is(Token::Kind::statement_end) || stream_.is_symbol(")");
  }

  [[nodiscard]] ExpressionPointer parse_and() {
    ExpressionPointer left = parse_not();
    while (stream_.is_word("and")) {
      const std::size_t line = stream_.take().line;
      left = make(Expression::Kind::logical_and, line, std::move(left), parse_not());
    }
    return left;
  }

  [[nodiscard]] ExpressionPointer parse_not() {
    if (!stream_.is_word("not")) return parse_comparison();
    const TokenStream::Level level(stream_);
    const std::size_t line = stream_.take().line;
    return make(Expression::Kind::logical_not, line, parse_not());
  }

  [[nodiscard]] ExpressionPointer parse_comparison() {
    const std::size_t line = stream_.line();
    ExpressionPointer first = parse_sum();
    ExpressionPointer comparison;
    for (std::string name = comparison_operator(); !name.empty(); name = comparison_operator()) {
      if (comparison == nullptr) comparison = make(Expression::Kind::comparison, line, std::move(first));
      comparison->names.push_back(std::move(name));
      comparison->parts.push_back(parse_sum());
    }
    return comparison == nullptr ? std::move(first) : measured(std::move(comparison));
  }

  /// Takes it; empty when there is none.
  [[nodiscard]] std::string comparison_operator() {
    for (const std::string_view symbol : {"==", "!=", "<", "<=", ">", ">="})
      if (stream_.skip_symbol(symbol)) return std::string(symbol);
    if (stream_.skip_word("in")) return "in";
    if (!stream_.is_word("not") || stream_.look_ahead().kind != Token::Kind::name || stream_.look_ahead().text != "in")
      return "";
    stream_.take();
    stream_.take();
    return "not in";
  }

  [[nodiscard]] ExpressionPointer parse_sum() {
    return parse_chain({"+", "-"}, [this] { return parse_concat(); });
  }
  [[nodiscard]] ExpressionPointer parse_product() {
    return parse_chain({"*", "/", "//", "%"}, [this] { return parse_power(); });
  }
  [[nodiscard]] ExpressionPointer parse_power() {  // from left to right, unlike Python
    return parse_chain({"**"}, [this] { return parse_unary(); });
  }

  template <class Operand>
  [[nodiscard]] ExpressionPointer parse_chain(std::initializer_list<std::string_view> symbols, Operand operand) {
    ExpressionPointer left = operand();
    const auto is_operator = [&](std::string_view symbol) { return stream_.is_symbol(symbol); };
    while (std::any_of(symbols.begin(), symbols.end(), is_operator)) {
      const Token token = stream_.take();
      left = make(Expression::Kind::arithmetic, token.line, std::move(left), operand());
      left->name = token.text;
    }
    return left;
  }

  [[nodiscard]] ExpressionPointer parse_concat() {
    const std::size_t line = stream_.line();
    ExpressionPointer first = parse_product();
    if (!stream_.is_symbol("~")) return first;
    ExpressionPointer concat = make(Expression::Kind::concat, line, std::move(first));
    while (stream_.skip_symbol("~")) concat->parts.push_back(parse_product());
    return measured(std::move(concat));
  }

  [[nodiscard]] ExpressionPointer parse_unary(bool with_filters = true) {
    ExpressionPointer node;
    if (stream_.is_symbol("-") || stream_.is_symbol("+")) {
      const TokenStream::Level level(stream_);
      const Token sign = stream_.take();
      node = make(sign.text == "-" ? Expression::Kind::negate : Expression::Kind::plus, sign.line, parse_unary(false));
    } else {
      node = parse_primary();
    }
    node = parse_postfix(std::move(node));
    return with_filters ? parse_filters_and_tests(std::move(node)) : std::move(node);
  }

  [[nodiscard]] ExpressionPointer parse_primary() {
    if (stream_.is_symbol("(")) {
      stream_.take();
      ExpressionPointer inner = parse_tuple(true, true);
      stream_.expect_symbol(")");
      return inner;
    }
    if (stream_.is_symbol("[")) return parse_list();
    if (stream_.is_symbol("{")) return parse_dict();
    const Token token = stream_.current();
    ExpressionPointer constant = make(Expression::Kind::constant, token.line);
    switch (token.kind) {
      case Token::Kind::name:
        return parse_name();
      case Token::Kind::string: {
        std::string text;
        while (stream_.is(Token::Kind::string)) text += stream_.take().text;  // "a" "b" is "ab"
        constant->value = Text(std::move(text));
        return constant;
      }
      case Token::Kind::integer:
        constant->value = parse_integer(stream_.take().text).value_or(0);
        return constant;
      case Token::Kind::floating:
        constant->value = parse_float(stream_.take().text).value_or(0.0);
        return constant;
      default:
        stream_.fail("an expression");
    }
  }

  [[nodiscard]] ExpressionPointer parse_name() {
    const Token token = stream_.take();
    ExpressionPointer node = make(Expression::Kind::constant, token.line);
    if (token.text == "true" || token.text == "True") {
      node->value = true;
    } else if (token.text == "false" || token.text == "False") {
      node->value = false;
    } else if (token.text == "none" || token.text == "None") {
      node->value = None{};
    } else {
      node->kind = Expression::Kind::name;
      node->name = token.text;
      rules_.use_variable(token.text);
    }
    return node;
  }

  [[nodiscard]] ExpressionPointer parse_list() {
    ExpressionPointer list = make(Expression::Kind::list, stream_.take().line);
    while (!stream_.is_symbol("]")) {
      list->parts.push_back(parse());
      if (!stream_.skip_symbol(",")) break;
    }
    stream_.expect_symbol("]");
    return measured(std::move(list));
  }

  [[nodiscard]] ExpressionPointer parse_dict() {
    ExpressionPointer dict = make(Expression::Kind::dict, stream_.take().line);
    while (!stream_.is_symbol("}")) {
      dict->parts.push_back(parse());
      stream_.expect_symbol(":");
      dict->parts.push_back(parse());
      if (!stream_.skip_symbol(",")) break;
    }
    stream_.expect_symbol("}");
    return measured(std::move(dict));
  }

  [[nodiscard]] ExpressionPointer parse_postfix(ExpressionPointer node) {
    for (;;) {
      if (stream_.is_symbol(".")) {
        node = parse_attribute(std::move(node));
      } else if (stream_.is_symbol("[")) {
        node = parse_subscript(std::move(node));
      } else if (stream_.is_symbol("(")) {
        node = parse_call(std::move(node));
      } else {
        return node;
      }
    }
  }

  [[nodiscard]] ExpressionPointer parse_attribute(ExpressionPointer object) {
    const std::size_t line = stream_.take().line;
    if (stream_.is(Token::Kind::integer)) {
      ExpressionPointer index = make(Expression::Kind::constant, line);
      index->value = parse_integer(stream_.take().text).value_or(0);
      return make(Expression::Kind::item, line, std::move(object), std::move(index));
    }
    ExpressionPointer attribute = make(Expression::Kind::attribute, line, std::move(object));
    attribute->name = stream_.expect_name();
    return attribute;
  }

  [[nodiscard]] ExpressionPointer parse_subscript(ExpressionPointer object) {
    const std::size_t line = stream_.take().line;
    std::vector<ExpressionPointer> bounds;  // absent where nothing stands between colons
    for (;;) {
      bounds.push_back(stream_.is_symbol(":") || stream_.is_symbol("]") ? nullptr : parse());
      if (bounds.size() == 3 || !stream_.skip_symbol(":")) break;
    }
    if (bounds.size() == 1 && bounds.front() == nullptr) stream_.fail("an index");
    stream_.expect_symbol("]");
    if (bounds.size() == 1) return make(Expression::Kind::item, line, std::move(object), std::move(bounds.front()));
    bounds.resize(3);
    return make(Expression::Kind::slice, line, std::move(object), std::move(bounds[0]), std::move(bounds[1]),
                std::move(bounds[2]));
  }

  [[nodiscard]] ExpressionPointer parse_call(ExpressionPointer callee) {
    ExpressionPointer call = make(Expression::Kind::call, stream_.line(), std::move(callee));
    parse_arguments(*call);
    return measured(std::move(call));
  }

  /// (a, b, name=c), to the end of the parts and to the keywords.
  void parse_arguments(Expression& node) {
    stream_.expect_symbol("(");
    while (!stream_.is_symbol(")")) {
      if (stream_.is_symbol("*") || stream_.is_symbol("**"))
        fail_at(stream_.line(), "unpacking of arguments with '" + stream_.current().text + "' is not supported",
                ErrorKind::unsupported);
      const bool is_named = stream_.is(Token::Kind::name) && stream_.look_ahead().kind == Token::Kind::symbol &&
                            stream_.look_ahead().text == "=";
      if (is_named) {
        std::string name = stream_.take().text;
        stream_.take();
        for (const auto& [other, value] : node.keywords)
          if (other == name) fail_at(stream_.line(), "argument " + in_quotes(name) + " is given twice");
        node.keywords.emplace_back(std::move(name), parse());
      } else {
        if (!node.keywords.empty()) fail_at(stream_.line(), "an argument without a name behind one with a name");
        node.parts.push_back(parse());
      }
      if (!stream_.skip_symbol(",")) break;
    }
    stream_.expect_symbol(")");
  }

  [[nodiscard]] ExpressionPointer parse_filters_and_tests(ExpressionPointer node) {
    for (;;) {
      if (stream_.skip_symbol("|")) {
        node = parse_filter(std::move(node));
      } else if (stream_.is_word("is")) {
        node = parse_test(std::move(node));
      } else if (stream_.is_symbol("(")) {
        node = parse_call(std::move(node));
      } else {
        return node;
      }
    }
  }

  [[nodiscard]] ExpressionPointer parse_test(ExpressionPointer input) {
    const std::size_t line = stream_.take().line;
    const bool negated = stream_.skip_word("not");
    ExpressionPointer test = make(Expression::Kind::test, line, std::move(input));
    test->name = parse_dotted_name();
    if (conditional_ == 0) rules_.use_test(test->name, line);
    if (stream_.is_symbol("(")) {
      parse_arguments(*test);
    } else if (begins_argument()) {
      const TokenStream::Level level(stream_);
      test->parts.push_back(parse_postfix(parse_primary()));
    }
    test = measured(std::move(test));
    return negated ? make(Expression::Kind::logical_not, line, std::move(test)) : std::move(test);
  }

  /// `x is divisibleby 3`: the one argument of a test needs no parentheses.
  [[nodiscard]] bool begins_argument() const {
    if (stream_.is_word("is")) fail_at(stream_.line(), "two tests with 'is' in a row");
    if (stream_.is(Token::Kind::name)) return !stream_.is_one_of({"else", "or", "and", "if", "in", "not"});
    return stream_.is(Token::Kind::string) || stream_.is(Token::Kind::integer) || stream_.is(Token::Kind::floating) ||
           stream_.is_symbol("[") || stream_.is_symbol("{");
  }

  [[nodiscard]] std::string parse_dotted_name() {
    std::string name = stream_.expect_name();
    while (stream_.skip_symbol(".")) name += "." + stream_.expect_name();
    return name;
  }

  TokenStream& stream_;
  const NameRules& rules_;
  std::size_t conditional_ = 0;
};

}  // namespace trine::inline TRINE_ABI::templates
