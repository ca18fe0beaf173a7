// SPDX-License-Identifier: Apache-2.0
// What the pre-tokenizer "Punctuation" of Hugging Face tokenizers cuts at: each character of punctuation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/unicode/punctuation_table.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// ASCII punctuation, symbols such as '$' and '+' included, and \p{P} beyond ASCII as Unicode had it in version 8.
[[nodiscard]] constexpr bool is_punctuation(char32_t c) noexcept {
  const auto& ranges = detail::kPunctuationRanges;
  const auto range = std::partition_point(ranges.begin(), ranges.end(), [&](const auto& r) { return r.last < c; });
  return range != ranges.end() && range->first <= c;
}

/// Matches one character of punctuation.
class PunctuationPattern final : public Regex {
 public:
  [[nodiscard]] std::vector<Match> find_all(std::string_view text) const override {
    std::vector<Match> matches;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text.substr(at));
      if (step.status == Utf8Status::valid && is_punctuation(step.code_point)) matches.push_back({at, at + step.bytes});
      at += step.bytes;
    }
    return matches;
  }
};

}  // namespace trine::inline TRINE_ABI
