// SPDX-License-Identifier: Apache-2.0
// Escapes untrusted text (paths, names of tensors, keys, values) for messages, terminals and logs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>
#include <trine/core/decode_utf8.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

inline void append_escaped(std::string_view bytes, std::string& text) {
  constexpr const char* kHex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "\\x";
    text += kHex[byte >> 4U];
    text += kHex[byte & 15U];
  }
}

/// Returns whether a terminal may interpret the code point instead of showing it: controls of ASCII and Latin-1, line
/// and paragraph separators, and characters that change the text direction (Unicode 16.0, table 23-3).
[[nodiscard]] constexpr bool is_control(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace detail

/// `text` as one line that is safe to print: printable UTF-8 is unchanged; control characters and bytes that are not
/// UTF-8 become `\xNN`. Any length; idempotent. Applied to every message of an Error.
[[nodiscard]] inline std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = decode_utf8(text);
    const std::string_view bytes = text.substr(0, step.bytes);
    if (step.status == Utf8Status::valid && !detail::is_control(step.code_point)) {
      result += bytes;
    } else {
      detail::append_escaped(bytes, result);
    }
    text.remove_prefix(step.bytes);
  }
  return result;
}

/// `text` with control and non-ASCII bytes as `\xNN`, truncated after 64 bytes: for arbitrary values.
[[nodiscard]] inline std::string escaped(std::string_view text) {
  constexpr std::size_t kLimit = 64;
  std::string result;
  for (const char& c : text.substr(0, kLimit)) {
    if (c >= 0x20 && c < 0x7f) {
      result += c;
    } else {
      detail::append_escaped({&c, 1}, result);
    }
  }
  return text.size() > kLimit ? result + "..." : result;
}

/// The same in single quotes.
[[nodiscard]] inline std::string in_quotes(std::string_view text) { return "'" + escaped(text) + "'"; }

}  // namespace trine::inline TRINE_ABI
