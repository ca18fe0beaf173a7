// SPDX-License-Identifier: Apache-2.0
// The pre-tokenizers "Digits", "Whitespace" and "WhitespaceSplit" of Hugging Face tokenizers: cuts by the kind of each
// character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/split.hpp>
#include <trine/text/unicode/unicode_categories.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

enum class CharacterSplit : std::uint8_t {
  digits,             // \p{N}+ is a piece
  individual_digits,  // each \p{N} is one
  whitespace,         // \w+ and [^\w\s]+ are pieces, white space is dropped
  whitespace_split,   // \S+ is a piece, white space is dropped
};

class CharacterSplitPreTokenizer final : public PreTokenizer {
 public:
  explicit CharacterSplitPreTokenizer(CharacterSplit how) : how_(how) {}

  [[nodiscard]] Pieces apply(Pieces pieces) const override {
    return SplitPreTokenizer::cut_pieces(pieces, [&](std::string_view piece) { return parts(piece); });
  }

 private:
  enum class Kind : std::uint8_t { none, other, word, space, digit };

  [[nodiscard]] Kind kind(const Utf8Step& step) const noexcept {
    if (step.status != Utf8Status::valid) return Kind::other;
    const bool cuts_digits = how_ == CharacterSplit::digits || how_ == CharacterSplit::individual_digits;
    if (cuts_digits) return is_number(step.code_point) ? Kind::digit : Kind::other;
    if (is_space(step.code_point)) return Kind::space;
    return how_ == CharacterSplit::whitespace && is_word_character(step.code_point) ? Kind::word : Kind::other;
  }

  [[nodiscard]] std::vector<SplitPart> parts(std::string_view piece) const {
    std::vector<SplitPart> result;
    Kind previous = Kind::none;
    for (std::size_t at = 0; at < piece.size();) {
      const Utf8Step step = decode_utf8(piece.substr(at));
      const Kind now = kind(step);
      const std::size_t end = at + step.bytes;
      const bool continues = now == previous && !(how_ == CharacterSplit::individual_digits && now == Kind::digit);
      if (now != Kind::space) {
        if (continues) {
          result.back().end = end;
        } else {
          result.push_back({at, end, false});
        }
      }
      previous = now;
      at = end;
    }
    return result;
  }

  CharacterSplit how_;
};

}  // namespace trine::inline TRINE_ABI
