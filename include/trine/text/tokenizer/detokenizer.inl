// SPDX-License-Identifier: Apache-2.0
// The definitions of text/tokenizer/detokenizer.hpp.
#pragma once

#include <string>
#include <utility>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL Detokenizer::Detokenizer(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)),
      skip_special_tokens_(skip_special_tokens),
      assembler_(tokenizer_.decoder(), false) {}

TRINE_DECL std::string Detokenizer::push(TokenId id) {
  std::string text;
  if (!tokenizer_.has_token(id) || (skip_special_tokens_ && tokenizer_.is_special(id))) return text;
  tokenizer_.decode_next(id, assembler_, text);
  return text;
}

TRINE_DECL std::string Detokenizer::flush() {
  std::string text;
  assembler_.flush(text);
  assembler_ = TextAssembler(tokenizer_.decoder(), false);
  return text;
}

}  // namespace trine::inline TRINE_ABI
