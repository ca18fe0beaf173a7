// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding whose first symbols are characters, as SentencePiece trains it.
// Kudo & Richardson, "SentencePiece: A simple and language independent subword tokenizer ...", 2018. arXiv:1808.06226
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/bpe.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/vocabulary.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// The token that stands for one byte: "<0x0A>" for a line feed.
[[nodiscard]] inline std::string byte_fallback_token(std::uint8_t byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return std::string("<0x") + kHex[byte >> 4U] + kHex[byte & 15U] + ">";
}

class CharacterBpe final : public TokenModel {
 public:
  struct Options {
    std::optional<TokenId> unknown;  // for a character that has no token; without it such a character is dropped
    bool fuse_unknown = false;       // one unknown token for a run of them
    bool byte_fallback = false;      // tokens of its bytes for a character without token, if each byte has one
    bool ignore_merges = false;      // a piece that is a token needs no merging
  };

  CharacterBpe(std::shared_ptr<const Vocabulary> vocabulary, MergeTable merges, Options options)
      : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(options) {
    for (std::size_t byte = 0; byte < 256 && options_.byte_fallback; ++byte) {
      token_of_byte_[byte] = vocabulary_->find(byte_fallback_token(static_cast<std::uint8_t>(byte)));
    }
  }

  void encode(const Pieces& pieces, std::vector<TokenId>& ids) const override {
    BytePairMerger merger(merges_);
    std::vector<TokenId> symbols;
    pieces.for_each([&](std::string_view piece) {
      if (options_.ignore_merges) {
        if (const auto whole = vocabulary_->find(piece)) {
          ids.push_back(*whole);
          return;
        }
      }
      symbols.clear();
      append_characters(piece, symbols);
      merger.merge(symbols);
      ids.insert(ids.end(), symbols.begin(), symbols.end());
    });
  }

 private:
  // Unknown characters wait for the next one with a token, behind the bytes of others in between: the order of Hugging
  // Face tokenizers, which the ids have to be those of.
  void append_characters(std::string_view piece, std::vector<TokenId>& symbols) const {
    std::size_t waiting = 0;  // unknown tokens
    const auto flush = [&] {
      symbols.insert(symbols.end(), waiting, options_.unknown.value_or(0));
      waiting = 0;
    };
    while (!piece.empty()) {
      const Utf8Step step = decode_utf8(piece);
      const std::string_view character = piece.substr(0, step.status == Utf8Status::valid ? step.bytes : 1);
      piece.remove_prefix(character.size());
      if (const auto token = vocabulary_->find(character)) {
        flush();
        symbols.push_back(*token);
      } else if (!append_bytes(character, symbols) && options_.unknown) {
        if (!options_.fuse_unknown) flush();
        waiting = 1;
      }
    }
    flush();
  }

  [[nodiscard]] bool append_bytes(std::string_view character, std::vector<TokenId>& symbols) const {
    for (const char byte : character) {
      if (!token_of_byte_[static_cast<std::uint8_t>(byte)]) return false;
    }
    for (const char byte : character) symbols.push_back(*token_of_byte_[static_cast<std::uint8_t>(byte)]);
    return true;
  }

  std::shared_ptr<const Vocabulary> vocabulary_;
  MergeTable merges_;
  Options options_;
  std::array<std::optional<TokenId>, 256> token_of_byte_{};  // without byte fallback, none
};

}  // namespace trine::inline TRINE_ABI
