// SPDX-License-Identifier: Apache-2.0
// Text from tokens as they come, never a part of a character.
#pragma once

#include <string>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::inline TRINE_ABI {

/// All that push and flush give, one after the other, is what Tokenizer::decode gives for all ids at once. (But where
/// byte tokens of a SentencePiece vocabulary are not UTF-8 together, decode also takes back the characters right before
/// that they completed, as Hugging Face tokenizers does; these have been shown here.)
class Detokenizer {
 public:
  /// Shares the vocabulary of `tokenizer`.
  explicit Detokenizer(Tokenizer tokenizer, bool skip_special_tokens = true);

  /// The text that can be shown now; the beginning of a character, at most 3 bytes, waits for the next token. Bytes
  /// that are not UTF-8 become U+FFFD. Ids without a token give no text.
  [[nodiscard]] std::string push(TokenId id);

  /// The end: U+FFFD for a character that was never completed. Ready for another text then.
  [[nodiscard]] std::string flush();

 private:
  Tokenizer tokenizer_;
  bool skip_special_tokens_;
  TextAssembler assembler_;  // borrows the decoder of tokenizer_
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/tokenizer/detokenizer.inl>
#endif
