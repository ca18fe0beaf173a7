// SPDX-License-Identifier: Apache-2.0
// Pre-tokenizers: steps that cut a text into the pieces inside which tokens are merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/unicode/unicode_categories.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// A text cut into pieces. A step may change the text, too, which is why it is owned.
struct Pieces {
  std::string text;
  std::vector<std::size_t> ends;  // piece i ends before byte ends[i], and begins where the one before it ends
  bool at_text_start = false;     // does the first piece begin where the text that was given to encode begins?

  /// All of `text` as one piece; no piece if it is empty.
  [[nodiscard]] static Pieces whole(std::string text, bool at_text_start = false) {
    Pieces pieces{std::move(text), {}, at_text_start};
    if (!pieces.text.empty()) pieces.ends.push_back(pieces.text.size());
    return pieces;
  }

  /// Calls visit(std::string_view piece) for each in order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      visit(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
  }
};

/// One step of the pipeline. Const and thread-safe. `text` is any bytes: what is not UTF-8 is one character a byte,
/// neither letter, nor number, nor space. Time is linear in the text, and nothing recurses on it.
class PreTokenizer {
 public:
  PreTokenizer() = default;
  PreTokenizer(const PreTokenizer&) = delete;
  PreTokenizer& operator=(const PreTokenizer&) = delete;
  virtual ~PreTokenizer() = default;

  [[nodiscard]] virtual Pieces apply(Pieces pieces) const = 0;
};

namespace detail {

enum class Gpt2Class : std::uint8_t { letter, number, space, other };

struct Gpt2Character {
  Gpt2Class kind;
  std::size_t bytes;
};

/// The class of the character at the beginning of `text`, which must not be empty.
[[nodiscard]] inline Gpt2Character gpt2_character(std::string_view text) noexcept {
  const auto lead = static_cast<std::uint8_t>(text.front());
  const Utf8Step step = lead < 0x80 ? Utf8Step{lead, 1, Utf8Status::valid} : decode_utf8(text);
  if (step.status != Utf8Status::valid) return {Gpt2Class::other, 1};
  const std::uint32_t classes = character_classes(step.code_point);
  if ((classes & 1U) != 0) return {Gpt2Class::letter, step.bytes};
  if ((classes & 2U) != 0) return {Gpt2Class::number, step.bytes};
  if ((classes & 4U) != 0) return {Gpt2Class::space, step.bytes};
  return {Gpt2Class::other, step.bytes};
}

/// 's 't 're 've 'm 'll 'd at the beginning of `text`: its length, or 0.
[[nodiscard]] constexpr std::size_t english_contraction(std::string_view text) noexcept {
  if (!text.starts_with('\'') || text.size() < 2) return 0;
  const std::string_view after = text.substr(1);
  if (after[0] == 's' || after[0] == 't' || after[0] == 'm' || after[0] == 'd') return 2;
  return after.starts_with("re") || after.starts_with("ve") || after.starts_with("ll") ? 3 : 0;
}

}  // namespace detail

/// How many bytes of `text`, which must not be empty, one match of the GPT-2 pattern takes at its beginning:
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// Every text is covered by matches, so nothing stands between them.
[[nodiscard]] inline std::size_t match_gpt2_pattern(std::string_view text) noexcept {
  if (const std::size_t length = detail::english_contraction(text)) return length;

  // " ?" joins one space, U+0020 only, to the run of one class behind it.
  std::size_t begin = 0;
  detail::Gpt2Character first = detail::gpt2_character(text);
  if (text.front() == ' ' && text.size() > 1) {
    const detail::Gpt2Character second = detail::gpt2_character(text.substr(1));
    if (second.kind != detail::Gpt2Class::space) {
      begin = 1;
      first = second;
    }
  }
  std::size_t end = begin + first.bytes;
  std::size_t last_begin = begin;
  while (end < text.size()) {
    const detail::Gpt2Character next = detail::gpt2_character(text.substr(end));
    if (next.kind != first.kind) break;
    last_begin = end;
    end += next.bytes;
  }
  // \s+(?!\S): before something visible, the last of several spaces is left to what follows.
  const bool gives_last_back = first.kind == detail::Gpt2Class::space && end < text.size() && last_begin > 0;
  return gives_last_back ? last_begin : end;
}

/// The GPT-2 pattern as a Regex, without an engine.
class Gpt2Pattern final : public Regex {
 public:
  static constexpr std::string_view kText =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  [[nodiscard]] std::vector<Match> find_all(std::string_view text) const override {
    std::vector<Match> matches;
    for (std::size_t at = 0; at < text.size(); at = matches.back().end) {
      matches.push_back({at, at + match_gpt2_pattern(text.substr(at))});
    }
    return matches;
  }
};

/// The pre-tokenizer "ByteLevel" of Hugging Face tokenizers, except that bytes stay bytes: the vocabulary, which is
/// written in the byte-level alphabet, is translated once instead (see byte_level.hpp). Where that is not enough,
/// ByteAlphabetPreTokenizer follows.
class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  /// `add_prefix_space`: a space before each piece that does not start with one. `use_pattern`: cut by the GPT-2
  /// pattern.
  ByteLevelPreTokenizer(bool add_prefix_space, bool use_pattern)
      : add_prefix_space_(add_prefix_space), use_pattern_(use_pattern) {}

  [[nodiscard]] Pieces apply(Pieces pieces) const override {
    if (add_prefix_space_) pieces = with_prefix_spaces(pieces);
    if (use_pattern_) cut(pieces);
    return pieces;
  }

 private:
  [[nodiscard]] static Pieces with_prefix_spaces(const Pieces& pieces) {
    Pieces result;
    result.text.reserve(pieces.text.size() + pieces.ends.size());
    result.at_text_start = pieces.at_text_start;
    pieces.for_each([&](std::string_view piece) {
      if (!piece.starts_with(' ')) result.text += ' ';
      result.text += piece;
      result.ends.push_back(result.text.size());
    });
    return result;
  }

  static void cut(Pieces& pieces) {
    std::vector<std::size_t> ends;
    std::size_t begin = 0;
    pieces.for_each([&](std::string_view piece) {
      while (!piece.empty()) {
        const std::size_t length = match_gpt2_pattern(piece);
        piece.remove_prefix(length);
        begin += length;
        ends.push_back(begin);
      }
    });
    pieces.ends = std::move(ends);
  }

  bool add_prefix_space_;
  bool use_pattern_;
};

/// Writes the bytes of pieces in the byte-level alphabet, for steps or models that look at its characters.
class ByteAlphabetPreTokenizer final : public PreTokenizer {
 public:
  [[nodiscard]] Pieces apply(Pieces pieces) const override {
    Pieces result;
    result.text.reserve(pieces.text.size() * 2);
    result.at_text_start = pieces.at_text_start;
    pieces.for_each([&](std::string_view piece) {
      result.text += to_byte_characters(piece);
      result.ends.push_back(result.text.size());
    });
    return result;
  }
};

}  // namespace trine::inline TRINE_ABI
