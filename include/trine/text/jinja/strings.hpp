// SPDX-License-Identifier: Apache-2.0
// What Python's str does, on marked UTF-8. Positions are bytes here; characters are Unicode code points, as in Python.
// Python 3 documentation, "Text Sequence Type: str".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/text/jinja/budget.hpp>
#include <trine/text/jinja/case.hpp>
#include <trine/text/jinja/text.hpp>
#include <trine/text/unicode/unicode_categories.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI::templates {

/// str.isspace: White_Space, and four separators that Unicode calls control characters.
[[nodiscard]] constexpr bool is_python_space(char32_t c) noexcept { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

/// Characters of valid UTF-8.
[[nodiscard]] inline std::size_t length_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80; }));
}

/// Where each character begins, and the end.
[[nodiscard]] inline std::vector<std::size_t> character_offsets(std::string_view text, Budget& budget) {
  budget.charge(text.size() / 4 + 1);
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < text.size(); i += decode_utf8(text.substr(i)).bytes) offsets.push_back(i);
  offsets.push_back(text.size());
  return offsets;
}

/// Which characters strip takes: white space, or those of a string.
class StripSet {
 public:
  explicit StripSet(std::optional<std::string_view> characters) : spaces_(!characters) {
    for (std::string_view rest = characters.value_or(""); !rest.empty(); rest.remove_prefix(decode_utf8(rest).bytes))
      characters_.push_back(decode_utf8(rest).code_point);
    std::sort(characters_.begin(), characters_.end());
  }
  [[nodiscard]] bool contains(char32_t c) const {
    return spaces_ ? is_python_space(c) : std::binary_search(characters_.begin(), characters_.end(), c);
  }

 private:
  bool spaces_;
  std::vector<char32_t> characters_;
};

/// The bytes that str.strip, lstrip and rstrip leave.
[[nodiscard]] inline ByteRange stripped(std::string_view text, const StripSet& set, bool left, bool right) {
  ByteRange kept{0, text.size()};
  while (left && kept.begin < kept.end) {
    const Utf8Step step = decode_utf8(text.substr(kept.begin));
    if (!set.contains(step.code_point)) break;
    kept.begin += step.bytes;
  }
  while (right && kept.begin < kept.end) {
    const Utf8Step step = decode_last_utf8(text.substr(kept.begin, kept.end - kept.begin));
    if (!set.contains(step.code_point)) break;
    kept.end -= step.bytes;
  }
  return kept;
}

inline constexpr std::size_t kAllOccurrences = std::numeric_limits<std::size_t>::max();

/// str.split() without a separator: the words between runs of white space; after `most` cuts, the rest as it is.
[[nodiscard]] inline std::vector<ByteRange> split_at_spaces(std::string_view text, std::size_t most) {
  const StripSet spaces(std::nullopt);
  std::vector<ByteRange> parts;
  std::size_t begin = stripped(text, spaces, true, false).begin;
  while (begin < text.size()) {
    if (parts.size() == most) {
      parts.push_back({begin, text.size()});
      break;
    }
    std::size_t end = begin;
    while (end < text.size()) {
      const Utf8Step step = decode_utf8(text.substr(end));
      if (is_python_space(step.code_point)) break;
      end += step.bytes;
    }
    parts.push_back({begin, end});
    begin = end + stripped(text.substr(end), spaces, true, false).begin;
  }
  return parts;
}

/// str.split(separator, most). `separator` is not empty.
[[nodiscard]] inline std::vector<ByteRange> split_at(std::string_view text, std::string_view separator,
                                                     std::size_t most) {
  std::vector<ByteRange> parts;
  std::size_t begin = 0;
  while (parts.size() < most) {
    const std::size_t found = text.find(separator, begin);
    if (found == std::string_view::npos) break;
    parts.push_back({begin, found});
    begin = found + separator.size();
  }
  parts.push_back({begin, text.size()});
  return parts;
}

/// str.rsplit(separator, most): the cuts are the last ones.
[[nodiscard]] inline std::vector<ByteRange> split_from_right(std::string_view text, std::string_view separator,
                                                             std::size_t most) {
  std::vector<ByteRange> parts;
  std::size_t end = text.size();
  while (parts.size() < most && end >= separator.size()) {
    const std::size_t found = text.rfind(separator, end - separator.size());
    if (found == std::string_view::npos) break;
    parts.push_back({found + separator.size(), end});
    end = found;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

/// str.splitlines(): the lines without their ends, which may be any of Unicode's.
[[nodiscard]] inline std::vector<ByteRange> split_lines(std::string_view text) {
  const auto ends_line = [](char32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
  };
  std::vector<ByteRange> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Step step = decode_utf8(text.substr(i));
    const std::size_t end = i;
    i += step.bytes;
    if (!ends_line(step.code_point)) continue;
    if (step.code_point == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back({begin, end});
    begin = i;
  }
  if (begin < text.size()) lines.push_back({begin, text.size()});
  return lines;
}

/// str.replace(from, to, most). An empty `from` stands before every character and at the end.
[[nodiscard]] inline Text replaced(const Text& text, std::string_view from, const Text& to, std::size_t most,
                                   Budget& budget) {
  std::vector<std::size_t> found;
  if (from.empty()) {
    found = character_offsets(text.view(), budget);
    if (found.size() > most) found.resize(most);
  } else {
    for (std::size_t i = text.view().find(from); i != std::string_view::npos && found.size() < most;
         i = text.view().find(from, i + from.size()))
      found.push_back(i);
  }
  if (!found.empty() && to.size() > budget.limits().output_bytes / found.size())
    budget.require_fits(budget.limits().output_bytes + 1);
  budget.charge_bytes(text.size() + found.size() * to.size());
  Text result;
  std::size_t done = 0;
  for (const std::size_t i : found) {
    result.append(text, done, i).append(to);
    done = i + from.size();
  }
  return result.append(text, done, text.size());
}

enum class Case : std::uint8_t { upper, lower, title };

/// The characters from byte `begin` on in a case; those before count as context. "title" is for a first letter.
[[nodiscard]] inline Text in_case(const Text& text, Case to, Budget& budget, std::size_t begin = 0) {
  budget.charge(text.size() / 4);
  budget.charge_bytes(3 * text.size());  // no character grows more
  Text result;
  for (std::size_t i = begin; i < text.size();) {
    const Utf8Step step = decode_utf8(text.view().substr(i));
    std::string changed;
    if (to == Case::lower) {
      append_lower(text.view(), i, changed);
    } else if (to == Case::upper) {
      append_upper(step.code_point, changed);
    } else {
      append_title(step.code_point, changed);
    }
    result.append(changed, text.is_foreign(i));
    i += step.bytes;
  }
  return result.set_html(text.is_html());
}

/// With & < > ' " as HTML writes them.
[[nodiscard]] inline Text escaped_for_html(const Text& text, Budget& budget) {
  budget.charge_bytes(5 * text.size());
  Text result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string_view shown = text.view().substr(i, 1);
    if (shown == "&") shown = "&amp;";
    if (shown == "<") shown = "&lt;";
    if (shown == ">") shown = "&gt;";
    if (shown == "'") shown = "&#39;";
    if (shown == "\"") shown = "&#34;";
    result.append(shown, text.is_foreign(i));
  }
  return result.set_html(true);
}

/// str.capitalize.
[[nodiscard]] inline Text capitalized(const Text& text, Budget& budget) {
  if (text.empty()) return text;
  const std::size_t begin = decode_utf8(text.view()).bytes;
  return in_case(text.part(0, begin), Case::title, budget).append(in_case(text, Case::lower, budget, begin));
}

}  // namespace trine::inline TRINE_ABI::templates
