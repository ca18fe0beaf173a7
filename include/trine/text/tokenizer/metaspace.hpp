// SPDX-License-Identifier: Apache-2.0
// The pre-tokenizer "Metaspace" of Hugging Face tokenizers: spaces become a visible character, U+2581 as in
// SentencePiece, and words begin with it.
// Kudo & Richardson, "SentencePiece: A simple and language independent subword tokenizer ...", 2018. arXiv:1808.06226
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/split.hpp>

namespace trine::inline TRINE_ABI {

/// Before which pieces a replacement character is put, unless they begin with one.
enum class PrependScheme : std::uint8_t { always, first, never };

class MetaspacePreTokenizer final : public PreTokenizer {
 public:
  /// `replacement`: one character. `first` is the piece where the text that was given to encode begins. `split`: a new
  /// piece begins at each replacement character.
  MetaspacePreTokenizer(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  [[nodiscard]] Pieces apply(Pieces pieces) const override {
    Pieces result;
    result.text.reserve(pieces.text.size());
    result.at_text_start = pieces.at_text_start;
    bool is_first = pieces.at_text_start;
    pieces.for_each([&](std::string_view piece) {
      if (prepends(std::exchange(is_first, false), piece)) result.text += replacement_;
      for (const char c : piece) {
        if (c == ' ') {
          result.text += replacement_;
        } else {
          result.text += c;
        }
      }
      result.ends.push_back(result.text.size());
    });
    return split_ ? cut(result) : result;
  }

 private:
  [[nodiscard]] bool prepends(bool is_first, std::string_view piece) const {
    if (scheme_ == PrependScheme::never || (scheme_ == PrependScheme::first && !is_first)) return false;
    return !piece.starts_with(' ') && !piece.starts_with(replacement_);
  }

  [[nodiscard]] Pieces cut(const Pieces& pieces) const {
    const LiteralPattern pattern(replacement_);
    return SplitPreTokenizer::cut_pieces(pieces, [&](std::string_view piece) {
      return apply_behavior(parts_around(pattern.find_all(piece), piece.size()), SplitBehavior::merged_with_next);
    });
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace trine::inline TRINE_ABI
