// SPDX-License-Identifier: Apache-2.0
// A cursor on the tokens of a template, and the guard that keeps its parser from recursing too deep.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/lexer.hpp>

namespace trine::inline TRINE_ABI::templates {

class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::size_t nesting) : tokens_(std::move(tokens)), nesting_(nesting) {}

  [[nodiscard]] const Token& current() const { return tokens_[position_]; }
  [[nodiscard]] const Token& look_ahead() const {
    return tokens_[position_ + 1 < tokens_.size() ? position_ + 1 : position_];
  }
  [[nodiscard]] std::size_t line() const { return current().line; }

  [[nodiscard]] bool is(Token::Kind kind) const { return current().kind == kind; }
  [[nodiscard]] bool is_symbol(std::string_view symbol) const {
    return is(Token::Kind::symbol) && current().text == symbol;
  }
  [[nodiscard]] bool is_word(std::string_view word) const { return is(Token::Kind::name) && current().text == word; }
  [[nodiscard]] bool is_one_of(std::initializer_list<std::string_view> words) const {
    for (const std::string_view word : words)
      if (is_word(word)) return true;
    return false;
  }

  Token take() {
    Token token = current();
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }
  bool skip_symbol(std::string_view symbol) { return is_symbol(symbol) && (take(), true); }
  bool skip_word(std::string_view word) { return is_word(word) && (take(), true); }

  void expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) fail(in_quotes(symbol));
  }
  void expect_word(std::string_view word) {
    if (!skip_word(word)) fail(in_quotes(word));
  }
  void expect(Token::Kind kind, const std::string& what) {
    if (!is(kind)) fail(what);
    take();
  }
  std::string expect_name() {
    if (!is(Token::Kind::name)) fail("a name");
    return take().text;
  }

  [[noreturn]] void fail(const std::string& expectation) const {
    fail_at(line(), "expected " + expectation + ", found " + describe(current()));
  }

  /// While it lives, the parser is one level deeper.
  class Level {
   public:
    explicit Level(TokenStream& stream) : stream_(stream) {
      if (stream_.level_ >= stream_.nesting_)
        fail_at(stream_.line(),
                "blocks and expressions are nested more than " + std::to_string(stream_.nesting_) + " deep");
      ++stream_.level_;
    }
    ~Level() { --stream_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    TokenStream& stream_;
  };
  [[nodiscard]] std::size_t nesting() const noexcept { return nesting_; }

 private:
  [[nodiscard]] static std::string describe(const Token& token) {
    switch (token.kind) {
      case Token::Kind::data:
        return "text";
      case Token::Kind::expression_begin:
        return "'{{'";
      case Token::Kind::expression_end:
        return "'}}'";
      case Token::Kind::statement_begin:
        return "'{%'";
      case Token::Kind::statement_end:
        return "'%}'";
      case Token::Kind::end:
        return "the end of the template";
      default:
        return in_quotes(token.text);
    }
  }

  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  std::size_t nesting_;
  std::size_t level_ = 0;
};

}  // namespace trine::inline TRINE_ABI::templates
