// SPDX-License-Identifier: Apache-2.0
// The byte-level alphabet of GPT-2: every byte has a printable character, in which vocabularies are written.
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; bytes_to_unicode in openai/gpt-2.
//   bytes 21..7E, A1..AC and AE..FF stand for the code point of the same number; the other 68, in ascending order, for
//   U+0100, U+0101, ...: a space is U+0120, a line feed U+010A.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

[[nodiscard]] constexpr bool stands_for_itself(std::uint32_t byte) noexcept {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

[[nodiscard]] constexpr std::array<char32_t, 256> make_byte_alphabet() noexcept {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) alphabet[byte] = stands_for_itself(byte) ? char32_t{byte} : next++;
  return alphabet;
}

inline constexpr std::array<char32_t, 256> kByteAlphabet = make_byte_alphabet();

[[nodiscard]] constexpr std::array<std::int16_t, 0x144> make_byte_of_character() noexcept {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (std::size_t byte = 0; byte < 256; ++byte) bytes[kByteAlphabet[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}

inline constexpr std::array<std::int16_t, 0x144> kByteOfCharacter = make_byte_of_character();

}  // namespace detail

/// The character that stands for `byte`.
[[nodiscard]] constexpr char32_t byte_character(std::uint8_t byte) noexcept { return detail::kByteAlphabet[byte]; }

/// The byte that `character` stands for, if any.
[[nodiscard]] constexpr std::optional<std::uint8_t> byte_of_character(char32_t character) noexcept {
  if (character >= detail::kByteOfCharacter.size() || detail::kByteOfCharacter[character] < 0) return std::nullopt;
  return static_cast<std::uint8_t>(detail::kByteOfCharacter[character]);
}

/// Any bytes, written in the alphabet: valid UTF-8.
[[nodiscard]] inline std::string to_byte_characters(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(byte_character(static_cast<std::uint8_t>(byte)), text);
  return text;
}

/// The bytes that a text of the alphabet stands for; nothing if one of its characters is outside the alphabet.
[[nodiscard]] inline std::optional<std::string> from_byte_characters(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = decode_utf8(text);
    const auto byte = step.status == Utf8Status::valid ? byte_of_character(step.code_point) : std::nullopt;
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    text.remove_prefix(step.bytes);
  }
  return bytes;
}

}  // namespace trine::inline TRINE_ABI
