// SPDX-License-Identifier: Apache-2.0
// A template cut into tokens, with the white space around tags removed as Jinja does with trim_blocks and
// lstrip_blocks: a line break behind a block or comment goes, and so do blanks before one that stands first in its
// line; '-' removes all white space on its side, '+' keeps it. Jinja 3.1 documentation, "Template Designer: Whitespace
// Control".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/numbers.hpp>
#include <trine/text/jinja/strings.hpp>

namespace trine::inline TRINE_ABI::templates {

struct Token {
  enum class Kind : std::uint8_t {
    data,              // text between tags
    expression_begin,  // {{
    expression_end,
    statement_begin,  // {%
    statement_end,
    name,
    string,  // `text` is its value
    integer,
    floating,
    symbol,  // ( == ~ and the like
    end,
  };
  Kind kind = Kind::end;
  std::string text;
  std::size_t line = 1;
};

/// An error with its place in the template.
[[noreturn]] inline void fail_at(std::size_t line, const std::string& problem, ErrorKind kind = ErrorKind::damaged) {
  throw TemplateError("line " + std::to_string(line) + ": " + problem, {kind});
}

class Lexer {
 public:
  /// `source` is valid UTF-8. Line breaks of any kind become \n, and the last one goes, as in Jinja.
  explicit Lexer(std::string_view source) : source_(with_plain_line_breaks(source)) {}

  /// All tokens, the last of kind `end`. Throws TemplateError.
  [[nodiscard]] std::vector<Token> tokens() {
    while (position_ < source_.size()) read_data();
    add(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  static constexpr std::size_t kNowhere = std::string_view::npos;

  static std::string with_plain_line_breaks(std::string_view source) {
    std::string result;
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] != '\r') {
        result += source[i];
      } else if (i + 1 == source.size() || source[i + 1] != '\n') {
        result += '\n';
      }
    }
    if (!result.empty() && result.back() == '\n') result.pop_back();
    return result;
  }

  void add(Token::Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  [[nodiscard]] char at(std::size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
  [[nodiscard]] std::string_view rest() const { return std::string_view(source_).substr(position_); }

  /// Moves on to `position`, counting lines.
  void advance_to(std::size_t position) {
    for (; position_ < position; ++position_) line_ += source_[position_] == '\n' ? 1U : 0U;
  }
  void skip_space() {
    while (position_ < source_.size()) {
      const Utf8Step step = decode_utf8(rest());
      if (!is_python_space(step.code_point)) return;
      advance_to(position_ + step.bytes);
    }
  }

  /// Text up to the next tag, and that tag.
  void read_data() {
    std::size_t tag = source_.find('{', position_);
    while (tag != kNowhere && at(tag + 1) != '{' && at(tag + 1) != '%' && at(tag + 1) != '#')
      tag = source_.find('{', tag + 1);
    if (tag == kNowhere) {
      add(Token::Kind::data, std::string(rest()));
      return advance_to(source_.size());
    }
    const char kind = at(tag + 1);
    const char sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : '\0';
    add_data(tag, sign, kind != '{');
    advance_to(tag + 2 + (sign != '\0' ? 1 : 0));
    if (kind == '#') {
      skip_comment();
    } else if (kind == '{') {
      add(Token::Kind::expression_begin, "");
      read_tag('}', Token::Kind::expression_end);
    } else if (!read_raw()) {
      add(Token::Kind::statement_begin, "");
      read_tag('%', Token::Kind::statement_end);
    }
  }

  /// The text from here to `end`, where a tag with `sign` begins.
  void add_data(std::size_t end, char sign, bool is_block) {
    std::string_view text = rest().substr(0, end - position_);
    if (sign == '-') {
      text = text.substr(0, stripped(text, StripSet(std::nullopt), false, true).end);
    } else if (sign != '+' && is_block) {
      const std::size_t line_begin = text.rfind('\n') + 1;  // 0 when there is none
      const std::string_view before = text.substr(line_begin);
      const bool blank = stripped(before, StripSet(std::nullopt), true, false).begin == before.size();
      if ((line_begin > 0 || line_starting_) && blank) text = text.substr(0, line_begin);
    }
    if (!text.empty()) add(Token::Kind::data, std::string(text));
  }

  /// Behind a tag whose last mark before %} or the like was `sign`.
  void end_tag(std::size_t end, char sign, bool trims_line) {
    advance_to(end);
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && trims_line && at(position_) == '\n') {
      advance_to(position_ + 1);
    }
    line_starting_ = position_ > 0 && source_[position_ - 1] == '\n';
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", position_);
    if (end == kNowhere) fail_at(line_, "{# without #}");
    end_tag(end + 2, end > position_ ? at(end - 1) : '\0', true);
  }

  /// {% raw %} to {% endraw %} is text; false when this is another block.
  bool read_raw() {
    std::size_t i = behind_space(position_);
    if (source_.compare(i, 3, "raw") != 0) return false;
    i = behind_space(i + 3);
    const bool strips = at(i) == '-';
    if (strips) ++i;
    if (source_.compare(i, 2, "%}") != 0) return false;
    end_tag(i + 2, strips ? '-' : '\0', false);
    for (std::size_t tag = source_.find("{%", position_); tag != kNowhere; tag = source_.find("{%", tag + 1)) {
      const char sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : '\0';
      std::size_t end = behind_space(tag + 2 + (sign != '\0' ? 1 : 0));
      if (source_.compare(end, 6, "endraw") != 0) continue;
      end = behind_space(end + 6);
      const char end_sign = at(end) == '-' || at(end) == '+' ? at(end) : '\0';
      if (end_sign != '\0') ++end;
      if (source_.compare(end, 2, "%}") != 0) continue;
      add_data(tag, sign, true);
      end_tag(end + 2, end_sign, true);
      return true;
    }
    fail_at(line_, "{% raw %} without {% endraw %}");
  }
  [[nodiscard]] std::size_t behind_space(std::size_t i) const {
    if (i >= source_.size()) return source_.size();
    const std::string_view text = std::string_view(source_).substr(i);
    return i + stripped(text, StripSet(std::nullopt), true, false).begin;
  }

  /// The tokens of a tag up to }} or %}, of which `mark` is the first character.
  void read_tag(char mark, Token::Kind end_kind) {
    const std::size_t begin_line = line_;
    for (std::string brackets;;) {
      skip_space();
      if (position_ == source_.size()) fail_at(begin_line, mark == '}' ? "{{ without }}" : "{% without %}");
      if (brackets.empty()) {  // inside brackets, }} may end two mappings
        const bool has_sign = at(position_) == '-' || (at(position_) == '+' && mark == '%');
        const std::size_t end = position_ + (has_sign ? 1 : 0);
        if (at(end) == mark && at(end + 1) == '}') {
          add(end_kind, "");
          return end_tag(end + 2, has_sign ? at(position_) : '\0', mark == '%');
        }
      }
      read_token(brackets);
    }
  }

  void read_token(std::string& brackets) {
    const char c = at(position_);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
      std::size_t end = position_ + 1;
      while (is_name_character(at(end))) ++end;
      add(Token::Kind::name, source_.substr(position_, end - position_));
      position_ = end;
    } else if (c >= '0' && c <= '9') {
      read_number();
    } else if (c == '"' || c == '\'') {
      read_string(c);
    } else {
      read_symbol(brackets);
    }
  }
  [[nodiscard]] static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  void read_symbol(std::string& brackets) {
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kOne = "+-/*%~[](){}><=.:|,";
    const std::string_view text = rest();
    for (const std::string_view two : kTwo) {
      if (text.substr(0, 2) != two) continue;
      add(Token::Kind::symbol, std::string(two));
      position_ += 2;
      return;
    }
    const char c = text.front();
    if (kOne.find(c) == kNowhere)
      fail_at(line_, "unexpected character " + in_quotes(text.substr(0, decode_utf8(text).bytes)));
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) fail_at(line_, "unexpected " + in_quotes(text.substr(0, 1)));
      brackets.pop_back();
    }
    add(Token::Kind::symbol, std::string(1, c));
    ++position_;
  }

  void read_number() {
    const auto digits_from = [&](std::size_t i) {  // 1_000; i itself when there is no digit
      std::size_t end = i;
      while (at(end) >= '0' && at(end) <= '9') {
        ++end;
        if (at(end) == '_' && at(end + 1) >= '0' && at(end + 1) <= '9') ++end;
      }
      return end;
    };
    std::size_t end = digits_from(position_);
    bool floating = false;
    if (position_ == 0 || at(position_ - 1) != '.') {  // in x.0.1, 0 and 1 are indices
      if (at(end) == '.' && digits_from(end + 1) > end + 1) {
        end = digits_from(end + 1);
        floating = true;
      }
      if (at(end) == 'e' || at(end) == 'E') {
        const std::size_t power = end + 1 + (at(end + 1) == '-' || at(end + 1) == '+' ? 1 : 0);
        if (digits_from(power) > power) {
          end = digits_from(power);
          floating = true;
        }
      }
    }
    if (!floating)
      while (is_name_character(at(end))) ++end;  // 0x1F, and what is wrong with 12abc
    std::string text = source_.substr(position_, end - position_);
    if (floating) {
      std::erase(text, '_');
    } else {
      const bool leading_zero =
          text[0] == '0' && text.find_first_not_of("0_") != kNowhere && (text[1] <= '9' || text[1] == '_');
      const auto value = leading_zero ? std::nullopt : integer_of(text);
      if (!value) fail_at(line_, "expected a number of at most 64 bits, found " + in_quotes(text));
      text = std::to_string(*value);
    }
    add(floating ? Token::Kind::floating : Token::Kind::integer, std::move(text));
    position_ = end;
  }
  [[nodiscard]] static std::optional<std::int64_t> integer_of(const std::string& text) {
    try {
      return parse_integer(text, 0);
    } catch (const TemplateError&) {
      return std::nullopt;
    }
  }

  void read_string(char quote) {
    const std::size_t begin_line = line_;
    std::size_t i = position_ + 1;
    std::string value;
    for (; at(i) != quote || i >= source_.size();) {
      if (i >= source_.size()) fail_at(begin_line, "a string without its closing quote");
      if (at(i) == '\\' && i + 1 < source_.size()) {
        i = read_escape(i + 1, value);
      } else {
        value += source_[i++];
      }
    }
    add(Token::Kind::string, std::move(value));
    advance_to(i + 1);
  }

  /// The escape whose letter stands at `i`; returns what comes behind it. As in Python: an unknown one stays.
  std::size_t read_escape(std::size_t i, std::string& value) const {
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const char c = at(i);
    if (const std::size_t known = kLetters.find(c); known != kNowhere) {
      value += kMeanings[known];
      return i + 1;
    }
    if (c == '\n') return i + 1;
    if (c >= '0' && c <= '7') {
      char32_t code = 0;
      std::size_t end = i;
      for (; end < i + 3 && at(end) >= '0' && at(end) <= '7'; ++end)
        code = code * 8 + static_cast<char32_t>(at(end) - '0');
      append_utf8(code, value);
      return end;
    }
    if (c == 'N' && at(i + 1) == '{') fail_at(line_, "\\N{...} in a string is not supported", ErrorKind::unsupported);
    if (c != 'x' && c != 'u' && c != 'U') {
      value += '\\';
      return i;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    const std::string_view text = std::string_view(source_).substr(i + 1, digits);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
    const bool is_scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (error != std::errc() || end != text.data() + digits || !is_scalar)
      fail_at(line_,
              "expected an escape of a character, found " + in_quotes("\\" + std::string(1, c) + std::string(text)));
    append_utf8(code, value);
    return i + 1 + digits;
  }

  std::string source_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
  bool line_starting_ = true;  // the last tag took the line break behind it, or there was none yet
  std::vector<Token> tokens_;
};

}  // namespace trine::inline TRINE_ABI::templates
