// SPDX-License-Identifier: Apache-2.0
// Texts of strict UTF-8 (core/decode_utf8.hpp): whole, from their end, and what of them can be shown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>
#include <trine/core/decode_utf8.hpp>
#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// U+FFFD, which stands for what cannot be decoded.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

/// Decodes the code point that `text` ends with; not valid if the text does not end with one. `text` must not be empty.
[[nodiscard]] constexpr Utf8Step decode_last_utf8(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    const Utf8Step step = decode_utf8(text.substr(text.size() - length));
    if (step.status == Utf8Status::valid && step.bytes == length) return step;
  }
  return {0, 1, Utf8Status::invalid};
}

/// Returns whether all of `text` is well-formed.
[[nodiscard]] constexpr bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const Utf8Step step = decode_utf8(text);
    if (step.status != Utf8Status::valid) return false;
    text.remove_prefix(step.bytes);
  }
  return true;
}

/// Appends one code point. Throws InputError for a surrogate or a number beyond U+10FFFF.
inline void append_utf8(char32_t code_point, std::string& text) {
  const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | ((code_point >> shift) & 0x3FU)); };
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
    throw InputError("code point " + std::to_string(static_cast<std::uint32_t>(code_point)) +
                     " is not a Unicode scalar value");
  }
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0U | (code_point >> 6U));
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0U | (code_point >> 12U));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0U | (code_point >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// Moves what can be shown from the front of `bytes` to the end of `text`: well-formed text as it is, U+FFFD for each
/// maximal ill-formed subpart, as Python's bytes.decode("utf-8", "replace") and Rust's String::from_utf8_lossy do. An
/// incomplete tail stays in `bytes`: at most 3 bytes.
inline void move_displayable_text(std::string& bytes, std::string& text) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const Utf8Step step = decode_utf8(rest);
    if (step.status == Utf8Status::incomplete) break;
    text += step.status == Utf8Status::valid ? rest.substr(0, step.bytes) : kReplacementCharacter;
    rest.remove_prefix(step.bytes);
  }
  bytes.erase(0, bytes.size() - rest.size());
}

/// `bytes` as valid UTF-8: see move_displayable_text; an incomplete tail becomes one U+FFFD.
[[nodiscard]] inline std::string to_valid_utf8(std::string bytes) {
  std::string text;
  text.reserve(bytes.size());
  move_displayable_text(bytes, text);
  if (!bytes.empty()) text += kReplacementCharacter;
  return text;
}

}  // namespace trine::inline TRINE_ABI
