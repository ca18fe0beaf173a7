// SPDX-License-Identifier: Apache-2.0
// Regular expressions of tokenizer files, written for Oniguruma 6.9 (doc/RE, syntax "Oniguruma"), as PCRE2 patterns of
// the same meaning under PCRE2_UTF | PCRE2_UCP.
//
// What the two read differently is spelled out: \s and \h are sets of Oniguruma's; properties get the code points
// of Unicode 15 and 16, which older PCRE2 do not know; {n,m}+ repeats again instead of being possessive; ^ and $ stand
// at each line; classes may be nested and intersected. What is not known here to mean the same is refused by name.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/unicode/unicode_since_14.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// A pattern for PCRE2_UTF | PCRE2_UCP.
struct Pcre2Pattern {
  std::string text;
  std::uint64_t repetitions;  // that {n,m} add up to: matching may look at so many characters more between two choices
};

namespace detail {

/// One pattern, read from left to right; recursion is bounded by kMaxDepth.
class OnigurumaTranslator {
 public:
  explicit OnigurumaTranslator(std::string_view pattern) : pattern_(pattern) {}

  [[nodiscard]] Pcre2Pattern translate() {
    if (!is_valid_utf8(pattern_)) fail("expected UTF-8");
    std::string result = alternatives();
    if (!at_end()) fail("expected a '(' before ')'");
    return {std::move(result), weight_ - atoms_};
  }

 private:
  static constexpr std::size_t kMaxDepth = 64;
  static constexpr std::uint64_t kMaxRepetitions = 256;
  static constexpr std::string_view kAnything = "(?s:.)";
  // White_Space: no version of Unicode will change it.
  static constexpr std::string_view kSpaces =
      "\\x{9}-\\x{d} \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

  // General categories, less those that new versions of Unicode take code points from: C and Cn.
  static constexpr std::array<std::string_view, 35> kCategories = {
      "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps",
      "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cs"};

  // A set of characters. PCRE2 can write `items` between brackets; `others` are sets of their own, written (?:..|..).
  struct Set {
    std::string items;
    std::string others;

    void add_other(const std::string& pattern) { others += (others.empty() ? "" : "|") + pattern; }
    [[nodiscard]] std::string positive() const {
      if (others.empty()) return "[" + items + "]";
      return "(?:" + (items.empty() ? "" : "[" + items + "]|") + others + ")";
    }
    [[nodiscard]] std::string negative() const {
      if (others.empty()) return "[^" + items + "]";
      return "(?:(?!" + positive() + ")" + std::string(kAnything) + ")";
    }
  };

  // One character of a class: a code point that a range may begin with, or a set.
  struct ClassItem {
    std::optional<char32_t> character;
    std::string items;         // if not a character
    bool is_negative = false;  // all but the items
  };

  [[noreturn]] void fail(const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    throw TokenizerError("pattern " + in_quotes(pattern_) + ": " + problem + " at byte " + std::to_string(at_), {kind});
  }
  [[noreturn]] void refuse(std::string_view what) const {
    fail(in_quotes(what) + " is not supported", ErrorKind::unsupported);
  }

  // ---- reading

  [[nodiscard]] bool at_end() const noexcept { return at_ == pattern_.size(); }
  [[nodiscard]] std::string_view rest() const noexcept { return pattern_.substr(at_); }
  [[nodiscard]] char peek() const noexcept { return at_end() ? '\0' : pattern_[at_]; }
  [[nodiscard]] bool take(std::string_view text) noexcept {
    if (!rest().starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  [[nodiscard]] char32_t take_character() {
    if (at_end()) fail("expected a character, found the end");
    const Utf8Step step = decode_utf8(rest());
    at_ += step.bytes;
    return step.code_point;
  }
  [[nodiscard]] std::optional<std::uint32_t> take_number(int base) {
    std::uint32_t value = 0;
    const auto result = std::from_chars(pattern_.data() + at_, pattern_.data() + pattern_.size(), value, base);
    if (result.ec != std::errc()) return std::nullopt;
    at_ = static_cast<std::size_t>(result.ptr - pattern_.data());
    return value;
  }

  // ---- writing

  [[nodiscard]] static std::string code(char32_t c) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(c), 16).ptr;
    return "\\x{" + std::string(digits.data(), end) + "}";
  }
  [[nodiscard]] static bool is_plain(char32_t c) noexcept {
    return c == ' ' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  }
  [[nodiscard]] static std::string literal(char32_t c) {
    return is_plain(c) ? std::string(1, static_cast<char>(c)) : code(c);
  }
  [[nodiscard]] static std::string range(char32_t first, char32_t last) {
    return first == last ? code(first) : code(first) + "-" + code(last);
  }

  // ---- structure

  // alternatives := sequence ('|' sequence)*, up to ')' or the end
  [[nodiscard]] std::string alternatives() {
    std::string result = sequence(true);
    while (take("|")) result += "|" + sequence(false);
    return result;
  }

  [[nodiscard]] std::string sequence(bool is_first) {
    std::string result;
    const std::size_t begin = at_;
    while (!at_end() && peek() != '|' && peek() != ')') {
      if (rest().starts_with("(?i)") || rest().starts_with("(?m)")) {
        // For the rest of the group, its other alternatives included: simple only where the group begins.
        if (!is_first || at_ != begin) refuse(rest().substr(0, 4));
        const bool is_case = pattern_[at_ + 2] == 'i';
        at_ += 4;
        (is_case ? is_caseless_ : is_dot_all_) = true;  // until the group, or the pattern, ends
        return (is_case ? "(?i:" : "(?:") + alternatives() + ")";
      }
      result += repeated();
    }
    return result;
  }

  [[nodiscard]] std::string atom() {
    ++weight_;
    ++atoms_;
    if (peek() == '(') return group();
    if (take("[")) return char_class();
    if (take("\\")) return escape();
    if (take(".")) return is_dot_all_ ? std::string(kAnything) : "[^\\x{a}]";
    if (take("^")) return "(?m:^)";
    if (take("$")) return "(?m:$)";
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("expected something to repeat");
    return literal_atom();
  }

  [[nodiscard]] std::string literal_atom() {
    static constexpr std::array<std::string_view, 5> kFolded = {"ss", "st", "ff", "fi", "fl"};
    const auto folds = [&](std::string_view pair) {
      return rest().size() >= 2 && lower(rest()[0]) == pair[0] && lower(rest()[1]) == pair[1];
    };
    // Oniguruma, unlike PCRE2, finds one character, such as U+00DF, for these two.
    if (is_caseless_ && std::any_of(kFolded.begin(), kFolded.end(), folds))
      refuse("(?i) of " + std::string(rest().substr(0, 2)));
    return literal(take_character());
  }
  [[nodiscard]] static char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }

  [[nodiscard]] std::string group() {
    static constexpr std::array<std::string_view, 6> kGroups = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    const bool outer_dot_all = is_dot_all_;
    const bool outer_caseless = is_caseless_;
    std::string result = "(?:";
    const auto found = std::find_if(kGroups.begin(), kGroups.end(), [&](std::string_view g) { return take(g); });
    if (found != kGroups.end()) {
      result = *found;
    } else if (take("(?i:")) {
      result = "(?i:";
      is_caseless_ = true;
    } else if (take("(?m:")) {
      is_dot_all_ = true;
    } else if (rest().starts_with("(?") || rest().starts_with("(*")) {
      refuse(rest().substr(0, 4));
    } else {
      ++at_;
    }
    if (++depth_ > kMaxDepth)
      fail("expected at most " + std::to_string(kMaxDepth) + " nested groups, found more", ErrorKind::does_not_fit);
    const bool is_watched = result == "(?=" || result == "(?!" || result == "(?>";
    const std::string inside = alternatives();
    result += (is_watched ? watched("(?:" + inside + ")") : inside) + ")";
    if (!take(")")) fail("expected ')', found the end");
    --depth_;
    is_dot_all_ = outer_dot_all;
    is_caseless_ = outer_caseless;
    return result;
  }

  // ---- repetition

  struct Interval {
    std::string text;
    std::uint32_t count;  // how many times at least, or at most if that is more
    bool is_exact;
  };

  // An atom and what repeats it. Its weight is the number of atoms in it, each as often as {n,m} may repeat it.
  [[nodiscard]] std::string repeated() {
    const std::uint64_t weight_before = weight_;
    std::string atom = this->atom();
    for (const std::string_view sign : {"*", "+", "?"}) {
      if (!take(sign)) continue;
      const bool is_possessive = take("+");
      const std::string result = atom + std::string(sign) + (is_possessive ? "+" : take("?") ? "?" : "");
      require_no_repetition();
      return is_possessive ? "(?:" + watched(result) + ")" : result;
    }
    const std::optional<Interval> interval = take_interval();
    if (!interval) return atom;
    weight_ = weight_before + (weight_ - weight_before) * std::max(1U, interval->count);
    require_few_repetitions();
    if (interval->is_exact && peek() == '?') refuse("{n}?");
    atom += interval->text;
    if (take("+")) {
      atom = "(?:" + atom + ")+";
    } else if (take("?")) {
      atom += "?";
    }
    require_no_repetition();
    return atom;
  }

  // Between two callouts, which report how far PCRE2 looked where it will not backtrack and so does not count.
  [[nodiscard]] static std::string watched(const std::string& pattern) { return "(?C1)" + pattern + "(?C2)"; }

  void require_few_repetitions() const {
    if (weight_ - atoms_ > kMaxRepetitions) {
      fail("expected at most " + std::to_string(kMaxRepetitions) + " repetitions by {n,m}, found more",
           ErrorKind::does_not_fit);
    }
  }

  void require_no_repetition() {
    const std::size_t begin = at_;
    const bool more = peek() == '*' || peek() == '+' || peek() == '?' || take_interval();
    at_ = begin;
    if (more) refuse("a repetition of a repetition");
  }

  // {n} {n,} {,m} {n,m}; anything else that begins with '{' is literal.
  [[nodiscard]] std::optional<Interval> take_interval() {
    const std::size_t begin = at_;
    if (!take("{")) return std::nullopt;
    const auto least = take_number(10);
    const bool has_comma = take(",");
    const auto most = has_comma ? take_number(10) : least;
    if ((!least && !most) || !take("}")) {
      at_ = begin;
      return std::nullopt;
    }
    if (most && least.value_or(0) > *most) refuse(pattern_.substr(begin, at_ - begin));
    std::string text = "{" + std::to_string(least.value_or(0));
    if (has_comma) text += ",";
    if (has_comma && most) text += std::to_string(*most);
    return Interval{text + "}", std::max(least.value_or(0), most.value_or(0)), !has_comma};
  }

  // ---- characters and sets

  // Behind a backslash, outside a class.
  [[nodiscard]] std::string escape() {
    for (const char anchor : {'A', 'z', 'Z'}) {
      if (take(std::string_view(&anchor, 1))) return std::string("\\") + anchor;
    }
    const ClassItem item = escaped_item();
    if (item.character) return literal(*item.character);
    return (item.is_negative ? "[^" : "[") + item.items + "]";
  }

  // Behind a backslash, anywhere: \s \p{L} \t \x{41} \. and the like.
  [[nodiscard]] ClassItem escaped_item() {
    static constexpr std::string_view kControls = "t\tn\nr\rf\fv\va\ae\x1b";
    const std::size_t begin = at_ - 1;
    const char32_t c = take_character();
    switch (c) {
      case 's':
      case 'S':
        return {{}, std::string(kSpaces), c == 'S'};
      case 'd':
      case 'D':
        return {{}, property("Nd"), c == 'D'};
      case 'h':
      case 'H':
        return {{}, "0-9a-fA-F", c == 'H'};
      case 'p':
      case 'P':
        return property_item(c == 'P');
      case 'x':
      case 'u':
        return {numbered_character(c == 'u'), {}, false};
      default:
        break;
    }
    for (std::size_t i = 0; i < kControls.size(); i += 2) {
      if (c == static_cast<char32_t>(kControls[i])) return {static_cast<char32_t>(kControls[i + 1]), {}, false};
    }
    if (is_plain(c) && c != ' ') refuse(pattern_.substr(begin, at_ - begin));
    return {c, {}, false};
  }

  // \x{h..}, \xhh below 80, \uhhhh
  [[nodiscard]] char32_t numbered_character(bool is_u) {
    const std::size_t begin = at_;
    const bool in_braces = !is_u && take("{");
    const std::string_view all = pattern_;
    if (!in_braces) pattern_ = pattern_.substr(0, std::min(all.size(), at_ + (is_u ? 4U : 2U)));
    const auto value = take_number(16);
    const bool is_whole = !is_u || at_ == begin + 4;
    pattern_ = all;
    const bool closed = !in_braces || take("}");
    const bool is_scalar = value && *value <= 0x10FFFF && (*value < 0xD800 || *value > 0xDFFF);
    if (!is_scalar || !is_whole || !closed || (!is_u && !in_braces && *value >= 0x80)) {
      at_ = begin;
      fail("expected \\x{HEX}, \\xHH below 80 or \\uHHHH of a character");
    }
    return static_cast<char32_t>(*value);
  }

  [[nodiscard]] ClassItem property_item(bool is_negative) {
    if (!take("{")) refuse("\\p without {");
    if (take("^")) is_negative = !is_negative;
    const std::size_t end = rest().find('}');
    if (end == std::string_view::npos) fail("expected '}'");
    const std::string_view name = rest().substr(0, end);
    const std::string items = property(name);
    if (items.empty()) refuse("\\p{" + std::string(name) + "}");
    at_ += end + 1;
    return {{}, items, is_negative};
  }

  // What stands between brackets for a general category or a script; "" if it is not known.
  [[nodiscard]] static std::string property(std::string_view name) {
    std::string result;
    for (const UnicodeScriptRange& script : kUnicodeScriptRanges) {
      if (script.script == name) result += range(script.first, script.last);
    }
    if (std::find(kCategories.begin(), kCategories.end(), name) == kCategories.end()) return result;
    result = "\\p{" + std::string(name) + "}";
    for (const NewCodePoints& added : kCodePointsSinceUnicode14) {
      if (added.category.starts_with(name)) result += range(added.first, added.last);
    }
    return result;
  }

  // Behind '['. [abc] [^a-z] [\s\p{L}] [a[bc]] [a-z&&[^b]]
  [[nodiscard]] std::string char_class() {
    if (++depth_ > kMaxDepth)
      fail("expected at most " + std::to_string(kMaxDepth) + " nested classes, found more", ErrorKind::does_not_fit);
    const bool is_negative = take("^");
    if (peek() == ']') refuse("] first in a class");
    std::string intersection;  // of the sets so far, as lookaheads
    Set set;
    while (!take("]")) {
      if (at_end()) fail("expected ']', found the end");
      if (take("&&")) {
        require_not_empty(set);
        intersection += "(?=" + set.positive() + ")";
        set = Set();
        continue;
      }
      add_inplace(set);
    }
    require_not_empty(set);
    --depth_;
    if (intersection.empty()) return is_negative ? set.negative() : set.positive();
    const std::string both = "(?:" + intersection + set.positive() + ")";
    return is_negative ? "(?:(?!" + both + ")" + std::string(kAnything) + ")" : both;
  }

  void require_not_empty(const Set& set) const {
    if (set.items.empty() && set.others.empty()) refuse("an empty class");
  }

  void add_inplace(Set& set) {
    if (rest().starts_with("[:")) refuse("[:");
    if (take("[")) return set.add_other(char_class());
    const ClassItem first = class_item();
    if (!first.character) {
      if (first.is_negative) return set.add_other("[^" + first.items + "]");
      if (peek() == '-' && !rest().starts_with("-]")) refuse("a range that begins with a set");
      set.items += first.items;
      return;
    }
    char32_t last = *first.character;
    if (peek() == '-' && !rest().starts_with("-]")) {
      ++at_;
      if (peek() == '[' || rest().starts_with("&&")) refuse("a range that ends with a class");
      const ClassItem end = class_item();
      if (!end.character) refuse("a range that ends with a set");
      last = *end.character;
      if (last < *first.character) fail("expected the end of a range not before its beginning");
    }
    set.items += range(*first.character, last);
  }

  [[nodiscard]] ClassItem class_item() {
    if (take("\\")) return escaped_item();
    return {take_character(), {}, false};
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::uint64_t weight_ = 0;
  std::uint64_t atoms_ = 0;
  bool is_dot_all_ = false;
  bool is_caseless_ = false;
};

}  // namespace detail

/// `pattern` of Oniguruma for PCRE2. Throws TokenizerError for what is no pattern, or is not supported.
[[nodiscard]] inline Pcre2Pattern oniguruma_to_pcre2(std::string_view pattern) {
  return detail::OnigurumaTranslator(pattern).translate();
}

}  // namespace trine::inline TRINE_ABI
