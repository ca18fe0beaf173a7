// SPDX-License-Identifier: Apache-2.0
// Upper, lower and title case of one character, as Python's str has it: full mappings, and the capital sigma, which is
// lowered by what stands around it (The Unicode Standard, section 3.13, Final_Sigma).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <trine/text/jinja/case_table.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

template <class Runs>
[[nodiscard]] char32_t mapped(const Runs& runs, char32_t c) {
  const auto run =
      std::partition_point(runs.begin(), runs.end(), [&](const CaseRun& candidate) { return candidate.last < c; });
  if (run == runs.end() || c < run->first || (c - run->first) % run->step != 0) return c;
  return static_cast<char32_t>(static_cast<std::int64_t>(c) + run->difference);
}

/// Appends the string that stands for `c`, if there is one.
template <class Strings>
[[nodiscard]] bool append_special(const Strings& strings, char32_t c, std::string& text) {
  const auto found = std::partition_point(strings.begin(), strings.end(),
                                          [&](const CaseString& candidate) { return candidate.from < c; });
  if (found == strings.end() || found->from != c) return false;
  text += found->to;
  return true;
}

template <class Spans>
[[nodiscard]] bool in_spans(const Spans& spans, char32_t c) {
  const auto span = std::partition_point(spans.begin(), spans.end(),
                                         [&](const CodePointSpan& candidate) { return candidate.last < c; });
  return span != spans.end() && span->first <= c;
}

/// Does a letter come before, and none behind? Marks and the like between do not count.
[[nodiscard]] inline bool is_final_sigma(std::string_view before, std::string_view behind) {
  const auto skip = [](char32_t c) { return in_spans(kCaseIgnorable, c); };
  while (!before.empty()) {
    const Utf8Step step = decode_last_utf8(before);
    if (!skip(step.code_point)) {
      if (!in_spans(kCased, step.code_point)) return false;
      break;
    }
    before.remove_suffix(step.bytes);
  }
  if (before.empty()) return false;
  while (!behind.empty()) {
    const Utf8Step step = decode_utf8(behind);
    if (!skip(step.code_point)) return !in_spans(kCased, step.code_point);
    behind.remove_prefix(step.bytes);
  }
  return true;
}

}  // namespace detail

/// A letter that has a case, whatever it is.
[[nodiscard]] inline bool is_cased(char32_t c) { return detail::in_spans(detail::kCased, c); }

inline void append_upper(char32_t c, std::string& text) {
  if (!detail::append_special(detail::kUpperStrings, c, text)) append_utf8(detail::mapped(detail::kUpperRuns, c), text);
}

inline void append_title(char32_t c, std::string& text) {
  if (!detail::append_special(detail::kTitleStrings, c, text)) append_upper(c, text);
}

/// The character at byte `position` of `text`.
inline void append_lower(std::string_view text, std::size_t position, std::string& lower) {
  const Utf8Step step = decode_utf8(text.substr(position));
  if (step.code_point == 0x130) {  // I with a dot above
    lower += "i\xCC\x87";
  } else if (step.code_point == 0x3A3 &&
             detail::is_final_sigma(text.substr(0, position), text.substr(position + step.bytes))) {
    lower += "\xCF\x82";
  } else {
    append_utf8(detail::mapped(detail::kLowerRuns, step.code_point), lower);
  }
}

}  // namespace trine::inline TRINE_ABI::templates
