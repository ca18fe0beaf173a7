// SPDX-License-Identifier: Apache-2.0
// Values as text: str() and repr() of Python, and json.dumps.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trine/text/jinja/compare.hpp>
#include <trine/text/jinja/strings.hpp>

namespace trine::inline TRINE_ABI::templates {

[[nodiscard]] inline std::string hexadecimal(std::uint32_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; value >>= 4U) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

/// Python's \xNN, \uNNNN or \UNNNNNNNN.
[[nodiscard]] inline std::string python_escape(char32_t c) {
  if (c < 0x100) return "\\x" + hexadecimal(c, 2);
  return c < 0x10000 ? "\\u" + hexadecimal(c, 4) : "\\U" + hexadecimal(c, 8);
}

/// str.isprintable of one character.
[[nodiscard]] inline bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  return !detail::in_spans(detail::kNotPrintable, c);
}

/// repr(str).
inline void append_repr(const Text& text, Text& out, Budget& budget) {
  budget.charge_bytes(4 * text.size());
  const bool double_quoted =
      text.view().find('\'') != std::string_view::npos && text.view().find('"') == std::string_view::npos;
  const char quote = double_quoted ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Step step = decode_utf8(text.view().substr(i));
    const char32_t c = step.code_point;
    std::string shown(text.view().substr(i, step.bytes));
    if (c == '\\' || c == static_cast<unsigned char>(quote)) shown = "\\" + shown;
    if (c == '\n') shown = "\\n";
    if (c == '\r') shown = "\\r";
    if (c == '\t') shown = "\\t";
    if (shown.size() == step.bytes && !is_printable(c)) shown = python_escape(c);
    out.append(shown, text.is_foreign(i));
    i += step.bytes;
  }
  out.append(std::string_view(&quote, 1));
}

/// repr(value), to the end of `out`.
inline void append_repr(const Value& value, Text& out, Budget& budget) {
  budget.charge(1);
  if (value.is_undefined()) {
    out.append("Undefined");
  } else if (value.is_none()) {
    out.append("None");
  } else if (const auto* flag = value.boolean()) {
    out.append(*flag ? "True" : "False");
  } else if (const auto* number = value.integer()) {
    out.append(std::to_string(*number));
  } else if (const auto* real = value.floating()) {
    out.append(float_repr(*real));
  } else if (const Text* text = value.text()) {
    append_repr(*text, out, budget);
  } else if (const List* list = value.list()) {
    out.append(list->tuple ? "(" : "[");
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(list->items[i], out, budget);
    }
    if (list->tuple && list->items.size() == 1) out.append(",");
    out.append(list->tuple ? ")" : "]");
  } else if (const Dict* dict = value.dict()) {
    out.append("{");
    for (std::size_t i = 0; i < dict->entries.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(dict->entries[i].first, out, budget);
      out.append(": ");
      append_repr(dict->entries[i].second, out, budget);
    }
    out.append("}");
  } else {
    throw TemplateError("a " + type_name(value) + " cannot be printed");
  }
}

/// str(value): what {{ value }} prints.
[[nodiscard]] inline Text to_text(const Value& value, Budget& budget) {
  if (const Text* text = value.text()) {
    budget.charge_bytes(text->size());
    return *text;
  }
  Text out;
  if (!value.is_undefined()) append_repr(value, out, budget);
  return out;
}

struct JsonStyle {
  bool ascii = false;                 // escape what is not ASCII
  std::optional<std::string> indent;  // none: all on one line
  std::string comma = ", ";
  std::string colon = ": ";
  bool sort_keys = false;
};

namespace detail {

inline void append_json_string(const Text& text, bool ascii, Text& out, Budget& budget) {
  budget.charge_bytes(6 * text.size());
  out.append("\"");
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Step step = decode_utf8(text.view().substr(i));
    const char32_t c = step.code_point;
    std::string shown(text.view().substr(i, step.bytes));
    if (c == '"' || c == '\\') {
      shown = "\\" + shown;
    } else if (c == '\n') {
      shown = "\\n";
    } else if (c == '\r') {
      shown = "\\r";
    } else if (c == '\t') {
      shown = "\\t";
    } else if (c == '\f') {
      shown = "\\f";
    } else if (c == '\b') {
      shown = "\\b";
    } else if (ascii && c >= 0x10000) {  // a surrogate pair
      shown = "\\u" + hexadecimal(0xD800 + ((c - 0x10000) >> 10U), 4) + "\\u" + hexadecimal(0xDC00 + (c & 0x3FFU), 4);
    } else if (c < 0x20 || (ascii && c > 0x7E)) {
      shown = "\\u" + hexadecimal(c, 4);
    }
    out.append(shown, text.is_foreign(i));
    i += step.bytes;
  }
  out.append("\"");
}

/// A key of an object: strings as they are, numbers, booleans and None as text.
[[nodiscard]] inline Text json_key(const Value& key) {
  if (const Text* text = key.text()) return *text;
  if (key.is_none()) return Text("null");
  if (const auto* flag = key.boolean()) return Text(*flag ? "true" : "false");
  if (const auto* number = key.integer()) return Text(std::to_string(*number));
  if (const auto* real = key.floating()) return Text(float_repr(*real));
  fail_type("a str, number, bool or None as a key of JSON", key);
}

[[nodiscard]] inline std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return float_repr(value);
}

class JsonPrinter {
 public:
  JsonPrinter(const JsonStyle& style, Budget& budget, Text& out) : style_(style), budget_(budget), out_(out) {}

  void print(const Value& value, std::size_t level = 0) {
    budget_.charge(1);
    if (value.is_none()) {
      out_.append("null");
    } else if (const auto* flag = value.boolean()) {
      out_.append(*flag ? "true" : "false");
    } else if (const auto* number = value.integer()) {
      out_.append(std::to_string(*number));
    } else if (const auto* real = value.floating()) {
      out_.append(json_float(*real));
    } else if (const Text* text = value.text()) {
      append_json_string(*text, style_.ascii, out_, budget_);
    } else if (const List* list = value.list()) {
      print_all('[', ']', list->items.size(), level, [&](std::size_t i) { print(list->items[i], level + 1); });
    } else if (const Dict* dict = value.dict()) {
      const std::vector<Dict::Entry> entries = in_order(*dict);
      print_all('{', '}', entries.size(), level, [&](std::size_t i) {
        append_json_string(json_key(entries[i].first), style_.ascii, out_, budget_);
        out_.append(style_.colon);
        print(entries[i].second, level + 1);
      });
    } else {
      fail_type("a value that JSON has", value);
    }
  }

 private:
  template <class PrintOne>
  void print_all(char open, char close, std::size_t count, std::size_t level, PrintOne print_one) {
    out_.append(std::string_view(&open, 1));
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_.append(style_.comma);
      new_line(level + 1);
      print_one(i);
    }
    if (count > 0) new_line(level);
    out_.append(std::string_view(&close, 1));
  }

  void new_line(std::size_t level) {
    if (!style_.indent) return;
    budget_.charge_bytes(level * style_.indent->size());
    out_.append("\n");
    for (std::size_t i = 0; i < level; ++i) out_.append(*style_.indent);
  }

  [[nodiscard]] std::vector<Dict::Entry> in_order(const Dict& dict) const {
    std::vector<Dict::Entry> entries = dict.entries;
    if (style_.sort_keys) {
      budget_.charge(4 * entries.size());
      std::stable_sort(entries.begin(), entries.end(), [&](const Dict::Entry& a, const Dict::Entry& b) {
        return compare(a.first, b.first, budget_) < 0;
      });
    }
    return entries;
  }

  const JsonStyle& style_;
  Budget& budget_;
  Text& out_;
};

}  // namespace detail

/// json.dumps(value). Throws TemplateError for what JSON does not have, such as an undefined value.
[[nodiscard]] inline Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  Text out;
  detail::JsonPrinter(style, budget, out).print(value);
  return out;
}

}  // namespace trine::inline TRINE_ABI::templates
