// SPDX-License-Identifier: Apache-2.0
// Decodes one code point of strict UTF-8: the well-formed sequences of table 3-7 of the Unicode Standard, version 16.0,
// without overlong forms, surrogates, or anything beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

enum class Utf8Status : std::uint8_t {
  valid,       // one code point
  invalid,     // bytes that no continuation can complete
  incomplete,  // the text ends inside a sequence that is valid so far
};

/// The first code point of a text.
struct Utf8Step {
  char32_t code_point = 0;  // if valid
  std::size_t bytes = 0;    // its length: 1 to 4 if valid, 1 to 3 otherwise
  Utf8Status status = Utf8Status::invalid;
};

/// Decodes the first code point. In ill-formed text it takes the maximal subpart (Unicode 16.0, section 3.9.6): the
/// longest beginning of a well-formed sequence, or one byte. `text` must not be empty.
[[nodiscard]] constexpr Utf8Step decode_utf8(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, Utf8Status::valid};
  if (lead < 0xC2 || lead > 0xF4) return {0, 1, Utf8Status::invalid};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte is 80..BF, except for overlong forms, surrogates and the end of Unicode.
  std::uint8_t least = 0x80;
  std::uint8_t most = 0xBF;
  if (lead == 0xE0) least = 0xA0;
  if (lead == 0xED) most = 0x9F;
  if (lead == 0xF0) least = 0x90;
  if (lead == 0xF4) most = 0x8F;
  auto value = static_cast<char32_t>(lead & (0x7FU >> length));
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, i, Utf8Status::incomplete};
    if (byte(i) < least || byte(i) > most) return {0, i, Utf8Status::invalid};
    value = value << 6U | (byte(i) & 0x3FU);
    least = 0x80;
    most = 0xBF;
  }
  return {value, length, Utf8Status::valid};
}

}  // namespace trine::inline TRINE_ABI
