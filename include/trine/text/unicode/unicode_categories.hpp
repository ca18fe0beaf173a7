// SPDX-License-Identifier: Apache-2.0
// The character classes that pre-tokenizers split by, over all of Unicode 16.0, as Hugging Face tokenizers sees them.
#pragma once

#include <algorithm>
#include <cstdint>

#include <trine/core/abi.hpp>
#include <trine/text/unicode/unicode_table.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// The bits of kCharacterClassRuns for one code point; O(log runs). Beyond U+10FFFF there is nothing: 0.
[[nodiscard]] constexpr std::uint32_t character_classes(char32_t code_point) noexcept {
  if (code_point > 0x10FFFF) return 0;
  const auto key = static_cast<std::uint32_t>(code_point) << 4U | 15U;
  return *(std::upper_bound(kCharacterClassRuns.begin(), kCharacterClassRuns.end(), key) - 1) & 15U;
}

}  // namespace detail

/// \p{L}: a letter of any script.
[[nodiscard]] constexpr bool is_letter(char32_t c) noexcept { return (detail::character_classes(c) & 1U) != 0; }
/// \p{N}: a digit or another number, such as U+00BD, one half.
[[nodiscard]] constexpr bool is_number(char32_t c) noexcept { return (detail::character_classes(c) & 2U) != 0; }
/// \s: White_Space, which includes U+0085, U+00A0 and U+3000 but not U+001C.
[[nodiscard]] constexpr bool is_space(char32_t c) noexcept { return (detail::character_classes(c) & 4U) != 0; }
/// \w: letters, marks, decimal digits, connectors such as '_', and joiners.
[[nodiscard]] constexpr bool is_word_character(char32_t c) noexcept { return (detail::character_classes(c) & 8U) != 0; }

}  // namespace trine::inline TRINE_ABI
